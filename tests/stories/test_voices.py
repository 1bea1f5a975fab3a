"""What a learner says changes the next reply, row by row as the guide for app developers promises, and back again."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import LEARNER, Clock, recommended

GOAL = ["m7-pct-1"]


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """Somebody halfway through: most of the year's resources are left to choose from."""
    return {**school_told, "events": school_told["events"][:20]}


def slate(app: TestClient, learner_id: str = LEARNER, *, k: int = 5, **wanted: Any) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = recommended(app, learner_id, k=k, **wanted)["slate"]
    return options


def ranks(app: TestClient, **wanted: Any) -> dict[str, int]:
    """The rank by score of everything on offer: a place that is kept for variety moves nothing."""
    by_score = sorted(slate(app, k=50, **wanted), key=lambda option: -option["score"])
    return {option["resource_id"]: rank for rank, option in enumerate(by_score, 1)}


def codes(option: dict[str, Any]) -> dict[str, float]:
    return {reason["code"]: reason["contribution"] for reason in option["reasons"]}


def ids(options: list[dict[str, Any]]) -> list[str]:
    return [option["resource_id"] for option in options]


def say(app: TestClient, voice: str, resource_id: str) -> dict[str, Any]:
    answer = app.post(f"/v1/learners/{LEARNER}/voice", json={"voice": voice, "resource_id": resource_id})
    assert answer.status_code == 200, answer.text
    heard: dict[str, Any] = answer.json()
    return heard


def undo(app: TestClient, event_id: str) -> None:
    assert app.delete(f"/v1/learners/{LEARNER}/voice/{event_id}").status_code == 200


@pytest.mark.parametrize("place", [1, 4, 12, 30])
def test_yes_moves_up_by_a_place_at_least_until_it_is_undone_and_keeps_it_on_offer(app: TestClient, place: int) -> None:
    before = ranks(app)
    about = list(before)[place]
    heard = say(app, "accept", about)
    after = slate(app, k=50)
    assert ranks(app)[about] < before[about]
    [option] = [o for o in after if o["resource_id"] == about]
    assert codes(option)["voice"] > 0
    undo(app, heard["event_id"])
    assert ranks(app) == before


SAID = {
    "decline": "You turned this down.",
    "not_now": "You said: not now.",
    "too_easy": "You said this is too easy for you.",
    "too_hard": "You said this is too hard for you.",
}


def heard_as(voice: str) -> str:
    return "declined" if voice == "decline" else voice


@pytest.mark.parametrize(
    ("voice", "holds"),
    [
        ("decline", timedelta(days=14)),
        ("not_now", timedelta(hours=18)),
        ("too_easy", timedelta(days=14)),
        ("too_hard", timedelta(days=14)),
    ],
)
def test_no_takes_a_resource_out_of_the_slate_for_as_long_as_is_said(
    app: TestClient, clock: Clock, voice: str, holds: timedelta
) -> None:
    before = slate(app)
    about = before[0]["resource_id"]
    heard = say(app, voice, about)
    said_at = clock.now
    [still] = slate(app, k=1, candidates=[about])
    [why] = [r for r in still["reasons"] if r["code"] == "voice"]
    assert (why["phrase"], why["text_learner"]) == (f"voice_{heard_as(voice)}", SAID[voice])
    assert about not in ids(slate(app, seen_token=heard["seen_token"]))
    assert heard["holds_until"] is not None
    clock.now = said_at + holds - timedelta(minutes=1)
    assert about not in ids(slate(app))
    clock.now = said_at + holds + timedelta(minutes=1)
    assert all("voice" not in codes(option) for option in slate(app, k=50))
    clock.now = said_at
    undo(app, heard["event_id"])
    assert ids(slate(app)) == ids(before)


