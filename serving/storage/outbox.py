"""What was taken in while the database was away: on disk before anybody hears of it, replayed when it is back.

    one file for each process, DATA/outbox/<name>.log, one line for each entry: crc32 in 8 hexadecimal digits, a blank,
    the entry as JSON

A line that was cut off was never acknowledged. Replaying twice changes nothing: events and decisions are known by ids.
"""

import asyncio
import fcntl
import os
import uuid
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.domain.decision import Decision
from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction


class Entry(msgspec.Struct, omit_defaults=True):
    """What a tenant told at once: events, with the time for those that have none, or decisions."""

    tenant: str
    events: list[Interaction] = []
    stamp: datetime | None = None
    decisions: list[Decision] = []

    def __len__(self) -> int:
        """How many rows it comes to."""
        return len(self.events) + len(self.decisions)


Replay = Callable[[Entry], Awaitable[None]]
_TRY_EVERY_S = 0.5
# So many rows are replayed at once: the database puts them on disk together.
_AT_ONCE = 1_000
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


REFUSED = "refused.jsonl"


class Outbox:
    """Entries in the order they came; `replay` puts one into the database, or raises Unavailable."""

    def __init__(self, folder: Path, replay: Replay) -> None:
        self._folder = folder
        self._replay = replay
        self._file: BinaryIO | None = None
        self._coming: list[tuple[Entry, asyncio.Future[None]]] = []
        self._waiting: list[Entry] = []
        self._writing = asyncio.Lock()
        self._emptying: asyncio.Task[bool] | None = None
        self._trying: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def add(self, entry: Entry) -> None:
        """Keep an entry; on disk when this returns. Raises Unavailable where the disk does not take it."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming.append((entry, kept))
        async with self._writing:
            # Whoever comes first writes for all who came meanwhile: one flush for all of them.
            if not kept.done():
                await self._write_all()
        kept.result()
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._keep_trying())

    async def _write_all(self) -> None:
        coming, self._coming = self._coming, []
        try:
            await asyncio.to_thread(self._written, b"".join(_line(entry) for entry, _ in coming))
        except OSError as problem:
            words = f"neither the store nor the outbox takes anything ({problem.strerror}); make room and send it again"
            for _, kept in coming:
                kept.set_exception(Unavailable(words))
        else:
            self._waiting += [entry for entry, _ in coming]
            for _, kept in coming:
                kept.set_result(None)

    async def empty(self, *, within_s: float | None = None) -> bool:
        """Replay what waits; False where the database is still away, or where it takes longer and goes on alone."""
        if self._emptying is None or self._emptying.done():
            self._emptying = asyncio.create_task(self._emptied())
        # Kept in hand: another one may be begun as soon as this has ended.
        emptying = self._emptying
        done, _ = await asyncio.wait({emptying}, timeout=within_s)
        return bool(done) and emptying.result()

    async def _emptied(self) -> bool:
        while self._waiting:
            some = _first_of(self._waiting)
            n = await self._replayed(some)
            async with self._writing:
                del self._waiting[:n]
                if not self._waiting:
                    await asyncio.to_thread(self._wiped)
            if n < len(some):
                return False
        return True

    async def _replayed(self, some: Sequence[Entry]) -> int:
        """Replay them, handed over in their order, and count those before the first that found the database away."""
        became = await asyncio.gather(*map(self._replay, some), return_exceptions=True)
        for n, problem in enumerate(became):
            if isinstance(problem, Unavailable):
                return n
            if problem is not None:
                raise problem
        return len(some)

    async def take_over(self) -> None:
        """Replay the files of processes that are gone; what cannot be replayed now stays where it is."""
        for file in sorted(self._folder.glob("*.log")):
            with file.open("rb") as given:
                try:
                    fcntl.flock(given, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    # Its process lives and will do it.
                    continue
                left = list(_entries(given.read()))
                while left:
                    some = _first_of(left)
                    if await self._replayed(some) < len(some):
                        break
                    del left[: len(some)]
                else:
                    file.unlink()

    async def set_aside(self, told: dict[str, object]) -> None:
        """Keep what the database refused when it was back, for whoever looks into it."""

        def write() -> None:
            with (self._folder / REFUSED).open("ab") as file:
                file.write(_encode(told) + b"\n")
                file.flush()
                os.fsync(file.fileno())

        await asyncio.to_thread(write)

    async def close(self) -> None:
        """Stop trying; what waits stays on disk for the next start."""
        for task in (self._trying, self._emptying):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._file is not None:
            self._file.close()

    async def _keep_trying(self) -> None:
        # Whether a database is back is only known by asking it.
        while not await self.empty():  # noqa: ASYNC110
            await asyncio.sleep(_TRY_EVERY_S)

    def _written(self, line: bytes) -> None:
        file = self._file or self._opened()
        end = file.tell()
        try:
            left = memoryview(line)
            while left:
                # A disk that is nearly full takes a part.
                left = left[file.write(left) :]
            os.fdatasync(file.fileno())
        except OSError:
            # Half a line would hide the next one.
            file.truncate(end)
            file.seek(end)
            raise

    def _wiped(self) -> None:
        # What stays is replayed once more at the next start, and changes nothing.
        if self._file is not None:
            self._file.seek(0)
            with suppress(OSError):
                self._file.truncate()
                os.fsync(self._file.fileno())

    def _opened(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / f"{uuid.uuid4().hex}.log").open("wb", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        # The name too must outlive a power cut.
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        self._file = file
        return file


def _first_of(entries: Sequence[Entry]) -> list[Entry]:
    """The first that make up a batch; one at least."""
    n_rows = 0
    for n, entry in enumerate(entries):
        n_rows += len(entry)
        if n and n_rows > _AT_ONCE:
            return list(entries[:n])
    return list(entries)


def _line(entry: Entry) -> bytes:
    content = _encode(entry)
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _entries(content: bytes) -> Iterator[Entry]:
    """The entries of a file, but for lines that are not what was written."""
    for line in content.split(b"\n"):
        told, _, entry = line.partition(b" ")
        if entry and told == b"%08x" % zlib.crc32(entry):
            yield _decode(entry)
