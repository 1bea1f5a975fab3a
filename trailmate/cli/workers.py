"""Several server processes behind one socket: started together, begun again when they die, ended together."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from engine.domain.errors import TrailmateError, Unavailable

_WATCHED = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
# Who dies as soon as it has begun is not begun again at once.
_SOON_S, _REST_S = 5.0, 1.0
# After so long a process that was told to end is killed.
_PATIENCE_S = 30.0
# Linux: the number of the wish to be sent a signal when the parent dies.
_PR_SET_PDEATHSIG = 1

# Serves until it is told to end; says so with the function it is given when it answers.
Serve = Callable[[Callable[[], None]], object]


class Workers:
    """`n` processes forked from this one, which holds no thread and no connection and serves nothing itself."""

    def __init__(self, n: int, serve: Serve, listener: socket.socket) -> None:
        self._n = n
        self._listener = listener
        self._serve = serve
        self._begun: dict[int, float] = {}
        self._stopped_by: int | None = None

    def run(self, ready: Callable[[], None]) -> int:
        """Serve until a signal comes, which is returned; `ready` is called once when all answer.

        Raises Unavailable where one cannot begin at all: it said why.
        """
        # What is shared stays shared: the collector would write into every page.
        gc.collect()
        gc.freeze()
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            for _ in range(self._n):
                if not self._begin():
                    raise Unavailable("a server process could not begin; see the line above")
            ready()
            while self._stopped_by is None:
                self._wait()
        finally:
            self._end_all()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        return self._stopped_by or signal.SIGTERM

    def _begin(self) -> bool:
        """Start one and wait until it answers; False where it ended instead."""
        reads, writes = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(reads)
            _end_with(parent)
            self._be_one(writes)
        os.close(writes)
        self._begun[pid] = time.monotonic()
        with os.fdopen(reads, "rb") as pipe:
            is_ready = pipe.read(1) == b"1"
        if not is_ready:
            os.waitpid(pid, 0)
            del self._begun[pid]
        return is_ready

    def _be_one(self, writes: int) -> None:
        """The life of one process; never returns."""
        code = 1
        try:
            for number in _WATCHED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)

            def ready() -> None:
                os.write(writes, b"1")
                os.close(writes)

            with suppress(KeyboardInterrupt):
                self._serve(ready)
            code = 0
        except TrailmateError as problem:
            sys.stderr.write(f"trailmate: {problem}\n")
        except OSError as problem:
            sys.stderr.write(f"trailmate: {problem.strerror}; check the path, its rights and the free space\n")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _wait(self) -> None:
        """Wait for a signal, and do what it asks for."""
        number = signal.sigwait(_WATCHED)
        if number != signal.SIGCHLD:
            self._stopped_by = number
            return
        for pid, status, began in self._dead():
            told = {"event": "worker ended", "pid": pid, "by": _said(status), "level": "error"}
            sys.stderr.write(json.dumps(told, separators=(",", ":")) + "\n")
            sys.stderr.flush()
            if time.monotonic() - began < _SOON_S:
                time.sleep(_REST_S)
            while not self._begin():
                stop = signal.sigtimedwait(_WATCHED - {signal.SIGCHLD}, _REST_S)
                if stop is not None:
                    self._stopped_by = stop.si_signo
                    return

    def _dead(self) -> list[tuple[int, int, float]]:
        """Process id, exit status and time of its beginning of each that ended."""
        found = []
        for pid, began in list(self._begun.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                found.append((pid, status, began))
                del self._begun[pid]
        return found

    def _end_all(self) -> None:
        """Tell all to end, and wait until they have; who asks after the last of them has closed the door hears so."""
        self._listener.close()
        for pid in self._begun:
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE_S
        while self._begun and time.monotonic() < until:
            self._dead()
            signal.sigtimedwait({signal.SIGCHLD}, 0.05)
        for pid in self._begun:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _end_with(parent: int) -> None:
    """Have this process told to end, after its last answers, when its parent dies: nobody would begin it again, and
    whoever starts the server anew would find the port taken."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def _said(status: int) -> str:
    """How a process ended: the name of the signal, or the exit code."""
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
