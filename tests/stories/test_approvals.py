"""A class leaves large jumps and contact with peers to its teacher: nothing of it happens before they say so."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.domain.errors import Unavailable
from serving.storage.approvals import SqlApprovals
from tests.stories.conftest import LEARNER, Clock, recommended

CLASS = "sure-7b"
# Far ahead of what the learner masters.
GOAL = ["m7-alg-2"]


@pytest.fixture
def strict(app: TestClient) -> TestClient:
    """Nothing may build on what is not mastered without the teacher."""
    told = app.put(f"/v1/approvals/settings/{CLASS}", json={"jump": 0, "author": "Ms Berg"})
    assert told.json() == {"class_id": CLASS, "jump": 0, "days": 7}
    return app


def shown(app: TestClient, *, class_id: str | None = CLASS, k: int = 20, **wanted: Any) -> tuple[list[str], list[str]]:
    told = recommended(app, class_id=class_id, k=k, goal=GOAL, **wanted)
    flags = [f["text_teacher"] for f in told["flags"] if f["code"] == "waits_for_approval"]
    return [o["resource_id"] for o in told["slate"]], flags


def waiting(app: TestClient, state: str = "waiting") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = app.get("/v1/approvals", params={"state": state, "limit": 500}).json()["approvals"]
    return found


def test_a_large_jump_is_not_shown_until_the_teacher_approves_it(strict: TestClient) -> None:
    free, _ = shown(strict, class_id="other")
    bound, flags = shown(strict)
    asked = waiting(strict)
    held = {a["subject_id"] for a in asked}
    # What would be shown waits, and only that: whatever takes its place needs nobody's word.
    assert len(held) > 2
    assert held <= set(free) - set(bound)
    assert len(bound) == len(free)
    assert len(flags) == len(held)
    assert all(a["title"] in " ".join(flags) and a["skills"] and a["learner_id"] == LEARNER for a in asked)
    assert all("jump ahead" in a["words"] for a in asked)
    # Asking again puts no question twice.
    assert shown(strict) == (bound, flags)
    assert waiting(strict) == asked
    yes, *others = sorted(asked, key=lambda a: free.index(a["subject_id"]))
    told = strict.post(f"/v1/approvals/{yes['approval_id']}", json={"decision": "approve", "reason": "she can"}).json()
    assert (told["state"], told["reason"]) == ("approved", "she can")
    after, flags = shown(strict)
    assert yes["subject_id"] in after
    assert not {a["subject_id"] for a in others} & set(after)
    assert yes["title"] not in " ".join(flags)
    strict.post(f"/v1/approvals/{yes['approval_id']}", json={"decision": "decline"})
    assert yes["subject_id"] not in shown(strict)[0]
    actions = [e["action"] for e in strict.get("/v1/audit", params={"kind": "approval"}).json()["entries"]]
    assert actions == ["approval.decline", "approval.approve"]


def test_the_batch_says_the_same_and_no_draw_shows_what_waits(strict: TestClient) -> None:
    bound, flags = shown(strict)
    held = {a["subject_id"] for a in waiting(strict)}
    asked = {"class_id": CLASS, "k": 20, "goal": GOAL}
    # The learner was met in no class yet; from then on they are in this one.
    strict.put(f"/v1/learners/{LEARNER}", json={"classes": [CLASS]})
    [one] = strict.post("/v1/recommendations/batch", json=asked).json()["decisions"]
    assert [o["resource_id"] for o in one["slate"]] == bound
    assert [f["text_teacher"] for f in one["flags"] if f["code"] == "waits_for_approval"] == flags
    # Nobody needs to name the class.
    assert shown(strict, class_id=None)[0] == bound
    for seed in range(6):
        drawn, _ = shown(strict, explore=True, seed=seed)
        assert not held & set(drawn)


def test_what_nobody_answers_expires_and_rests_before_it_is_asked_again(strict: TestClient, clock: Clock) -> None:
    shown(strict)
    first = waiting(strict)
    clock.now += timedelta(days=7, minutes=1)
    assert waiting(strict) == []
    assert {a["state"] for a in waiting(strict, "expired")} == {"expired"}
    assert not {a["subject_id"] for a in first} & set(shown(strict)[0])
    asked_again = {a["subject_id"] for a in waiting(strict)} & {a["subject_id"] for a in first}
    assert asked_again == set()
    clock.now += timedelta(days=7)
    shown(strict)
    again = {a["subject_id"]: a for a in waiting(strict)}
    assert set(again) & {a["subject_id"] for a in first}
    # A late yes is a yes.
    late = waiting(strict)[0]
    clock.now += timedelta(days=8)
    strict.post(f"/v1/approvals/{late['approval_id']}", json={"decision": "approve"})
    assert late["subject_id"] in {a["subject_id"] for a in waiting(strict, "approved")}


def test_where_the_class_says_nothing_or_takes_it_back_nothing_waits(app: TestClient) -> None:
    free, flags = shown(app)
    assert (flags, waiting(app)) == ([], [])
    app.put(f"/v1/approvals/settings/{CLASS}", json={"jump": 0})
    assert shown(app)[1]
    app.put(f"/v1/approvals/settings/{CLASS}", json={})
    assert shown(app) == (free, [])
    assert app.get(f"/v1/approvals/settings/{CLASS}").json() == {"class_id": CLASS, "jump": None, "days": 7}


def test_while_nobody_can_say_what_was_approved_nothing_that_waits_is_shown(
    strict: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(strict)
    held = {a["subject_id"] for a in waiting(strict)}
    for one in waiting(strict):
        strict.post(f"/v1/approvals/{one['approval_id']}", json={"decision": "approve"})
    assert held & set(shown(strict)[0])

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("the store did not answer")

    for method in ("standing", "ask", "settings"):
        monkeypatch.setattr(SqlApprovals, method, away)
    slate, flags = shown(strict)
    assert (bool(slate), bool(flags), held & set(slate)) == (True, True, set())


def test_a_preview_shows_what_would_be_shown_and_a_waiver_needs_no_other_word(strict: TestClient) -> None:
    strict.put(f"/v1/learners/{LEARNER}", json={"classes": [CLASS]})
    strict.put(f"/v1/learners/{LEARNER}/goal", json={"skills": GOAL})
    told = recommended(strict, k=20)
    before = [o["resource_id"] for o in told["slate"]]
    held = {a["subject_id"] for a in waiting(strict)}
    assert held
    waive = {"id": "may-jump", "verb": "waive_prerequisite", "scope": {"learner_id": LEARNER}, "what": {}}
    waive["what"] = {"resources": sorted(held)}
    [change] = strict.post("/v1/rules/preview", json={"rule": waive, "k": 20}).json()["changes"]
    assert held & set(change["enters"])
    # A draft that has nothing to do with it brings nothing that waits.
    hide = {"id": "away", "verb": "hide", "scope": {"learner_id": LEARNER}, "what": {"resources": [before[0]]}}
    [other] = strict.post("/v1/rules/preview", json={"rule": hide, "k": 20}).json()["changes"]
    assert (other["leaves"], bool(held & set(other["enters"]))) == ([before[0]], False)
    assert strict.post("/v1/rules", json=waive).status_code == 201
    after = [o["resource_id"] for o in recommended(strict, k=20)["slate"]]
    assert set(after) - set(before) == set(change["enters"])
    assert set(before) - set(after) == set(change["leaves"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/approvals/nothing", {"decision": "approve"}, 404),
        ("/v1/approvals/nothing", {"decision": "perhaps"}, 422),
        ("/v1/approvals/nothing", {}, 422),
    ],
)
def test_slips_are_told(app: TestClient, path: str, body: dict[str, Any], status: int) -> None:
    assert app.post(path, json=body).status_code == status
    assert app.put(f"/v1/approvals/settings/{CLASS}", json={"jump": -1}).status_code == 422
    assert app.get("/v1/approvals", params={"state": "open"}).status_code == 422
    assert app.get("/v1/approvals", params={"cursor": "x"}).status_code == 422


def test_pages_of_questions_hang_together(strict: TestClient) -> None:
    shown(strict)
    whole = [a["approval_id"] for a in waiting(strict)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = strict.get("/v1/approvals", params={"limit": 2, **cursor}).json()
        seen += [a["approval_id"] for a in page["approvals"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(whole) > 2
    assert seen == whole
