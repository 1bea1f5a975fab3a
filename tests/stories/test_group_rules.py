"""A group has one name: rules for it hold for who is in it now, and who is locked in it stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import Asking, Clock

CLASS = [f"p{i}" for i in range(8)]
FIRST, SECOND = CLASS[:4], CLASS[4:]
RESOURCES = [{"resource_id": f"r{n}", "title": f"R {n}", "format": "exercise", "skills": ["s"]} for n in range(4)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(asking: Asking, clock: Clock) -> Iterator[TestClient]:
    with asking(None, clock=clock) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        for x in CLASS:
            client.put(f"/v1/learners/{x}", json={"classes": ["7b"]})
        yield client


def keep(app: TestClient, grouping_id: str, *groups: Any, **more: Any) -> list[str]:
    """Keep groups of a class, each as its members or as it is told; the names they have then."""
    told = [g if isinstance(g, dict) else {"learner_ids": g} for g in groups]
    kept = app.put(f"/v1/groups/{grouping_id}", json={"class_id": "7b", "groups": told, **more})
    assert kept.status_code == 200, kept.text
    return [g["group_id"] for g in kept.json()["groups"]]


def save(app: TestClient, rule_id: str, verb: str, scope: dict[str, str], **rule: Any) -> None:
    answer = app.post("/v1/rules", json={"id": rule_id, "verb": verb, "scope": scope, **rule})
    assert answer.status_code == 201, answer.text


def has(app: TestClient, learner_id: str, resource_id: str = "r0") -> bool:
    told = app.post("/v1/recommendations", json={"learner_id": learner_id, "k": 10}).json()
    return resource_id in [o["resource_id"] for o in told["slate"]]


def under(app: TestClient) -> list[str]:
    """Whom r0 is hidden from."""
    return [x for x in CLASS if not has(app, x)]


def hide(app: TestClient, group_id: str) -> None:
    save(app, "not-this", "hide", {"group_id": group_id}, what={"resources": ["r0"]})


def test_a_rule_for_a_kept_group_holds_for_its_members(app: TestClient) -> None:
    names = keep(app, "week-1", FIRST, SECOND)
    assert names == ["week-1/1", "week-1/2"]
    assert [g["group_id"] for g in app.get("/v1/groups", params={"class_id": "7b"}).json()["groupings"][0]["groups"]]
    hide(app, names[1])
    assert under(app) == SECOND
    # Of a whole class at once, too.
    told = app.post("/v1/recommendations/batch", json={"class_id": "7b", "k": 10}).json()["decisions"]
    assert [d["learner_id"] for d in told if "r0" not in [o["resource_id"] for o in d["slate"]]] == SECOND


def test_who_is_moved_is_under_the_rules_of_the_new_group_at_once(app: TestClient, clock: Clock) -> None:
    keep(app, "week-1", FIRST, SECOND)
    hide(app, "week-1/2")
    moved = [[*FIRST, "p4"], SECOND[1:]]
    keep(app, "week-1", *moved)
    assert under(app) == SECOND[1:]
    # Groups of the next week have other names, unless the school gives them names of its own.
    clock.now += timedelta(days=7)
    keep(app, "week-2", FIRST, SECOND)
    assert under(app) == []


def test_a_group_keeps_a_name_of_its_own_from_week_to_week(app: TestClient, clock: Clock) -> None:
    red, blue = ({"learner_ids": g, "group_id": name} for g, name in ((FIRST, "red"), (SECOND, "blue")))
    assert keep(app, "week-1", red, blue) == ["red", "blue"]
    hide(app, "red")
    assert under(app) == FIRST
    clock.now += timedelta(days=7)
    keep(app, "week-2", {**red, "learner_ids": SECOND}, {**blue, "learner_ids": FIRST})
    assert under(app) == SECOND
    same = app.put("/v1/groups/w", json={"class_id": "7b", "groups": [red, {**blue, "group_id": "red"}]})
    assert (same.status_code, "group_id" in same.json()["detail"]) == (422, True)


def test_groups_planned_ahead_hold_from_their_time_on(app: TestClient, clock: Clock) -> None:
    keep(app, "week-1", FIRST, SECOND)
    ahead = (clock.now + timedelta(days=7)).isoformat()
    keep(app, "week-2", SECOND, FIRST, at=ahead)
    hide(app, "week-2/1")
    assert under(app) == []
    clock.now += timedelta(days=7)
    assert under(app) == SECOND


def test_events_name_groups_where_none_was_kept_and_never_put_anybody_into_a_kept_one(app: TestClient) -> None:
    def tell(learner_id: str, group_id: str) -> None:
        event = {"event_id": f"{learner_id}-{group_id}", "learner_id": learner_id, "resource_id": "r1"}
        event |= {"kind": "viewed", "class_id": "7b", "group_id": group_id}
        assert app.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1

    hide(app, "lab")
    tell("p0", "lab")
    assert under(app) == ["p0"]
    keep(app, "week-1", FIRST, SECOND)
    # A name that is none of the kept ones still counts.
    assert under(app) == ["p0"]
    save(app, "nor-this", "hide", {"group_id": "week-1/2"}, what={"resources": ["r2"]})
    tell("p1", "week-1/2")
    assert [x for x in CLASS if not has(app, x, "r2")] == SECOND


def test_who_is_locked_stays_and_the_rest_is_grouped_again(app: TestClient) -> None:
    keep(app, "week-1", FIRST, SECOND)
    save(app, "stay", "lock", {"class_id": "7b"}, what={"learners": ["p4", "p5"]})
    save(app, "stay-too", "lock", {"group_id": "week-1/1"}, what={"learners": ["p0"]})
    seen = set()
    for seed in range(4):
        asked = {"class_id": "7b", "mode": "random", "size": 4, "seconds": 0.05, "seed": seed}
        told = app.post("/v1/groups", json=asked)
        assert told.status_code == 200, told.text
        for proposal in told.json()["proposals"]:
            groups = {g["group"]: g["learner_ids"] for g in proposal["groups"]}
            assert {"p4", "p5"} <= set(groups[2])
            assert "p0" in groups[1]
            seen.add(tuple(groups[2]))
        locks = [r for r in told.json()["proposals"][0]["rules"] if r["verb"] == "lock"]
        assert {(tuple(r["learners"]), r["rule_ids"][0]) for r in locks} == {
            (("p4", "p5"), "stay"),
            (("p0",), "stay-too"),
        }
    assert len(seen) > 1


def test_what_groups_may_do_is_previewed_for_those_who_are_in_them(app: TestClient) -> None:
    keep(app, "week-1", FIRST, SECOND)
    draft = {"id": "d", "verb": "hide", "scope": {"group_id": "week-1/2"}, "what": {"resources": ["r0"]}}
    changes = app.post("/v1/rules/preview", json={"rule": draft, "k": 10}).json()["changes"]
    assert [c["learner_id"] for c in changes] == SECOND


def test_a_teacher_reads_who_is_meant_and_an_error_does_not(app: TestClient) -> None:
    save(app, "apart", "keep_apart", {"class_id": "7b"}, what={"learners": ["p0", "p1"]})
    assert app.get("/v1/rules/apart").json()["says"] == "keep p0, p1 apart for class 7b"
    told = app.post(
        "/v1/rules",
        json={"id": "t", "verb": "keep_together", "scope": {"class_id": "7b"}, "what": {"learners": ["p0", "p1"]}},
    )
    assert (told.status_code, "p0" in told.text, "“apart”" in told.text) == (409, False, True)
