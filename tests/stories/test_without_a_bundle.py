"""A school without a bundle: the teacher's plan, what the learner asked for, and no word of a plan that is none."""

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import Asking, Clock, recommended

PLANNED = [
    {"resource_id": f"r{i}", "title": f"R{i}", "format": name, "position": i, "minutes": 4 * i + 1}
    for i, name in enumerate(["video", "exercise"] * 3)
]


@pytest.fixture
def app(asking: Asking):
    with asking(None, clock=Clock(datetime(2026, 3, 2, 9, tzinfo=UTC))) as client:
        client.put("/v1/resources", json={"resources": PLANNED})
        yield client


def ids(answer: dict[str, Any]) -> list[str]:
    return [option["resource_id"] for option in answer["slate"]]


def by_score(answer: dict[str, Any]) -> list[str]:
    return [o["resource_id"] for o in sorted(answer["slate"], key=lambda o: -o["score"])]


def reason(option: dict[str, Any], code: str) -> dict[str, Any] | None:
    return next((r for r in option["reasons"] if r["code"] == code), None)


def prefer(app: TestClient, **wanted: Any) -> str:
    answer = app.put("/v1/learners/lena/preferences", json=wanted)
    assert answer.status_code == 200
    return str(answer.json()["event_id"])


def test_what_has_no_place_in_the_plan_comes_last_and_is_not_called_next(app: TestClient) -> None:
    told = recommended(app, "lena")
    assert ids(told)[:5] == ["r0", "r1", "r2", "r3", "r4"]
    assert all(o["reasons"][0]["text_learner"] == "This is next in the plan of your course." for o in told["slate"])
    far = {"resource_id": "far", "title": "Far", "position": 900}
    loose = [{"resource_id": x, "title": x} for x in ("loose-b", "loose-a")]
    app.put("/v1/resources", json={"resources": [*PLANNED, *loose, far]})
    after = {o["resource_id"]: o for o in recommended(app, "lena", objective="uptake")["slate"]}
    assert list(after)[-3:] == ["far", "loose-a", "loose-b"]
    assert [x for x, o in after.items() if o["reasons"][0]["phrase"] == "unplanned"] == ["loose-a", "loose-b"]
    app.put("/v1/resources", json={"resources": loose})
    for option in recommended(app, "lena")["slate"]:
        texts = option["reasons"][0]["text_learner"] + option["reasons"][0]["text_teacher"]
        assert "next in the plan" not in texts
        assert "follow the planned order" not in texts


def test_formats_asked_for_go_past_their_neighbours_until_they_are_taken_back(app: TestClient) -> None:
    before = by_score(recommended(app, "lena"))
    event_id = prefer(app, formats=["exercise"])
    told = recommended(app, "lena")
    for option in told["slate"]:
        style = reason(option, "style")
        assert (style is not None) == (option["format"] == "exercise")
        if style:
            assert style["contribution"] > 0
            assert style["text_learner"] == "You asked for this format: exercise."
    assert by_score(told) == ["r1", "r0", "r3", "r2", "r5", "r4"]
    # Asked for what is likeliest to be taken up, or for nobody in particular, wishes are silent.
    for wanted in ({"objective": "uptake"}, {"non_personalised": True}):
        assert all(reason(o, "style") is None for o in recommended(app, "lena", **wanted)["slate"])
    app.delete(f"/v1/learners/lena/voice/{event_id}")
    assert by_score(recommended(app, "lena")) == before


def test_minutes_a_day_let_fall_what_takes_longer_than_is_left_of_today(app: TestClient) -> None:
    prefer(app, minutes_per_day=14)
    told = {o["resource_id"]: o for o in recommended(app, "lena")["slate"]}
    assert {x for x, o in told.items() if reason(o, "minutes")} == {"r4", "r5"}
    assert all(r["contribution"] < 0 for o in told.values() if (r := reason(o, "minutes")))
    done = {"learner_id": "lena", "resource_id": "r2", "kind": "completed"}
    app.post("/v1/events", json={"events": [done]})
    # Nine of the fourteen minutes are gone, so five are left.
    after = {o["resource_id"]: o for o in recommended(app, "lena")["slate"]}
    assert {x for x, o in after.items() if reason(o, "minutes")} == {"r3", "r4", "r5"}


def test_a_yes_still_lifts_by_a_place_beside_a_wish(app: TestClient) -> None:
    prefer(app, formats=["exercise"])
    before = by_score(recommended(app, "lena"))
    assert before[-1] == "r4"
    app.post("/v1/learners/lena/voice", json={"voice": "accept", "resource_id": "r4"})
    assert by_score(recommended(app, "lena")).index("r4") < before.index("r4")


def test_a_class_without_a_bundle_gets_what_each_gets_alone(app: TestClient) -> None:
    prefer(app, formats=["exercise"], minutes_per_day=10)
    alone = recommended(app, "lena", k=5)
    [told] = app.post("/v1/recommendations/batch", json={"learner_ids": ["lena"], "k": 5}).json()["decisions"]
    assert told["slate"] == alone["slate"]
