"""A request waits a moment for the events it wants to have seen, and makes do with less where the store is away."""

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.ladder import reach, recorded
from serving.storage.port import LearnerContext

EVENT = Interaction(event_id="e", learner_id="lena", kind="viewed", source="t", resource_id="r")
LENA = LearnerContext(
    learner=None, interactions=[EVENT], arrived=[3], state=None, classes={}, seq=3, catalogue_version=1
)


class Events:
    """Sees one event more each time it is asked; or is away, and remembers."""

    def __init__(self, *, is_away: bool = False, moves: bool = True) -> None:
        self.is_away, self.moves, self.asked = is_away, moves, 0

    async def contexts(self, _: str, learner_ids: list[str], __: str | None) -> dict[str, LearnerContext]:
        self.asked += 1
        if self.is_away:
            raise Unavailable("the store did not answer; check it")
        return {x: replace(LENA, seq=LENA.seq + self.asked * self.moves) for x in learner_ids}

    async def remembered(self, _: str, learner_ids: list[str]) -> dict[str, LearnerContext | None]:
        return {x: LENA if x == "lena" else None for x in learner_ids}


class Standing:
    def __init__(self, **ports: Any) -> None:
        self.__dict__.update(ports)


def reached(events: Events, at_least: int, *learner_ids: str) -> Any:
    return asyncio.run(reach("t", learner_ids, None, at_least=at_least, store=Standing(events=events)))


def test_what_is_wanted_is_waited_for_and_no_longer_than_needed() -> None:
    events = Events()
    assert (reached(events, 6, "lena").seq, events.asked) == (6, 3)
    assert (reached(Events(), 0, "lena").seq, reached(Events(), 0).seq) == (4, 0)


def test_what_never_comes_is_not_waited_for_longer_than_a_tenth_of_a_second() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="seen_token"):
        reached(Events(moves=False), 4, "lena")
    assert 0.1 <= time.monotonic() - began < 1


def test_where_the_store_is_away_what_was_last_known_is_taken_unless_more_is_wanted() -> None:
    found = reached(Events(is_away=True), 3, "lena", "stranger")
    assert (found.is_away, found.contexts["lena"], found.seq) == (True, LENA, 3)
    assert list(found.contexts["stranger"].interactions) == []
    with pytest.raises(Unavailable, match="seen_token"):
        reached(Events(is_away=True), 4, "lena")


def test_only_a_store_that_is_away_may_leave_a_decision_unrecorded() -> None:
    class Decisions:
        def __init__(self, problem: Exception | None) -> None:
            self.problem = problem

        async def record(self, *_: object) -> None:
            if self.problem:
                raise self.problem

    def told(problem: Exception | None) -> bool:
        return asyncio.run(recorded([], [], tenant="t", store=Standing(decisions=Decisions(problem))))

    assert (told(None), told(Unavailable("the store is away; wait"))) == (True, False)
    with pytest.raises(ZeroDivisionError):
        told(ZeroDivisionError())
