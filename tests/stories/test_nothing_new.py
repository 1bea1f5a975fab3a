"""Where nothing new is left: what comes back, in which order and why, and one honest sentence for each emptiness."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine import emptiness
from tests.stories.conftest import LEARNER, Clock, recommended

SKILL, TITLE = "m7-frac-2", "Adding and subtracting fractions"


def ids(answer: dict[str, Any]) -> list[str]:
    return [option["resource_id"] for option in answer["slate"]]


def phrases(option: dict[str, Any]) -> set[str]:
    return {reason["phrase"] for reason in option["reasons"]}


def do(
    app: TestClient, clock: Clock, *resource_ids: str, outcome: float | None = None, learner_id: str = "kim"
) -> None:
    """Work on these, one a minute, ending now."""
    for resource_id in resource_ids:
        clock.now += timedelta(minutes=1)
        done = {"learner_id": learner_id, "resource_id": resource_id, "kind": "completed", "at": clock.now.isoformat()}
        if outcome is not None:
            done |= {"kind": "attempted", "outcome": outcome}
        assert app.post("/v1/events", json={"events": [done]}).json()["accepted"] == 1


def teaching(told: dict[str, Any], skill: str) -> list[str]:
    return sorted(r["resource_id"] for r in told["resources"] if skill in r.get("skills", ()))


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """Kim begins with nothing; only the catalogue is told of."""
    return {**school_told, "events": []}


def everything(told: dict[str, Any]) -> list[str]:
    return [r["resource_id"] for r in told["resources"]]


def test_a_goal_with_nothing_new_is_practised_again_the_longest_ago_first_and_the_answer_says_so(
    app: TestClient, clock: Clock, told: dict[str, Any]
) -> None:
    mine = teaching(told, SKILL)
    before = recommended(app, "kim", goal=[SKILL])
    assert before["message"] is None
    do(app, clock, *mine, outcome=0.0)
    others = [x for x in everything(told) if x not in mine]
    after = recommended(app, "kim", goal=[SKILL], exclude=others)
    assert set(ids(after)) == set(mine)
    again = {o["resource_id"]: o for o in after["slate"] if "again" in phrases(o)}
    assert set(mine) <= again.keys()
    taken = [next(r["contribution"] for r in again[x]["reasons"] if r["code"] == "repeat") for x in mine]
    assert taken == sorted(taken, reverse=True)
    assert taken[0] > taken[-1] >= -0.15 - 0.15
    assert TITLE in after["message"]
    assert "nothing new" in after["message"]
    # Of another skill that these teach something new is excluded.
    assert after["message_facts"]["code"] == "nothing_new_as_asked"
    assert TITLE in after["message_facts"]["facts"]["skills"]
    # Nothing else comes back: what was done for another skill stays done.
    do(app, clock, others[0])
    assert others[0] not in ids(recommended(app, "kim", goal=[SKILL], exclude=others[1:]))
    # Who wants only what is new, or what is likeliest to be taken up, is shown nothing again.
    for wanted in ({"again": False}, {"objective": "uptake"}, {"non_personalised": True}):
        assert recommended(app, "kim", goal=[SKILL], exclude=others, **wanted)["slate"] == []


def test_a_skill_of_the_goal_that_has_something_new_left_brings_nothing_back(
    app: TestClient, clock: Clock, told: dict[str, Any]
) -> None:
    mine = teaching(told, SKILL)
    # Who did not fail twice in a row: then something easier might come back.
    do(app, clock, *mine[1:-1], outcome=0.0)
    do(app, clock, mine[-1], outcome=1.0)
    answer = recommended(app, "kim", goal=[SKILL], k=50)
    assert mine[0] in ids(answer)
    assert not set(mine[1:]) & set(ids(answer))
    assert answer["message"] is None
    # In a format that only the seen ones have, nothing new is left.
    formats = {r["resource_id"]: r["format"] for r in told["resources"]}
    other = next(formats[x] for x in mine[1:] if formats[x] != formats[mine[0]])
    within = recommended(app, "kim", goal=[SKILL], formats=[other])
    assert {x for x in mine[1:] if formats[x] == other} <= set(ids(within))


def test_who_has_done_everything_still_gets_the_check_that_was_promised(
    app: TestClient, clock: Clock, told: dict[str, Any]
) -> None:
    done = [x for x in everything(told) if x not in teaching(told, SKILL)]
    do(app, clock, *done)
    do(app, clock, *teaching(told, SKILL), outcome=1.0)
    empty = recommended(app, "kim")
    assert (empty["slate"], empty["message"]) == ([], emptiness.IN_THE_WAY["seen"].format(goal=""))
    assert empty["message_facts"] == {"code": "in_the_way", "facts": {"conditions": ["seen"], "of": "anything"}}
    heard = app.post("/v1/learners/kim/voice", json={"voice": "know_it", "skills": [SKILL]}).json()
    checked = recommended(app, "kim", k=3, seen_token=heard["seen_token"])
    assert len(checked["slate"]) == 3
    assert set(ids(checked)) <= set(teaching(told, SKILL))
    for option in checked["slate"]:
        assert {"check_known", "again"} <= phrases(option)
    do(app, clock, checked["slate"][0]["resource_id"], outcome=1.0)
    assert recommended(app, "kim")["slate"] == []


def test_who_has_done_everything_gets_the_review_that_is_due(
    app: TestClient, clock: Clock, told: dict[str, Any]
) -> None:
    do(app, clock, *everything(told))
    do(app, clock, teaching(told, SKILL)[0], outcome=1.0)
    assert recommended(app, "kim")["slate"] == []
    clock.now += timedelta(days=30)
    due = recommended(app, "kim")
    # A review falls on what shows whether it is still known.
    formats = {r["resource_id"]: r["format"] for r in told["resources"]}
    assert set(ids(due)) == {x for x in teaching(told, SKILL) if formats[x] in ("exercise", "project")}
    assert all("review" in {r["code"] for r in o["reasons"]} for o in due["slate"])
    assert due["message"] is None


def test_needs_and_limits_hold_for_what_comes_back(app: TestClient, clock: Clock, told: dict[str, Any]) -> None:
    mine = teaching(told, SKILL)
    others = [x for x in everything(told) if x not in mine]
    do(app, clock, *mine, outcome=0.0)
    first = recommended(app, "kim", goal=[SKILL], exclude=others)
    assert mine[0] in ids(first)
    assert mine[0] not in ids(recommended(app, "kim", goal=[SKILL], exclude=[*others, mine[0]]))
    app.put("/v1/learners/kim/preferences", json={"access_needs": ["a need nothing meets"]})
    assert recommended(app, "kim", goal=[SKILL])["slate"] == []


def test_each_empty_slate_says_its_own_reason(app: TestClient, clock: Clock, told: dict[str, Any]) -> None:
    said = emptiness.IN_THE_WAY

    def message(**wanted: Any) -> str:
        answer = recommended(app, "kim", **wanted)
        assert answer["slate"] == []
        return str(answer["message"])

    assert message(formats=["puppet show"]) == said["formats"].format(goal="")
    assert message(minutes=0.001) == said["minutes"].format(goal="")
    assert message(exclude=everything(told)) == said["exclude"].format(goal="")
    assert message(candidates=[]) == emptiness.NAMED_NONE
    assert message(candidates=["nowhere"]) == emptiness.NAMED_UNKNOWN
    both = message(exclude=everything(told), formats=["puppet show"])
    assert both == "Nothing on offer meets all of this at once (exclude and formats): loosen some of it."
    app.put("/v1/learners/kim/preferences", json={"access_needs": ["a need nothing meets"]})
    assert message() == said["needs"].format(goal="")
    app.put("/v1/learners/kim/preferences", json={"languages": ["tlh"]})
    spoken = [{**r, "language": "de"} for r in told["resources"]]
    app.put("/v1/resources", json={"resources": spoken})
    assert message() == said["languages"].format(goal="")
    app.put("/v1/learners/kim/preferences", json={})
    over = [{**r, "available_until": "2020-01-01T00:00:00Z"} for r in told["resources"]]
    app.put("/v1/resources", json={"resources": over})
    assert message() == emptiness.NOT_NOW
    app.put("/v1/resources", json={"resources": []})
    assert message() == emptiness.EMPTY
    assert (
        len({*said.values(), emptiness.NAMED_NONE, emptiness.NAMED_UNKNOWN, emptiness.NOT_NOW, emptiness.EMPTY}) == 11
    )


def test_a_goal_that_nothing_serves_says_why_beside_a_slate_that_is_not_empty(
    app: TestClient, clock: Clock, told: dict[str, Any]
) -> None:
    mine = set(teaching(told, SKILL))
    left = [r for r in told["resources"] if r["resource_id"] not in mine]
    app.put("/v1/resources", json={"resources": left})
    untaught = recommended(app, "kim", goal=[SKILL])
    assert untaught["slate"]
    assert untaught["message"] == emptiness.GOAL_UNTAUGHT


def test_a_goal_that_is_reached_says_so(app: TestClient, clock: Clock, told: dict[str, Any]) -> None:
    for _ in range(12):
        do(app, clock, *teaching(told, SKILL), outcome=1.0)
    mastered = app.get("/v1/learners/kim").json()["skills"]
    assert all(s["mastery"] > 0.85 for s in mastered if s["skill_id"] == SKILL)
    assert recommended(app, "kim", goal=[SKILL])["message"] == emptiness.GOAL_MASTERED


def test_what_can_be_asked_of_a_learner_with_a_year_behind_them_is_never_silent(
    app: TestClient, clock: Clock, school_told: dict[str, Any]
) -> None:
    app.post("/v1/events", json={"events": school_told["events"]})
    for wanted in ({}, {"goal": [SKILL]}, {"formats": ["video"]}, {"goal": [SKILL], "formats": ["video"]}):
        answer = recommended(app, LEARNER, **wanted)
        assert answer["slate"] or answer["message"]


def test_a_goal_that_cannot_count_is_said_not_to(app: TestClient) -> None:
    for wanted, said in (
        ({"non_personalised": True}, emptiness.GOAL_OF_NOBODY),
        ({"non_personalised": True, "objective": "uptake"}, emptiness.GOAL_OF_NOBODY),
        ({"objective": "uptake"}, emptiness.GOAL_IN_UPTAKE),
    ):
        plain, aimed = recommended(app, **wanted), recommended(app, goal=[SKILL], **wanted)
        assert ids(plain) == ids(aimed)
        assert (plain["message"], aimed["message"]) == (None, said)
        # What stands in the way of any slate comes first.
        nothing = recommended(app, goal=[SKILL], formats=["puppet show"], **wanted)
        assert nothing["message"] == emptiness.IN_THE_WAY["formats"].format(goal="")
    asked = {"learner_ids": ["kim"], "goal": [SKILL], "non_personalised": True}
    [one] = app.post("/v1/recommendations/batch", json=asked).json()["decisions"]
    assert one["message"] == emptiness.GOAL_OF_NOBODY
