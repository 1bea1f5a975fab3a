"""Whatever keeps the groups that teachers chose must pass this."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.domain.errors import BadInput
from engine.domain.grouping import Group, Grouping, group_ids_of
from serving.storage.acts import Act, Wanted
from serving.storage.port import Standing
from tests.contracts.test_store import T0, Room, open_room, room, url

__all__ = ["open_room", "room", "url"]

ACT = Act(at=T0, actor="key")
FULL = Grouping(
    grouping_id="week/1 é",
    class_id="7b",
    at=T0,
    groups=(Group(learner_ids=("lena", "Ünal 🎒"), resource_id="r/1", title="A wall"), Group(learner_ids=("kim",))),
    mode="mixed",
    proposed=(("lena", "kim"), ("Ünal 🎒",)),
)


def kept(room: Room, class_id: str = "7b", limit: int = 10) -> list[Grouping]:
    return room.run(room.store.groupings.of_class(room.t, class_id, limit=limit))


def test_a_grouping_comes_back_as_it_went_in_and_is_replaced_by_its_id(room: Room) -> None:
    assert room.run(room.store.groupings.put(room.t, FULL)) is True
    assert kept(room) == [FULL]
    other = replace(FULL, groups=FULL.groups[:1])
    assert room.run(room.store.groupings.put(room.t, other)) is True
    assert kept(room) == [other]


def test_the_id_of_another_classs_grouping_is_refused_and_that_stays(room: Room) -> None:
    room.run(room.store.groupings.put(room.t, FULL))
    assert room.run(room.store.groupings.put(room.t, replace(FULL, class_id="8a"))) is False
    assert (kept(room), kept(room, "8a")) == ([FULL], [])


def test_a_check_sees_what_stands_and_what_it_raises_ends_the_change(room: Room) -> None:
    seen: list[Grouping | None] = []

    def no(stood: Grouping | None) -> None:
        seen.append(stood)
        raise BadInput("no")

    for change in (room.store.groupings.put(room.t, FULL, check=seen.append), room.store.groupings.put(room.t, FULL)):
        assert room.run(change) is True
    before = room.run(room.store.rules.standing(room.t)).version
    for refused in (
        room.store.groupings.put(room.t, replace(FULL, groups=()), act=ACT, check=no),
        room.store.groupings.delete(room.t, FULL.grouping_id, act=ACT, check=no),
    ):
        with pytest.raises(BadInput):
            room.run(refused)
    assert seen == [None, FULL, FULL]
    assert (kept(room), room.run(room.store.rules.standing(room.t)).version) == ([FULL], before)


def test_a_grouping_is_deleted_once_and_every_server_notices(room: Room) -> None:
    room.run(room.store.groupings.put(room.t, FULL, act=ACT))
    before = room.run(room.store.rules.standing(room.t))
    assert room.run(room.store.groupings.delete(room.u, FULL.grouping_id, act=ACT)) is None
    assert room.run(room.store.groupings.delete(room.t, FULL.grouping_id, act=ACT)) == FULL
    after = room.run(room.store.rules.standing(room.t))
    assert (kept(room), after.groupings, after.version > before.version) == ([], (), True)
    assert room.run(room.store.groupings.delete(room.t, FULL.grouping_id, act=ACT)) is None
    wanted = Wanted(kind="grouping", learner_id="kim")
    told = room.run(room.store.audit.entries(room.t, wanted, before=None, limit=9))
    assert [(e.action, e.content.after is None) for e in told] == [("grouping.delete", True), ("grouping.put", False)]


def test_the_newest_come_first_and_those_of_one_moment_by_id(room: Room) -> None:
    told = [
        replace(FULL, grouping_id=x, at=T0 + timedelta(days=d)) for x, d in (("b", 1), ("a", 1), ("old", 0), ("new", 2))
    ]
    for grouping in told:
        room.run(room.store.groupings.put(room.t, grouping))
    assert [g.grouping_id for g in kept(room)] == ["new", "a", "b", "old"]
    assert [g.grouping_id for g in kept(room, limit=2)] == ["new", "a"]


def test_groups_stand_with_the_rules_and_count_as_a_change_of_them(room: Room) -> None:
    def standing() -> Standing:
        found: Standing = room.run(room.store.rules.standing(room.t))
        return found

    first = standing().version
    named = replace(FULL, groups=(replace(FULL.groups[0], group_id="red"), FULL.groups[1]))
    room.run(room.store.groupings.put(room.t, named))
    assert (standing().version > first, standing().groupings) == (True, (named,))
    assert group_ids_of(named) == ("red", "week/1 é/2")
    many = [replace(FULL, grouping_id=f"w{n:02d}", class_id="8a", at=T0 + timedelta(days=n)) for n in range(14)]
    for grouping in many:
        room.run(room.store.groupings.put(room.t, grouping))
    of_class = [g for g in standing().groupings if g.class_id == "8a"]
    assert of_class == many[:1:-1]
    before = standing().version
    room.run(room.store.groupings.forget(room.t, "lena"))
    assert standing().version > before


def test_a_group_keeps_its_name_when_another_is_emptied(room: Room) -> None:
    groups = (Group(learner_ids=("kim",)), Group(learner_ids=("lena", "mo")))
    room.run(room.store.groupings.put(room.t, replace(FULL, grouping_id="w", groups=groups, proposed=())))
    room.run(room.store.groupings.forget(room.t, "kim"))
    [after] = kept(room)
    assert (group_ids_of(after), after.groups[0].learner_ids) == (("w/2",), ("lena", "mo"))


def test_one_schools_groups_are_nothing_to_another(room: Room) -> None:
    room.run(room.store.groupings.put(room.t, FULL))
    assert room.run(room.store.groupings.of_class(room.u, "7b", limit=10)) == []


def test_who_is_forgotten_stands_in_no_grouping(room: Room) -> None:
    room.run(room.store.groupings.put(room.t, FULL))
    room.run(
        room.store.groupings.put(
            room.t, replace(FULL, grouping_id="w2", groups=(Group(learner_ids=("len",)),), proposed=())
        )
    )
    room.run(room.store.groupings.put(room.u, FULL))
    assert room.run(room.store.groupings.forget(room.t, "kim")) == 1
    [after] = [g for g in kept(room) if g.grouping_id == FULL.grouping_id]
    assert [g.learner_ids for g in after.groups] == [("lena", "Ünal 🎒")]
    assert after.proposed == (("lena",), ("Ünal 🎒",))
    assert room.run(room.store.groupings.forget(room.t, "kim")) == 0
    assert room.run(room.store.groupings.of_class(room.u, "7b", limit=1)) == [FULL]
