"""A brief look at a learner at hand finds what the whole look finds, whatever happened meanwhile."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from serving.storage.contexts import look_briefly, look_up
from serving.storage.glance import Glance
from serving.storage.opening import open_store
from serving.storage.port import LearnerContext, Store

NOW = datetime(2026, 9, 1, tzinfo=UTC)
Deed = Callable[[Store], Awaitable[object]]


def viewed(event_id: str, learner_id: str = "kim") -> Interaction:
    return Interaction(event_id=event_id, learner_id=learner_id, kind="viewed", source="t", resource_id="r", at=NOW)


def in_classes(*classes: str) -> Learner:
    return Learner(learner_id="kim", classes=classes, features=("f",))


STILL: dict[str, Deed] = {
    "nothing": lambda _: asyncio.sleep(0),
    "somebody else's event": lambda store: store.events.append("school", [viewed("e9", "lena")], stamp=NOW),
    "another tenant's event": lambda store: store.events.append("other", [viewed("e9")], stamp=NOW),
    "another feature": lambda store: store.people.put_learners("school", [Learner(learner_id="kim", classes=("7b",))]),
    "another title": lambda store: store.people.put_classes("school", [SchoolClass(class_id="7b", title="Ünits “2”")]),
    "a class that is asked for": lambda store: store.people.put_classes("school", [SchoolClass(class_id="9c")]),
    "a catalogue": lambda store: store.catalogue.put_resources("school", [Resource(resource_id="r", title="R")]),
}
MORE: dict[str, Deed] = {
    "an event": lambda store: store.events.append("school", [viewed("e2")], stamp=NOW),
    "another class": lambda store: store.people.put_learners("school", [in_classes("7b", "8a")]),
}


@pytest.mark.parametrize("class_id", [None, "7b", "9c"])
@pytest.mark.parametrize("deed", [*STILL, *MORE])
def test_a_brief_look_finds_what_the_whole_look_finds(tmp_path: Path, deed: str, class_id: str | None) -> None:
    brief, whole = asyncio.run(_both(tmp_path, (STILL | MORE)[deed], class_id))
    assert (brief is None) == (deed in MORE)
    assert brief is None or brief == whole


def test_where_the_last_event_is_gone_or_another_stands_in_its_place_all_is_looked_at(tmp_path: Path) -> None:
    for change in (
        "DELETE FROM interactions WHERE event_id = 'e1'",
        "UPDATE interactions SET event_id = 'other' WHERE event_id = 'e1'",
    ):
        place = tmp_path / change[:6]
        place.mkdir()

        async def deed(_: Store, place: Path = place, change: str = change) -> None:
            with sqlite3.connect(place / "store.db") as connection:
                connection.execute(change)

        brief, whole = asyncio.run(_both(place, deed, None))
        assert brief is None
        assert [e.event_id for e in whole.interactions][-1] != "e1"


async def _both(place: Path, deed: Deed, class_id: str | None) -> tuple[LearnerContext | None, LearnerContext]:
    async with open_store(f"sqlite+aiosqlite:///{place / 'store.db'}") as store:
        await store.people.put_learners("school", [in_classes("7b")])
        await store.people.put_classes("school", [SchoolClass(class_id="7b", course_id="math")])
        await store.events.append("school", [viewed("e0"), viewed("e1")], stamp=NOW)
        before = await store.events.context("school", "kim", class_id)
        await deed(store)
        glance = Glance(str(place / "store.db"))
        look = partial(look_briefly, tenant="school", learner_id="kim", before=before, class_id=class_id)
        brief = glance.at(look)
        whole = glance.at(partial(look_up, tenant="school", known={"kim": before}, class_id=class_id))
        glance.close()
        assert whole is not None
        return brief, whole["kim"]
