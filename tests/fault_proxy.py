"""A TCP proxy on the loopback through which a line can be delayed, throttled, cut or swallowed while it is in use."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

_PIECE = 64 * 1024
CALM_S = 0.005


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to each piece of each line, in both directions.

    `delay_s` plus up to `jitter_s` pass before it goes on, pieces stay in order; `bytes_per_s` is the width of a line,
    0 for any. `swallows`: nothing arrives until the weather changes, as where packets are lost. `refuses`: new lines
    are reset.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0
    swallows: bool = False
    refuses: bool = False


FAIR = Weather()


class FaultProxy:
    """Stands before `upstream`, a port of the loopback or the path of a socket; `weather` may change at any time.

    `seed` decides the jitter. `passed` counts the bytes that went through, both directions together, `n_cut` how often
    lines were cut.
    """

    def __init__(self, upstream: int | str, *, seed: int = 0) -> None:
        self.port = 0
        self.passed = 0
        self.n_cut = 0
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._weather = FAIR
        self._changed = asyncio.Event()
        self._left: int | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def weather(self) -> Weather:
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Reset every line that is open."""
        self.n_cut += 1
        for line in list(self._lines):
            line.transport.abort()

    def cut_after(self, n_bytes: int | None) -> None:
        """Pass so many bytes more, both directions together, then reset every line; None takes it back."""
        self._left = n_bytes

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._line(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One line from its beginning to its end; when one side goes, so does the other."""
        self._lines.add(writer)
        ends = [writer]
        try:
            await self._heard()
            if self._weather.refuses:
                return
            there, back = await self._connected()
            ends.append(back)
            self._lines.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, back))
                both.create_task(self._pump(there, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in ends:
                self._lines.discard(end)
                end.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, int):
            return await asyncio.open_connection("127.0.0.1", self._upstream)
        return await asyncio.open_unix_connection(self._upstream)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry pieces one way; what waits for its moment does not keep later ones from being read."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        writing = asyncio.create_task(self._write(waiting, writer))
        try:
            due, clock = 0.0, asyncio.get_running_loop().time
            while piece := await reader.read(_PIECE):
                weather = self._weather
                due = max(due, clock() + weather.delay_s + self._chance.uniform(0, weather.jitter_s))
                waiting.put_nowait((due, piece))
            waiting.put_nowait((due, b""))
            await writing
        finally:
            writing.cancel()
        # The end of one direction ends the line.
        raise ConnectionResetError

    async def _write(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due, piece = await waiting.get()
            if (wait := due - clock()) > 0:
                await asyncio.sleep(wait)
            await self._heard()
            if not piece:
                return
            if self._weather.bytes_per_s:
                await asyncio.sleep(len(piece) / self._weather.bytes_per_s)
            allowed = piece if self._left is None else piece[: self._left]
            if self._left is not None:
                self._left -= len(allowed)
            with suppress(OSError):
                writer.write(allowed)
                await writer.drain()
            self.passed += len(allowed)
            if self._left == 0:
                # What was allowed still leaves: a reset would overtake it.
                await asyncio.sleep(CALM_S)
                self.cut()

    async def _heard(self) -> None:
        """Wait until what is said arrives at all."""
        while self._weather.swallows:
            await self._changed.wait()


class ThreadedProxy:
    """The same for code that runs in no loop: every call is done in the loop of the proxy's own thread."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.port = proxy.port

    @property
    def passed(self) -> int:
        return self._proxy.passed

    def set(self, weather: Weather) -> None:
        self._call(lambda: setattr(self._proxy, "weather", weather))

    def cut(self) -> None:
        self._call(self._proxy.cut)

    def cut_after(self, n_bytes: int | None) -> None:
        self._call(lambda: self._proxy.cut_after(n_bytes))

    def _call(self, do: object) -> None:
        async def run() -> None:
            do()  # type: ignore[operator]

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)


@contextmanager
def standing_before(upstream: int | str, *, seed: int = 0) -> Iterator[ThreadedProxy]:
    """A proxy in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault-proxy")
    thread.start()

    async def begin() -> FaultProxy:
        return await FaultProxy(upstream, seed=seed).__aenter__()

    try:
        proxy = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        try:
            yield ThreadedProxy(proxy, loop)
        finally:
            asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
