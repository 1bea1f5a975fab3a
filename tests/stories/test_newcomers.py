"""A resource added over HTTP is recommended at once to whom resources like it suit, and says why."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from tests.conftest import train_quietly
from tests.stories.conftest import SCHOOL_NOW, Asking, recommended
from training.log import add_to_log

# Two ways to spend a year: half of the learners take up the one, half the other.
FEATURES = {
    "dino": {"format": "video", "tags": ["dinosaurs"], "skills": ["fossils"]},
    "car": {"format": "exercise", "tags": ["engines"], "skills": ["gears"]},
}
PER_KIND, N_LEARNERS, N_STEPS = 14, 80, 7
FIRST = datetime(2025, 2, 3, 9, tzinfo=UTC)


def described(resource_id: str, kind: str, position: int) -> dict[str, Any]:
    title = f"{kind} {position}"
    return {"resource_id": resource_id, "title": title, "minutes": 10.0, "position": position, **FEATURES[kind]}


def resources() -> list[dict[str, Any]]:
    return [described(f"{kind}-{n:02d}", kind, n) for kind in FEATURES for n in range(PER_KIND)]


@pytest.fixture(scope="module")
def tastes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a log in which each learner keeps to one kind, at random within it."""
    rng, folder, rows = np.random.default_rng(5), tmp_path_factory.mktemp("tastes"), []
    for learner in range(N_LEARNERS):
        kind = list(FEATURES)[learner % 2]
        for step, n in enumerate(rng.choice(PER_KIND, N_STEPS, replace=False).tolist()):
            at = FIRST + timedelta(days=step, minutes=learner)
            rows.append((f"e{learner}-{step}", f"pupil-{learner:02d}", f"{kind}-{n:02d}", at, "completed", "test"))
    columns = ["event_id", "learner_id", "resource_id", "at", "kind", "source"]
    add_to_log(
        folder / "log",
        interactions=[pl.DataFrame(rows, schema=columns, orient="row")],
        resources=pl.DataFrame(resources()),
        source="test",
        now=SCHOOL_NOW,
        report=lambda what, share: None,
    )
    train_quietly(folder / "log", folder / "bundle")
    return folder / "bundle"


@pytest.fixture
def app(asking: Asking, tastes: Path) -> Iterator[TestClient]:
    """A server that knows of one learner who took up some of the first kind, and of one of the second."""
    with asking(tastes) as client:
        assert client.put("/v1/resources", json={"resources": resources()}).status_code == 200
        events = [
            {
                "event_id": f"{learner}-{n}",
                "learner_id": learner,
                "resource_id": f"{kind}-{n:02d}",
                "kind": "completed",
                "at": (SCHOOL_NOW - timedelta(days=12 - n)).isoformat(),
            }
            for learner, kind in (("lena", "dino"), ("ole", "car"))
            for n in range(10)
        ]
        assert client.post("/v1/events", json={"events": events}).json()["accepted"] == len(events)
        yield client


def add(app: TestClient, *newcomers: dict[str, Any]) -> None:
    """Newcomers beside what is on offer."""
    answer = app.put("/v1/resources", json={"resources": [*resources(), *newcomers]})
    assert answer.status_code == 200, answer.text


def new(kind: str) -> dict[str, Any]:
    """One with the features of a kind."""
    return described(f"new-{kind}", kind, 5)


def ranks(app: TestClient, learner_id: str, objective: str) -> dict[str, int]:
    slate = recommended(app, learner_id, objective=objective)["slate"]
    by_score = sorted(slate, key=lambda option: -option["score"])
    return {option["resource_id"]: rank for rank, option in enumerate(by_score, 1)}


@pytest.mark.parametrize("objective", ["uptake", "learning"])
def test_a_newcomer_like_what_a_learner_took_up_stands_above_one_unlike_it(app: TestClient, objective: str) -> None:
    add(app, new("dino"), new("car"))
    lena, ole = ranks(app, "lena", objective), ranks(app, "ole", objective)
    assert lena["new-dino"] < lena["new-car"]
    assert ole["new-car"] < ole["new-dino"]


def test_it_comes_up_within_a_second_among_the_first_five(app: TestClient) -> None:
    assert "new-dino" not in {o["resource_id"] for o in recommended(app, "lena", k=5, objective="uptake")["slate"]}
    began = time.perf_counter()
    add(app, new("dino"))
    slate = recommended(app, "lena", k=5, objective="uptake")["slate"]
    assert time.perf_counter() - began < 1.0
    assert "new-dino" in {option["resource_id"] for option in slate}


def test_its_reasons_name_what_it_is_like(app: TestClient) -> None:
    add(app, new("dino"))
    slate = recommended(app, "lena", objective="uptake")["slate"]
    [option] = [o for o in slate if o["resource_id"] == "new-dino"]
    told = {reason["code"]: reason for reason in option["reasons"]}
    assert told["others"]["evidence"]["learners"] == 0
    assert told["others"]["evidence"]["like"] == "dino 5"
    assert "dino 5" in told["others"]["text_learner"]


def test_what_is_like_nothing_on_offer_stands_below_what_others_take_up(app: TestClient) -> None:
    add(app, new("dino") | {"resource_id": "stray", "format": "debate", "tags": [], "skills": ["justice"]})
    assert ranks(app, "lena", "uptake")["stray"] == 2 * PER_KIND - 10 + 1
