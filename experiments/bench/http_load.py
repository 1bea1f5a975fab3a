"""Load on an HTTP server: as much as it takes, or so many requests a second, over a few connections kept open."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

import uvloop

N_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers a second and waiting times in seconds, ascending; `refused` counts all but 200."""

    rate: float
    times: list[float] = field(repr=False)
    refused: int

    def at(self, share: float) -> float:
        """The waiting time that this share of requests stays below, in milliseconds."""
        return self.times[min(int(len(self.times) * share), len(self.times) - 1)] * 1e3


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, work: "_Work") -> None:
        self._work = work
        self._transport: asyncio.WriteTransport | None = None
        self._came = bytearray()
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are those of asyncio in everything but their class.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._work.free(self)

    def ask(self, request: bytes, began: float) -> None:
        assert self._transport is not None
        self._began = began
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        end = came.find(b"\r\n\r\n")
        if end < 0:
            return
        place = came.lower().find(b"content-length:", 0, end)
        length = int(came[place + 15 : came.find(b"\r", place)])
        if len(came) < end + 4 + length:
            return
        self._work.done(time.perf_counter() - self._began, is_good=came[9:12] == b"200")
        del came[:]
        self._work.free(self)

    def connection_lost(self, _problem: Exception | None) -> None:
        if self._transport is not None:
            self._transport.close()


class _Work:
    """Hands requests to free lines: at once, or when their moment comes."""

    def __init__(self, requests: Iterator[bytes], *, pace_s: float) -> None:
        self._requests = requests
        self._pace_s = pace_s
        self._next = time.perf_counter()
        self._idle: deque[_Line] = deque()
        self._times: list[float] = []
        self._refused = 0
        self._ended = False

    def free(self, line: _Line) -> None:
        if self._ended:
            return
        if self._pace_s == 0.0:
            line.ask(next(self._requests), time.perf_counter())
        else:
            self._idle.append(line)

    def done(self, seconds: float, *, is_good: bool) -> None:
        self._times.append(seconds)
        self._refused += not is_good

    async def run(self, seconds: float) -> Load:
        began = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            # Waiting counts from the moment a request was due, also where no line was free.
            while self._pace_s and self._next <= now and self._idle:
                self._idle.popleft().ask(next(self._requests), self._next)
                self._next += self._pace_s
            await asyncio.sleep(0.05 if self._pace_s == 0.0 else max(self._pace_s / 4, 0.0002))
        taken = time.perf_counter() - began
        self._ended = True
        return Load(len(self._times) / taken, sorted(self._times), self._refused)


def load(port: int, requests: Iterable[bytes], *, seconds: float, rate: float = 0.0) -> Load:
    """Load the server for so long with these requests; `rate` a second, or all it takes.

    A sequence is asked in turn again and again, an iterator must not end before the load does.
    """
    asked = requests if isinstance(requests, Iterator) else cycle(requests)

    async def run() -> Load:
        work = _Work(asked, pace_s=1 / rate if rate else 0.0)
        loop = asyncio.get_running_loop()
        lines = [await loop.create_connection(lambda: _Line(work), "127.0.0.1", port) for _ in range(N_CONNECTIONS)]
        told = await work.run(seconds)
        for transport, _ in lines:
            transport.close()
        return told

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def post(path: str, body: bytes, key: str) -> bytes:
    """A POST as it goes over the line."""
    head = f"POST {path} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


def get(path: str) -> bytes:
    """A GET as it goes over the line."""
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()