@pytest.mark.parametrize("objective", ["learning", "uptake"])
@pytest.mark.parametrize(("voice", "side"), [("too_easy", 1), ("too_hard", -1)])
def test_too_easy_and_too_hard_move_what_is_like_it_on_that_side_alone(
    app: TestClient, told: dict[str, Any], voice: str, side: int, objective: str
) -> None:
    taught = {r["resource_id"]: set(r.get("skills", ())) for r in told["resources"]}
    wanted = {"candidates": list(taught), "objective": objective}
    before = {o["resource_id"]: o for o in slate(app, k=50, **wanted)}
    alike = {a: [b for b in before if b != a and taught[a] & taught[b]] for a in before}
    about = next(
        a for a in sorted(before)
        if len({side * (before[b]["p_success"] - before[a]["p_success"]) > 0 for b in alike[a]}) == 2
    )  # fmt: skip
    heard = say(app, voice, about)
    moved = {o["resource_id"]: codes(o).get("voice", 0.0) for o in slate(app, k=50, **wanted)}
    for other in set(alike[about]) & moved.keys():
        beyond = side * (before[other]["p_success"] - before[about]["p_success"])
        assert moved[other] < 0 if beyond >= 0 else moved[other] == 0
    assert all(moved[x] == 0 for x in moved if x != about and x not in alike[about])
    undo(app, heard["event_id"])
    after = slate(app, k=50, **wanted)
    assert ids(after) == list(before)


def test_a_goal_lifts_what_leads_to_it_whether_it_is_set_or_named_in_the_request(
    app: TestClient, told: dict[str, Any]
) -> None:
    before = ranks(app)
    answer = app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": GOAL}).json()
    way = {step["skill_id"] for step in app.get(f"/v1/learners/{LEARNER}/path").json()["steps"]}
    taught = {r["resource_id"]: set(r.get("skills", ())) for r in told["resources"]}
    after = ranks(app)
    [first] = slate(app, k=1)
    assert taught[first["resource_id"]] & way
    leading = [x for x in after if taught[x] & way]
    assert sum(after[x] for x in leading) < sum(before.get(x, 51) for x in leading)
    undo(app, answer["event_id"])
    assert ranks(app) == before
    assert ranks(app, goal=GOAL) == after
    assert ranks(app) == before


def test_formats_tip_what_is_near_and_nothing_else(app: TestClient) -> None:
    before = {o["resource_id"]: o for o in slate(app, k=50)}
    wanted = before[min(before, key=lambda x: before[x]["score"])]["format"]
    answer = app.put(f"/v1/learners/{LEARNER}/preferences", json={"formats": [wanted]}).json()
    after = {o["resource_id"]: o for o in slate(app, k=50)}
    for option in after.values():
        given = codes(option).get("style", 0.0)
        assert 0 <= given <= 0.1 + 1e-9
        assert (given > 0) == (option["format"] == wanted)
    tip = max(codes(option).get("style", 0.0) for option in after.values())
    plain = {x: o["score"] - codes(o).get("style", 0.0) for x, o in after.items()}
    for x, option in after.items():
        for y, other in after.items():
            if option["format"] == wanted != other["format"] and plain[y] - plain[x] < tip - 1e-9:
                assert option["score"] > other["score"]
    undo(app, answer["event_id"])
    assert ids(slate(app, k=50)) == list(before)


def test_minutes_a_day_lower_what_takes_longer_than_is_left(app: TestClient) -> None:
    before = ranks(app)
    long = [o for o in slate(app, k=50) if o["expected_minutes"] > 10]
    assert 0 < len(long) < len(before)
    answer = app.put(f"/v1/learners/{LEARNER}/preferences", json={"minutes_per_day": 10}).json()
    for option in slate(app, k=50):
        assert (codes(option).get("minutes", 0.0) < 0) == (option["expected_minutes"] > 10)
    undo(app, answer["event_id"])
    assert ranks(app) == before


def test_a_check_is_undone_by_its_id(app: TestClient) -> None:
    before = ranks(app)
    word = {"voice": "know_it", "skills": GOAL}
    heard = app.post(f"/v1/learners/{LEARNER}/voice", json=word).json()
    assert any("check" in codes(option) for option in slate(app))
    undo(app, heard["event_id"])
    assert ranks(app) == before
    assert app.get(f"/v1/learners/{LEARNER}").json()["checks"] == []


