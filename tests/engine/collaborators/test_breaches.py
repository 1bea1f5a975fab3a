"""Which hard rules a teacher's groups break: only hard ones, only among those who are in a group, told as places."""

from datetime import UTC, datetime
from typing import Any

from engine.collaborators.breaches import Breach, breaches_of
from engine.domain.grouping import Group, Grouping
from engine.rules.people import Company, Limit, Lock, Pair, People

NOBODY: dict[str, Any] = {
    "apart": (), "together": (), "locks": (), "company": (), "size": None, "helping": {}, "approval": {},
    "conflict": (),
}  # fmt: skip
CHOSEN = Grouping(
    grouping_id="w",
    class_id="7b",
    at=datetime(2026, 9, 15, tzinfo=UTC),
    groups=tuple(Group(learner_ids=ids) for ids in (("a", "b", "c"), ("d", "e"), ("f",))),
)


def broken(numbers: dict[str, int] | None = None, **rules: Any) -> list[Breach]:
    return breaches_of(CHOSEN, People(**{**NOBODY, **rules}), numbers or {})


def pair(one: str, other: str, *, hard: bool = True) -> Pair:
    return Pair(learners=(one, other), hard=hard, rule_ids=("r",))


def test_pairs_are_broken_where_they_meet_or_are_parted() -> None:
    apart = (pair("a", "b"), pair("a", "d"), pair("b", "c", hard=False), pair("a", "gone"))
    assert broken(apart=apart) == [Breach("keep_apart", (0,), ("r",))]
    together = (pair("a", "d"), pair("d", "e"), pair("a", "f", hard=False), pair("a", "gone"))
    assert broken(together=together) == [Breach("keep_together", (0, 1), ("r",))]


def test_who_is_locked_may_be_in_the_group_of_that_name_or_of_its_number() -> None:
    def lock(who: str, group: str) -> Lock:
        return Lock(learner_id=who, group_id=group, hard=True, rule_id="r")

    assert broken(locks=(lock("a", "w/1"), lock("gone", "w/1"))) == []
    assert broken({"before/2": 2}, locks=(lock("d", "before/2"),)) == []
    assert broken({"before/2": 2}, locks=(lock("a", "before/2"),)) == [Breach("lock", (0,), ("r",))]


def test_one_alone_and_a_size_out_of_bounds_are_told_by_group() -> None:
    def company(*learners: str, hard: bool = True) -> Company:
        return Company(learners=learners, hard=hard, rule_id="r")

    assert broken(company=(company("a", "b", "d", "gone"),)) == [Breach("no_one_alone", (1,), ("r",))]
    assert broken(company=(company(),)) == [Breach("no_one_alone", (2,), ("r",))]
    assert broken(company=(company("d", hard=False), company("a", "b"))) == []
    size = Limit(low=2, high=2, hard=True, rule_ids=("s",))
    assert broken(size=size) == [Breach("group_size", (0, 2), ("s",))]
