"""A small school with answers and skills, the bundle trained on its log, and a server whose clock is ours."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from experiments.simulation.generator import write_log
from experiments.simulation.school import School, build_school
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import train_quietly
from tests.served import key_for

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
    def serve(bundle: Path | None, *, data: Path | None = None, clock: Clock | None = None) -> Iterator[TestClient]:
        folder = data or tmp_path / "data"
        folder.mkdir(exist_ok=True)
        headers = {"Authorization": f"Bearer {key_for(folder, 'admin')}"}
        app = create_app(Settings(data=folder, bundle=bundle))
        with TestClient(app, headers=headers) as client:
            app.state.house = replace(app.state.house, clock=clock or Clock())
            yield client

    return serve