def test_the_path_follows_what_is_chosen_and_what_is_done(app: TestClient, clock: Clock) -> None:
    asked = {"goal": "m7-alg-3"}
    plan = app.get(f"/v1/learners/{LEARNER}/path", params=asked).json()
    assert plan["steps"][0]["status"] == "next"
    assert plan["choices"][0] == plan["steps"][0]["skill_id"]
    assert len(plan["choices"]) > 1
    place = {step["skill_id"]: at for at, step in enumerate(plan["steps"])}
    assert all(place[w] < at for at, step in enumerate(plan["steps"]) for w in step["waits_for"])
    assert plan["minutes"] == pytest.approx(plan["steps"][-1]["minutes_so_far"], rel=0.01)

    other = plan["choices"][-1]
    chosen = app.get(f"/v1/learners/{LEARNER}/path", params={**asked, "choose": other}).json()
    assert chosen["steps"][0]["skill_id"] == other
    assert {s["skill_id"] for s in chosen["steps"]} == place.keys()
    waiting = next(s["skill_id"] for s in plan["steps"] if s["status"] == "waiting")
    refused = app.get(f"/v1/learners/{LEARNER}/path", params={**asked, "choose": waiting})
    assert refused.status_code == 409
    assert all(skill in refused.json()["detail"] for skill in plan["choices"])

    mastery = {s["skill_id"]: s["mastery"] for s in plan["steps"]}
    right = [
        {"learner_id": LEARNER, "resource_id": r, "outcome": 1.0, "skills": [other], "at": clock().isoformat()}
        for r in chosen["steps"][0]["resources"] * 4
    ]
    app.post("/v1/events", json={"events": right})
    after = app.get(f"/v1/learners/{LEARNER}/path", params=asked).json()
    now = {s["skill_id"]: s["mastery"] for s in after["steps"]}
    assert other in after["mastered"] or now[other] > mastery[other]
    assert after["minutes"] < plan["minutes"]


def test_a_class_gets_what_each_of_its_learners_gets_alone(app: TestClient, clock: Clock) -> None:
    for learner_id in ("kim", LEARNER):
        app.put(f"/v1/learners/{learner_id}", json={"classes": ["7b"]})
    app.put("/v1/learners/kim/preferences", json={"formats": ["video"]})
    moment = clock.now
    asked = {"class_id": "7b", "k": 4, "goal": GOAL, "explore": True, "seed": 5}
    told = app.post("/v1/recommendations/batch", json=asked).json()["decisions"]
    assert [d["learner_id"] for d in told] == ["kim", LEARNER]
    for decision in told:
        clock.now = moment
        alone = app.post("/v1/recommendations", json={**asked, "learner_id": decision["learner_id"]}).json()
        assert alone["slate"] == decision["slate"]
    store = app.app.state.house.store
    kept = {s.decision_id for s in app.portal.call(lambda: store.decisions.after("school", 0, 1000))}
    assert {d["decision_id"] for d in told} <= kept


def test_what_would_be_different_is_said_where_it_is_asked_for(app: TestClient) -> None:
    plain, asked = slate(app, k=3), slate(app, k=3, what_if=True)
    assert ids(plain) == ids(asked)
    assert all(option["what_if"] == [] for option in plain)
    assert any(option["what_if"] for option in asked)
    assert slate(app, k=3, what_if=True, non_personalised=True)[0]["what_if"] == []


def test_a_resource_added_now_is_recommended_now(app: TestClient, told: dict[str, Any]) -> None:
    new = {"resource_id": "brand-new", "title": "New", "format": "exercise", "minutes": 5, "skills": GOAL}
    app.put("/v1/resources", json={"resources": [*told["resources"], new]})
    # The very next answer has it: nothing waits for a training or a timer.
    assert "brand-new" in ids(slate(app, k=50, goal=GOAL))
    assert "brand-new" in ids(slate(app, "nobody-yet", k=50, goal=GOAL))
    app.put("/v1/resources", json={"resources": [*told["resources"], {**new, "format": "video"}]})
    assert ids(slate(app, candidates=["brand-new"])) == ["brand-new"]
