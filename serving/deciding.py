"""Decisions that go together: whoever asks in the same turn of the loop is decided for in one pass."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass

from engine.domain.decision import Decision
from engine.recommender import TOGETHER, Ask, Asked, Recommender, asked_of, decided


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request's asks, and who waits for their decisions."""

    asked: list[Asked]
    recommender: Recommender
    told: "asyncio.Future[list[Decision]]"


class Deciding:
    """Decides on the loop, for several at once: what is known of resources is read once for all of them.

    Nobody waits for others to come; what is kept of a learner is told at once.
    """

    def __init__(self) -> None:
        self._waiting: list[_Turn] = []

    async def decisions(self, asks: Sequence[Ask], recommender: Recommender) -> list[Decision]:
        """The decision for each of these, as the engine makes it for them alone; raises as it does."""
        asked = [asked_of(ask, recommender) for ask in asks]
        if all(one.is_kept for one in asked):
            return decided(asked, recommender)
        loop = asyncio.get_running_loop()
        turn = _Turn(asked, recommender, loop.create_future())
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            self._soon(loop)
        return await turn.told

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        # In a context of its own: it decides for many, and is part of no request.
        loop.call_soon(self._decide, context=Context())

    def _decide(self) -> None:
        """Decide for the first of those who wait; the others have the next turn, so that the loop goes on between."""
        recommender = self._waiting[0].recommender
        some: list[_Turn] = []
        later: list[_Turn] = []
        n_asked = 0
        for turn in self._waiting:
            goes = turn.recommender is recommender and n_asked < TOGETHER
            (some if goes else later).append(turn)
            n_asked += len(turn.asked) if goes else 0
        self._waiting = later
        if later:
            self._soon(asyncio.get_running_loop())
        _decide_for([turn for turn in some if not turn.told.done()], recommender)


def _decide_for(turns: list[_Turn], recommender: Recommender) -> None:
    try:
        made = iter(decided([one for turn in turns for one in turn.asked], recommender))
    except Exception as problem:
        if len(turns) == 1:
            turns[0].told.set_exception(problem)
            return
        # What is wrong with one shall be nobody else's.
        for turn in turns:
            _decide_for([turn], recommender)
        return
    for turn in turns:
        turn.told.set_result([next(made) for _ in turn.asked])
