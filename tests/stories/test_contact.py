"""Rules that a teacher saved, and what they approved, reach peers and groups; nothing is set behind the doors."""

from collections.abc import Iterator
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
