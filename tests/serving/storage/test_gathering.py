"""Looks that go together: fewer of them, and nobody gets what was looked at before they asked."""

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage.gathering import GatheredLooks
from serving.storage.port import LearnerContext


def known_of(learner_id: str, n: int = 1) -> LearnerContext:
    events = [
        Interaction(event_id=f"{learner_id}{i}", learner_id=learner_id, kind="viewed", source="app") for i in range(n)
    ]
    return LearnerContext(
        learner=None, interactions=events, arrived=list(range(1, n + 1)), state=None, classes={}, seq=n,
        catalogue_version=0, rules_version=0,
    )  # fmt: skip


class Far:
    """A database far away: each look takes its time, and tells of the moment it began."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, frozenset[str], str | None]] = []
        self.seq = 0
        self.is_away = False

    async def look(
        self, tenant: str, known: Mapping[str, LearnerContext], class_id: str | None
    ) -> dict[str, LearnerContext]:
        self.looks.append((tenant, frozenset(known), class_id))
        seq, is_away = self.seq, self.is_away
        await asyncio.sleep(0.01)
        if is_away:
            raise Unavailable("the store did not answer")
        return {x: replace(context, seq=seq) for x, context in known.items()}


def test_who_asks_while_one_is_on_its_way_shares_the_next() -> None:
    async def ask() -> None:
        far = Far()
        looks = GatheredLooks(far.look)
        first = asyncio.create_task(looks.contexts("school", {"l0": known_of("l0")}, None))
        await asyncio.sleep(0.002)
        others = [looks.contexts("school", {f"l{i}": known_of(f"l{i}")}, None) for i in range(1, 20)]
        found = [await first, *await asyncio.gather(*others)]
        assert [list(one) for one in found] == [[f"l{i}"] for i in range(20)]
        assert far.looks == [
            ("school", frozenset({"l0"}), None),
            ("school", frozenset(f"l{i}" for i in range(1, 20)), None),
        ]

    asyncio.run(ask())


def test_nobody_gets_what_was_looked_at_before_they_asked() -> None:
    async def ask() -> None:
        far = Far()
        looks = GatheredLooks(far.look)

        async def tell_and_ask(after_s: float) -> bool:
            await asyncio.sleep(after_s)
            far.seq += 1
            told = far.seq
            found = await looks.contexts("school", {"lena": known_of("lena")}, None)
            return found["lena"].seq >= told

        assert all(await asyncio.gather(*(tell_and_ask(0.001 * i) for i in range(50))))
        assert len(far.looks) < 25

    asyncio.run(ask())


def test_schools_and_classes_are_looked_at_apart_and_who_knows_more_is_continued() -> None:
    async def ask() -> None:
        far = Far()
        looks = GatheredLooks(far.look)
        short, long = known_of("lena", 1), known_of("lena", 3)
        same = [looks.contexts("a", {"lena": one}, None) for one in (short, long, short)]
        apart = [looks.contexts("b", {"lena": short}, None), looks.contexts("a", {"lena": short}, "7b")]
        found = await asyncio.gather(*same, *apart)
        assert [len(one["lena"].arrived) for one in found] == [3, 3, 3, 1, 1]
        assert sorted(map(repr, far.looks)) == sorted(
            repr(x)
            for x in [
                ("a", frozenset({"lena"}), None),
                ("b", frozenset({"lena"}), None),
                ("a", frozenset({"lena"}), "7b"),
            ]
        )

    asyncio.run(ask())


def test_a_failure_is_told_to_all_who_share_it_and_to_nobody_after() -> None:
    async def ask() -> None:
        far = Far()
        looks = GatheredLooks(far.look)
        far.is_away = True
        asking = [looks.contexts("school", {f"l{i}": known_of(f"l{i}")}, None) for i in range(3)]
        assert {type(x) for x in await asyncio.gather(*asking, return_exceptions=True)} == {Unavailable}
        far.is_away = False
        assert list(await looks.contexts("school", {"l0": known_of("l0")}, None)) == ["l0"]

    asyncio.run(ask())


def test_who_has_gone_takes_nobody_along() -> None:
    async def ask() -> None:
        far = Far()
        looks = GatheredLooks(far.look)
        gone = asyncio.create_task(looks.contexts("school", {"l0": known_of("l0")}, None))
        stays = asyncio.create_task(looks.contexts("school", {"l1": known_of("l1")}, None))
        await asyncio.sleep(0.002)
        gone.cancel()
        assert list(await stays) == ["l1"]
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(ask())
