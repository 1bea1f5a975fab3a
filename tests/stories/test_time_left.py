"""Who has little time left for a goal is not sent on a way around that could not be gone to its end."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import recommended

# Skills that others come before.
FAR = ["m7-alg-3", "m7-ratio-2"]


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """Somebody at the very beginning."""
    return {**school_told, "events": school_told["events"][:3]}


def ways_around(app: TestClient, **wanted: Any) -> int:
    """How many options are there because they open something else."""
    slate = recommended(app, goal=FAR, objective="learning", **wanted)["slate"]
    return sum("gain_opens" in {reason["phrase"] for reason in option["reasons"]} for option in slate)


def test_a_way_around_is_begun_only_where_there_is_time_for_it(app: TestClient) -> None:
    assert ways_around(app) > 0
    assert ways_around(app, minutes_ahead=100_000) == ways_around(app)
    assert ways_around(app, minutes_ahead=0.1) == 0


def test_no_time_at_all_is_refused_in_words(app: TestClient) -> None:
    answer = app.post("/v1/recommendations", json={"learner_id": "kim", "minutes_ahead": 0})
    assert answer.status_code == 422
    assert "minutes_ahead" in answer.text
