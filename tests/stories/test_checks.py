"""A check falls on what can be answered, a sentence on an answer is said of what can be answered, films stay films."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.path import CHECKABLE
from serving.voices import WAITS
from tests.stories.conftest import Clock, recommended

SKILL, TITLE = "m7-frac-2", "Adding and subtracting fractions"
# In the school of these stories nobody ever answers anything in them.
SILENT = {"reading", "video", "discussion"}


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    return {**school_told, "events": []}


def know(app: TestClient, skill: str) -> dict[str, Any]:
    answer = app.post("/v1/learners/kim/voice", json={"voice": "know_it", "skills": [skill]})
    assert answer.status_code == 200, answer.text
    heard: dict[str, Any] = answer.json()
    return heard


def codes(option: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in option["reasons"]}


def test_a_promised_check_falls_on_what_is_answered_and_on_nothing_else(app: TestClient, told: dict[str, Any]) -> None:
    teaching = {r["resource_id"]: r["format"] for r in told["resources"] if SKILL in r.get("skills", ())}
    assert set(teaching.values()) & SILENT
    heard = know(app, SKILL)
    assert heard["message"] is None
    slate = recommended(app, "kim")["slate"]
    checked = {o["resource_id"] for o in slate if "check" in codes(o)}
    assert checked == {x for x, name in teaching.items() if name not in SILENT}
    assert slate[0]["resource_id"] in checked


def test_where_nothing_is_ever_answered_the_check_waits_and_says_so(app: TestClient, told: dict[str, Any]) -> None:
    films = [r for r in told["resources"] if SKILL not in r.get("skills", ()) or r["format"] in SILENT]
    app.put("/v1/resources", json={"resources": films})
    heard = know(app, SKILL)
    assert [c["skill_id"] for c in heard["checks"]] == [SKILL]
    assert heard["message"] == WAITS.format(skills=TITLE)
    assert not any("check" in codes(o) for o in recommended(app, "kim")["slate"])
    # A quiz that is new to everybody may be answered: the check is there at once.
    quiz = {"resource_id": "new-quiz", "title": "Q", "format": "exercise", "skills": [SKILL]}
    app.put("/v1/resources", json={"resources": [*films, quiz]})
    slate = recommended(app, "kim")["slate"]
    assert [o["resource_id"] for o in slate if "check" in codes(o)] == ["new-quiz"]


def test_curiosity_and_sentences_on_answers_leave_films_alone(app: TestClient) -> None:
    slate = recommended(app, "kim", what_if=True, k=20)["slate"]
    assert {o["format"] for o in slate} & SILENT
    assert {o["format"] for o in slate} - SILENT
    for option in slate:
        if option["format"] in SILENT:
            assert "information" not in codes(option)
            assert not any("right" in sentence or sentence.startswith("Then") for sentence in option["what_if"])
    said = [s for o in slate for s in o["what_if"]]
    assert any(s.startswith("Get this right") for s in said)
    assert any(s.startswith("Once you have done this") for s in said)


def test_a_step_can_be_checked_where_something_is_answered(app: TestClient, clock: Clock, told: dict[str, Any]) -> None:
    quiz = next(
        r["resource_id"] for r in told["resources"] if SKILL in r.get("skills", ()) and r["format"] not in SILENT
    )

    def step() -> dict[str, Any]:
        steps = app.get("/v1/learners/kim/path", params={"goal": SKILL}).json()["steps"]
        found: dict[str, Any] = next(s for s in steps if s["skill_id"] == SKILL)
        return found

    app.put("/v1/learners/kim", json={})
    while not step()["can_be_checked"]:
        assert step()["known"] < CHECKABLE
        right = {"learner_id": "kim", "resource_id": quiz, "outcome": 1.0, "at": clock().isoformat()}
        app.post("/v1/events", json={"events": [right]})
    assert step()["known"] >= CHECKABLE
    films = [r for r in told["resources"] if SKILL not in r.get("skills", ()) or r["format"] in SILENT]
    app.put("/v1/resources", json={"resources": films})
    assert not step()["can_be_checked"]
