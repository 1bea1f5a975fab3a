"""The minutes of a request hold by how long each option is expected to take this very learner."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import LEARNER, Clock, recommended

WAYS: dict[str, dict[str, Any]] = {
    "learning": {},
    "a goal": {"goal": ["m7-pct-1"]},
    "uptake": {"objective": "uptake"},
    "anybody": {"non_personalised": True},
    "taking turns": {"explore": True, "seed": 3},
}


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """Somebody halfway through, in a school whose catalogue says of everything that it takes a minute."""
    resources = [{**r, "minutes": 1.0} for r in school_told["resources"]]
    return {"resources": resources, "events": school_told["events"][:20]}


def minutes(options: list[dict[str, Any]]) -> list[float]:
    return [option["expected_minutes"] for option in options]


def around(app: TestClient, **wanted: Any) -> Iterator[float]:
    """Minutes into which the shortest, a quarter and half of what could be shown fit."""
    found = sorted(minutes(recommended(app, **wanted)["slate"]))
    assert found[-1] > 1.0, "the log knows better than the catalogue"
    yield from (found[0] + 1e-6, found[len(found) // 4], found[len(found) // 2])


@pytest.mark.parametrize("way", list(WAYS))
def test_nothing_is_shown_that_is_expected_to_take_longer_and_something_where_anything_fits(
    app: TestClient, way: str
) -> None:
    for limit in around(app, **WAYS[way]):
        for k in (1, 5, 50):
            slate = recommended(app, k=k, minutes=limit, **WAYS[way])["slate"]
            assert slate
            assert max(minutes(slate)) <= limit


def test_what_the_catalogue_says_to_be_long_is_shown_to_whom_it_will_be_short(
    app: TestClient, told: dict[str, Any]
) -> None:
    long = [{**r, "minutes": 600.0} for r in told["resources"]]
    app.put("/v1/resources", json={"resources": long})
    slate = recommended(app, minutes=30)["slate"]
    assert slate
    assert max(minutes(slate)) <= 30


def test_a_class_and_one_of_it_are_shown_the_same(app: TestClient) -> None:
    limit = list(around(app))[1]
    asked = {"learner_ids": [LEARNER, "nobody-yet"], "k": 5, "minutes": limit}
    [mine, theirs] = app.post("/v1/recommendations/batch", json=asked).json()["decisions"]
    alone = recommended(app, k=5, minutes=limit)["slate"]
    assert [o["resource_id"] for o in mine["slate"]] == [o["resource_id"] for o in alone]
    assert max(minutes(mine["slate"] + theirs["slate"])) <= limit


def test_what_a_teacher_put_in_stands_however_long_it_takes_and_nothing_else_does(app: TestClient) -> None:
    everything = recommended(app)["slate"]
    longest = max(everything, key=lambda option: option["expected_minutes"])
    limit = sorted(minutes(everything))[len(everything) // 2]
    draft = {"id": "this", "verb": "pin", "scope": {}, "what": {"resources": [longest["resource_id"]]}}
    assert app.post("/v1/rules", json=draft).status_code == 201
    slate = recommended(app, minutes=limit)["slate"]
    assert slate[0]["resource_id"] == longest["resource_id"]
    assert slate[0]["expected_minutes"] > limit
    assert len(slate) > 1
    assert max(minutes(slate[1:])) <= limit


def test_where_nothing_fits_the_message_says_so_and_what_it_advises_helps(app: TestClient) -> None:
    least = min(minutes(recommended(app)["slate"]))
    answer = recommended(app, minutes=least * 0.9, again=False)
    assert answer["slate"] == []
    assert "fits into these minutes" in answer["message"]
    assert recommended(app, again=False)["slate"]


def test_rules_are_blamed_for_nothing_left_only_where_they_took_out_what_fits(app: TestClient) -> None:
    options = recommended(app, candidates=ids(recommended(app))[:40])["slate"]
    some, least = [o["resource_id"] for o in options], min(minutes(options))
    short = [o["resource_id"] for o in options if o["expected_minutes"] <= least * 1.1]
    draft = {"id": "none-of-these", "verb": "hide", "scope": {}, "what": {"resources": short}}
    assert app.post("/v1/rules", json=draft).status_code == 201
    for limit, blamed in ((least * 1.1, "none-of-these"), (least * 0.9, "minutes")):
        answer = recommended(app, minutes=limit, candidates=some)
        assert answer["slate"] == []
        assert blamed in answer["message"]
    assert "none-of-these" not in answer["message"]


def test_where_what_is_new_is_too_long_what_was_done_before_is_offered_again(app: TestClient, clock: Clock) -> None:
    new = [{"resource_id": f"{m}-knots", "format": "exercise", "skills": ["knots"], "minutes": m} for m in (2, 90)]
    app.put("/v1/resources", json={"resources": new})

    def done(resource_id: str) -> None:
        event = {"learner_id": LEARNER, "resource_id": resource_id, "outcome": 0.0, "at": clock.now.isoformat()}
        assert app.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1

    done("2-knots")
    answer = recommended(app, goal=["knots"])
    assert "90-knots" in ids(answer)
    assert answer["message"] is None
    answer = recommended(app, goal=["knots"], minutes=20)
    assert "2-knots" in ids(answer)
    assert "90-knots" not in ids(answer)
    assert answer["message"].startswith("Within what was asked for there is nothing new for knots")
    assert answer["message_facts"]["code"] == "nothing_new_as_asked"
    done("90-knots")
    answer = recommended(app, goal=["knots"], minutes=20)
    assert answer["message"].startswith("There is nothing new on offer for knots")
    assert answer["message_facts"]["code"] == "nothing_new"


def ids(answer: dict[str, Any]) -> list[str]:
    return [option["resource_id"] for option in answer["slate"]]
