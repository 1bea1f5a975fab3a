"""How many may wait for an answer: who cannot be answered in time is sent away at once, class work before others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.domain.errors import Unavailable

# Work for whole classes runs beside the answers, so many at a time; so many more may wait for their turn.
_CLASSES_AT_ONCE, _CLASSES_WAITING = 2, 6
_WORDS = "more is asked of this server than it can answer in time; ask again in a moment"


class Overloaded(Unavailable):
    """Sent away because too many wait."""


class WaitingRoom:
    """Those who wait for a recommendation in this process: at most `most`, none of them longer than `patience_s`."""

    def __init__(self, *, most: int, patience_s: float) -> None:
        self._most = most
        self._patience_s = patience_s
        self._n = 0
        self._n_classes = 0
        self._classes = asyncio.Semaphore(_CLASSES_AT_ONCE)

    @property
    def waiting(self) -> int:
        """How many wait or are being answered."""
        return self._n

    def one(self) -> "_Room":
        """Room for one answer; raises Overloaded where there is none, or it came too late."""
        return _Room(self)

    async def enter(self) -> None:
        """Take room for one answer."""
        if self._n >= self._most:
            raise Overloaded(_WORDS)
        self._n += 1
        began = time.monotonic()
        try:
            # Whoever came meanwhile is counted before anybody is answered: an answer is made in one go.
            await asyncio.sleep(0)
            if time.monotonic() - began > self._patience_s:
                raise Overloaded(_WORDS)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give it back."""
        self._n -= 1

    @asynccontextmanager
    async def a_class(self) -> AsyncIterator[None]:
        """Room for the answers of a whole class; there is none while half of those who may wait for one do."""
        if self._n_classes >= _CLASSES_AT_ONCE + _CLASSES_WAITING or self._n > self._most // 2:
            raise Overloaded(_WORDS)
        self._n_classes += 1
        try:
            async with asyncio.timeout(self._patience_s) as waiting, self._classes:
                waiting.reschedule(None)
                yield
        except TimeoutError:
            raise Overloaded(_WORDS) from None
        finally:
            self._n_classes -= 1


class _Room:
    """The room of one; written out, because every answer goes through it."""

    __slots__ = ("_room",)

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    async def __aenter__(self) -> None:
        await self._room.enter()

    async def __aexit__(self, *_raised: object) -> None:
        self._room.leave()
