"""Rules that a teacher saved, and what they approved, reach peers and groups; nothing is set behind the doors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.storage.approvals import SqlApprovals
from tests.stories.conftest import Asking, Clock

CLASS = [f"p{i}" for i in range(6)]
RESOURCES = [
    {"resource_id": f"quiz-{s}", "title": f"Quiz {s}", "format": "exercise", "skills": [s], "minutes": 5}
    for s in ("add", "take")
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(asking: Asking, clock: Clock) -> Iterator[TestClient]:
    with asking(None, clock=clock) as client:
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


def peers(app: TestClient, learner_id: str, k: int = 5) -> dict[str, str]:
    told: dict[str, Any] = app.post("/v1/collaborators", json={"learner_id": learner_id, "k": k}).json()
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


def questions(app: TestClient, **wanted: str) -> dict[str, dict[str, Any]]:
    """The questions about contact, by the other learner than p0."""
    asked = app.get("/v1/approvals", params=wanted).json()["approvals"]
    assert {a["kind"] for a in asked} <= {"contact"}
    return {({a["learner_id"], a["subject_id"]} - {"p0"}).pop(): a for a in asked}


def decide(app: TestClient, question: dict[str, Any], decision: str) -> None:
    said = app.post(f"/v1/approvals/{question['approval_id']}", json={"decision": decision})
    assert said.status_code == 200, said.text


def test_contact_waits_for_the_teacher_and_happens_once_approved(app: TestClient) -> None:
    save(app, id="ask-me", verb="approve_contact")
    waiting = peers(app, "p0", k=3)
    assert set(waiting.values()) == {"waiting"}
    asked = questions(app, state="waiting")
    assert set(asked) == set(waiting)
    for question in asked.values():
        decide(app, question, "approve")
    assert peers(app, "p0", k=3) == dict.fromkeys(waiting, "approved")
    # Both ways are one question.
    first = next(iter(waiting))
    assert peers(app, first).get("p0", "approved") == "approved"


def test_the_teacher_is_asked_about_the_first_three_and_the_others_say_that_nobody_was(app: TestClient) -> None:
    def asked() -> list[tuple[str, str, bool]]:
        told = app.post("/v1/collaborators", json={"learner_id": "p0", "k": 5}).json()["options"]
        return [(o["learner_id"], o["approval"], o["asked"]) for o in told]

    assert {(approval, was) for _, approval, was in asked()} == {("not_needed", False)}
    save(app, id="ask-me", verb="approve_contact")
    first = asked()
    assert [(approval, was) for _, approval, was in first] == [("waiting", True)] * 3 + [("waiting", False)] * 2
    waiting = questions(app, state="waiting")
    assert set(waiting) == {x for x, *_ in first[:3]}
    # Asking again asks nothing more; whoever is declined makes room for the next one.
    assert asked() == first
    assert set(questions(app, state="waiting")) == set(waiting)
    decide(app, waiting[first[0][0]], "decline")
    decide(app, waiting[first[1][0]], "approve")
    later = {x: (approval, was) for x, approval, was in asked()}
    assert later[first[1][0]] == ("approved", True)
    assert later[first[3][0]] == ("waiting", True)
    assert first[0][0] not in later


def test_a_question_is_one_of_the_class_by_the_clock_of_the_house(app: TestClient, clock: Clock) -> None:
    save(app, id="ask-me", verb="approve_contact")
    app.put("/v1/approvals/settings/7b", json={"days": 2})
    now = clock.now
    assert peers(app, "p0")
    asked = questions(app, class_id="7b")
    assert asked
    for question in asked.values():
        at, until = (datetime.fromisoformat(question[x]) for x in ("asked_at", "until"))
        assert now < at < now + timedelta(minutes=1)
        assert until - at == timedelta(days=2)


def test_whoever_was_declined_is_not_offered_but_somebody_else_until_that_is_undone(app: TestClient) -> None:
    save(app, id="ask-me", verb="approve_contact")
    body = {"learner_id": "p0", "k": 1}
    [first] = app.post("/v1/collaborators", json=body).json()["options"]
    declined = first["learner_id"]
    question = questions(app)[declined]
    decide(app, question, "decline")
    [second] = app.post("/v1/collaborators", json=body).json()["options"]
    assert (second["learner_id"] != declined, second["approval"]) == (True, "waiting")
    assert declined not in peers(app, "p0")
    assert "p0" not in peers(app, declined)
    # Nor does it begin to happen because nothing waits for a word any more.
    assert app.delete("/v1/rules/ask-me", headers={"If-Match": "*"}).status_code in (200, 204)
    told = peers(app, "p0")
    assert (set(told.values()), declined in told) == ({"not_needed"}, False)
    decide(app, question, "approve")
    assert declined in peers(app, "p0")


def test_a_question_that_ran_out_is_a_no_until_it_has_rested(app: TestClient, clock: Clock) -> None:
    save(app, id="ask-me", verb="approve_contact")
    first = peers(app, "p0", k=3)
    assert len(first) == 3
    clock.now += timedelta(days=8)
    others = peers(app, "p0")
    assert set(others) == set(CLASS) - {"p0", *first}
    # The questions about the others came later, and stand still when the first have rested.
    clock.now += timedelta(days=6, hours=12)
    assert peers(app, "p0") == first | others
    assert len(questions(app, state="waiting")) >= 3


def test_what_was_said_is_looked_up_once_however_many_peers_there_are(
    app: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(app, id="ask-me", verb="approve_contact")
    looked: list[str] = []
    for name in ("of_contact", "standing"):
        real = getattr(SqlApprovals, name)

        async def counted(*given: Any, _real: Any = real, _name: str = name, **more: Any) -> Any:
            looked.append(_name)
            return await _real(*given, **more)

        monkeypatch.setattr(SqlApprovals, name, counted)
    assert len(peers(app, "p0")) == len(CLASS) - 1
    assert looked == ["of_contact"]


def test_days_of_rules_about_people_begin_where_the_school_is(asking: Asking) -> None:
    clock = Clock(datetime(2025, 6, 2, 2, tzinfo=UTC))
    with asking(None, clock=clock, time_zone="Pacific/Auckland") as app:
        for x in CLASS:
            app.put(f"/v1/learners/{x}", json={"classes": ["7b"]})
        save(app, id="apart", verb="keep_apart", what={"learners": ["p0", "p1"]}, **{"from": "2025-06-03"})
        save(app, id="once", verb="keep_apart", what={"learners": ["p0", "p2"]}, until="2025-06-02")
        # In Auckland it is the 3rd already.
        clock.now = datetime(2025, 6, 2, 20, tzinfo=UTC)
        told = peers(app, "p0")
        assert ("p1" in told, "p2" in told) == (False, True)
        groups = {"class_id": "7b", "mode": "random", "size": 3, "seconds": 0.05}
        rules = app.post("/v1/groups", json=groups).json()["proposals"][0]["rules"]
        assert [r["rule_ids"] for r in rules if r["origin"] == "rule"] == [["apart"]]
