"""Several server processes behind one socket: started together, begun again when they die, ended together."""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
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
# A process whose loop does not turn for so long is killed, looked at each second: what it holds would wait for ever.
_HUNG_S, _LOOK_S = 30.0, 1.0
# Linux: the number of the wish to be sent a signal when the parent dies.
_PR_SET_PDEATHSIG = 1

# Serves until it is told to end; it calls the first function when it answers, and the second each second from then on.
Serve = Callable[[Callable[[], None], Callable[[], None]], object]


class Workers:
    """`n` processes forked from this one, which holds no thread and no connection and serves nothing itself."""

    def __init__(self, n: int, serve: Serve, listener: socket.socket) -> None:
        self._n = n
        self._listener = listener
        self._serve = serve
        self._begun: dict[int, float] = {}
        # When each last called, in memory that all share; a process has a place in it while it lives.
        self._beats = memoryview(mmap.mmap(-1, 8 * n)).cast("d")
        self._places: dict[int, int] = {}
        self._looked_at = time.monotonic()
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
        parent, place = os.getpid(), min(set(range(self._n)) - set(self._places.values()))
        pid = os.fork()
        if pid == 0:
            os.close(reads)
            _end_with(parent)
            self._be_one(writes, place)
        os.close(writes)
        self._begun[pid] = time.monotonic()
        with os.fdopen(reads, "rb") as pipe:
            is_ready = pipe.read(1) == b"1"
        if not is_ready:
            os.waitpid(pid, 0)
            del self._begun[pid]
        else:
            self._places[pid] = place
            self._beats[place] = time.monotonic()
        return is_ready

    def _be_one(self, writes: int, place: int) -> None:
        """The life of one process; never returns."""
        code = 1
        try:
            for number in _WATCHED:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)

            def ready() -> None:
                os.write(writes, b"1")
                os.close(writes)

            def beat() -> None:
                self._beats[place] = time.monotonic()

            with suppress(KeyboardInterrupt):
                self._serve(ready, beat)
            code = 0
        except TrailmateError as problem:
            sys.stderr.write(f"trailmate: {problem}\n")
        except OSError as problem:
            sys.stderr.write(f"trailmate: {problem.strerror}; check the path, its rights and the free space\n")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _wait(self) -> None:
        """Wait for a signal, and do what it asks for; where none comes, look who hangs."""
        came = _signal_within(_LOOK_S, _WATCHED)
        self._kill_who_hangs()
        if came is not None and came != signal.SIGCHLD:
            self._stopped_by = came
            return
        for pid, status, began in self._dead():
            _tell("worker ended", pid=pid, by=_said(status))
            if time.monotonic() - began < _SOON_S:
                time.sleep(_REST_S)
            while not self._begin():
                self._stopped_by = _signal_within(_REST_S, _WATCHED - {signal.SIGCHLD})
                if self._stopped_by is not None:
                    return

    def _kill_who_hangs(self) -> None:
        now = time.monotonic()
        # Where this process itself was frozen, all others may have been.
        was_away, self._looked_at = now - self._looked_at > 2 * _LOOK_S, now
        for pid, place in self._places.items():
            if was_away:
                self._beats[place] = now
            elif now - self._beats[place] > _HUNG_S:
                _tell("worker hangs", pid=pid)
                # Not again before it had the time to end.
                self._beats[place] = now
                os.kill(pid, signal.SIGKILL)

    def _dead(self) -> list[tuple[int, int, float]]:
        """Process id, exit status and time of its beginning of each that ended."""
        found = []
        for pid, began in list(self._begun.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                found.append((pid, status, began))
                del self._begun[pid]
                self._places.pop(pid, None)
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


def _signal_within(seconds: float, watched: set[signal.Signals]) -> int | None:
    """The signal that came, None where none did."""
    told = signal.sigtimedwait(watched, seconds)
    # Who was frozen for longer gets any number from CPython, where no signal came.
    return told.si_signo if told is not None and told.si_signo in watched else None


def _tell(event: str, **about: object) -> None:
    sys.stderr.write(json.dumps({"event": event, **about, "level": "error"}, separators=(",", ":")) + "\n")
    sys.stderr.flush()


def _said(status: int) -> str:
    """How a process ended: the name of the signal, or the exit code."""
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
