"""Rules that a teacher saved, and what they approved, reach peers and groups; nothing is set behind the doors."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import Asking, Clock

CLASS = [f"p{i}" for i in range(6)]
RESOURCES = [
    {"resource_id": f"quiz-{s}", "title": f"Quiz {s}", "format": "exercise", "skills": [s], "minutes": 5}
    for s in ("add", "take")
]


@pytest.fixture
def app(asking: Asking) -> Iterator[TestClient]:
    with asking(None, clock=Clock()) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        client.put("/v1/classes/7b", json={"title": "7b"})
        for x in CLASS:
            client.put(f"/v1/learners/{x}", json={"classes": ["7b"]})
        events = [
            {
                "event_id": f"{x}-{s}-{n}", "learner_id": x, "resource_id": f"quiz-{s}", "kind": "attempted",
                "outcome": float((i + k) % 2),
            }
            for i, x in enumerate(CLASS) for k, s in enumerate(("add", "take")) for n in range(6)
        ]  # fmt: skip
        assert client.post("/v1/events", json={"events": events}).json()["rejected"] == []
        yield client


def peers(app: TestClient, learner_id: str) -> dict[str, str]:
    told: dict[str, Any] = app.post("/v1/collaborators", json={"learner_id": learner_id, "k": 5}).json()
    return {option["learner_id"]: option["approval"] for option in told["options"]}


def save(app: TestClient, **rule: Any) -> None:
    answer = app.post("/v1/rules", json={"scope": {"class_id": "7b"}, **rule})
    assert answer.status_code == 201, answer.text


def test_who_is_kept_apart_by_a_saved_rule_is_neither_offered_nor_grouped(app: TestClient) -> None:
    before = peers(app, "p0")
    assert before
    kept_away = sorted(before)[0]
    save(app, id="not-these", verb="keep_apart", what={"learners": ["p0", kept_away]})
    assert kept_away not in peers(app, "p0")
    for seed in range(3):
        told = app.post(
            "/v1/groups", json={"class_id": "7b", "mode": "random", "size": 3, "seconds": 0.05, "seed": seed}
        )
        assert told.status_code == 200, told.text
        for proposal in told.json()["proposals"]:
            assert not any({"p0", kept_away} <= set(g["learner_ids"]) for g in proposal["groups"])


def test_contact_waits_for_the_teacher_and_happens_once_approved(app: TestClient) -> None:
    save(app, id="ask-me", verb="approve_contact")
    waiting = peers(app, "p0")
    assert set(waiting.values()) == {"waiting"}
    asked = app.get("/v1/approvals", params={"state": "waiting"}).json()["approvals"]
    assert {a["kind"] for a in asked} == {"contact"}
    for question in asked:
        said = app.post(f"/v1/approvals/{question['approval_id']}", json={"decision": "approve"})
        assert said.status_code == 200, said.text
    assert "approved" in set(peers(app, "p0").values())


def decide(app: TestClient, pair: set[str], decision: str) -> None:
    listed = [
        a
        for state in ("waiting", "declined")
        for a in app.get("/v1/approvals", params={"state": state}).json()["approvals"]
    ]
    [one] = [a for a in listed if {a["learner_id"], a["subject_id"]} == pair]
    said = app.post(f"/v1/approvals/{one['approval_id']}", json={"decision": decision})
    assert said.status_code == 200, said.text


def test_whom_the_teacher_declined_is_offered_no_more_and_another_one_is_until_it_is_taken_back(
    app: TestClient,
) -> None:
    save(app, id="ask-me", verb="approve_contact")

    def best() -> dict[str, str]:
        told = app.post("/v1/collaborators", json={"learner_id": "p0", "k": 1}).json()
        return {option["learner_id"]: option["approval"] for option in told["options"]}

    [first] = best()
    [question] = app.get("/v1/approvals", params={"state": "waiting"}).json()["approvals"]
    # Asked for in the class, whose teacher sees it.
    assert question["class_id"] == "7b"
    decide(app, {"p0", first}, "decline")
    [second] = best()
    assert second != first
    assert first not in peers(app, "p0")
    assert "p0" not in peers(app, first)
    decide(app, {"p0", first}, "approve")
    assert peers(app, "p0")[first] == "approved"
    for other in CLASS[1:]:
        with suppress(ValueError):
            decide(app, {"p0", other}, "decline")
    assert set(peers(app, "p0")) == {first}


def test_a_rule_for_a_kept_group_holds_for_its_members_and_follows_the_next_grouping(app: TestClient) -> None:
    def kept(grouping_id: str, *groups: list[str]) -> list[str]:
        body = {"class_id": "7b", "groups": [{"learner_ids": g} for g in groups]}
        told = app.put(f"/v1/groups/{grouping_id}", json=body)
        assert told.status_code == 200, told.text
        return [g["group_id"] for g in told.json()["groups"]]

    def shown(learner_id: str) -> set[str]:
        told = app.post("/v1/recommendations", json={"learner_id": learner_id, "k": 9}).json()
        return {o["resource_id"] for o in told["slate"]}

    one, other = kept("week-1", CLASS[:3], CLASS[3:])
    new = [{"resource_id": f"new-{n}", "title": f"New {n}", "format": "video", "skills": ["add"]} for n in range(3)]
    assert app.put("/v1/resources", json={"resources": [*RESOURCES, *new]}).status_code == 200
    rule = {"id": "not-yet", "verb": "hide", "scope": {"group_id": one}, "what": {"resources": ["new-0"]}}
    preview = app.post("/v1/rules/preview", json={"rule": rule, "k": 9}).json()
    assert {c["learner_id"] for c in preview["changes"]} == set(CLASS[:3])
    save(app, **rule)
    assert [("new-0" in shown(x)) for x in CLASS] == [False] * 3 + [True] * 3
    assert other == "week-1/2"
    # Another grouping takes its place: the group is no more.
    kept("week-2", CLASS)
    assert all("new-0" in shown(x) for x in CLASS)


def test_the_day_of_a_rule_about_people_begins_when_it_does_in_the_school(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILMATE_TIME_ZONE", "Pacific/Auckland")
    # Half past eight in the evening in Greenwich, the next morning in Auckland.
    evening = Clock()
    evening.now = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
    with asking(None, clock=evening) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        client.put("/v1/classes/7b", json={"title": "7b"})
        for x in CLASS[:2]:
            client.put(f"/v1/learners/{x}", json={"classes": ["7b"]})
        assert "p1" in peers(client, "p0")
        save(client, id="apart", verb="keep_apart", what={"learners": CLASS[:2]}, **{"from": "2026-03-03"})
        assert "p1" not in peers(client, "p0")
