"""A small school with answers and skills, the bundle trained on its log, and a server whose clock is ours."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from starlette.testclient import TestClient

from experiments.simulation.generator import write_log
from experiments.simulation.school import School, build_school
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import train_quietly
from tests.served import key_for
from training.log import interactions_of, read_log, resources_of

# One of mathematics, with a year behind them.
LEARNER = "learner-000000"
# Long past, so that a server with the real clock takes these events, too.
SCHOOL_NOW = datetime(2025, 6, 2, 10, tzinfo=UTC)


class Clock:
    """The server's clock: every look at it takes a second."""

    def __init__(self, now: datetime = SCHOOL_NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(scope="session")
def school() -> School:
    """The school that everything here comes from."""
    return build_school(8, seed=3, now=SCHOOL_NOW)


@pytest.fixture(scope="session")
def school_log(school: School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year of that school as a log."""
    folder = tmp_path_factory.mktemp("school") / "log"
    write_log(school, n_steps=24, into=folder)
    return folder


@pytest.fixture(scope="session")
def school_bundle(school_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of that log."""
    out = tmp_path_factory.mktemp("school") / "bundle"
    train_quietly(school_log, out)
    return out


Asking = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    """Serves a bundle, or none, on a data folder with this clock."""

    @contextmanager
    def serve(
        bundle: Path | None, *, data: Path | None = None, clock: Clock | None = None, **settings: Any
    ) -> Iterator[TestClient]:
        folder = data or tmp_path / "data"
        folder.mkdir(exist_ok=True)
        headers = {"Authorization": f"Bearer {key_for(folder, 'admin')}"}
        app = create_app(Settings(data=folder, bundle=bundle, **settings))
        with TestClient(app, headers=headers) as client:
            app.state.house = replace(app.state.house, clock=clock or Clock())
            yield client

    return serve


@pytest.fixture(scope="session")
def school_told(school_log: Path) -> dict[str, Any]:
    """The catalogue, and the year of one learner, as an app sends them."""
    log = read_log(school_log)
    year = log.interactions().filter(pl.col("learner_id") == LEARNER).collect()
    events = [sent(event) for event in interactions_of(year)]
    return {"resources": [sent(r) for r in resources_of(log.resources())], "events": events}


def sent(noun: Any) -> dict[str, Any]:
    """A noun as an app sends it."""
    return {name: value for name, value in msgspec.to_builtins(noun).items() if value is not None}


@pytest.fixture
def told(school_told: dict[str, Any]) -> dict[str, Any]:
    """What the server is told before a story begins; a page of stories may tell less."""
    return school_told


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(asking: Asking, school_bundle: Path, told: dict[str, Any], clock: Clock) -> Iterator[TestClient]:
    """A server with the school's bundle that was told of the catalogue and of one learner's year."""
    with asking(school_bundle, clock=clock) as client:
        client.put("/v1/resources", json={"resources": told["resources"]})
        assert client.post("/v1/events", json={"events": told["events"]}).json()["accepted"] == len(told["events"])
        yield client


def portrait(app: TestClient, learner_id: str = LEARNER, audience: str = "teacher") -> dict[str, Any]:
    """What is known of a learner."""
    answer = app.get(f"/v1/learners/{learner_id}", params={"audience": audience})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def recommended(app: TestClient, learner_id: str = LEARNER, *, k: int = 50, **wanted: Any) -> dict[str, Any]:
    """The answer to a recommendation, whose reasons must add up."""
    answer = app.post("/v1/recommendations", json={"learner_id": learner_id, "k": k, **wanted})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    for option in told["slate"]:
        assert sum(r["contribution"] for r in option["reasons"]) == pytest.approx(option["score"], abs=1e-9)
    return told
