"""What many tests stand on: a small log of the project's own making and the bundle trained on it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

# As the command line sets it, before numpy reads it: several workers with threads each only wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
import pytest

from engine.bundle import Bundle
from tests.servers import postgres, postgres_url, valkey
from training.log import add_to_log
from training.pipeline import train
from training.relevance_models import ModelSettings

__all__ = ["postgres", "postgres_url", "valkey"]

NOW = datetime(2026, 6, 1, tzinfo=UTC)
N_LEARNERS, N_RESOURCES = 60, 24


def checkerboard(*, clock: bool) -> dict[str, pl.DataFrame]:
    """Even learners take up even resources and odd ones odd resources, in the planned order, by cohort and week.

    The right answer is visible: an even learner's next step is the next even resource.
    """
    rng = np.random.default_rng(7)
    starts = {"maths-25": datetime(2024, 9, 2, tzinfo=UTC), "maths-26": datetime(2025, 9, 1, tzinfo=UTC)}
    events = []
    for learner in range(N_LEARNERS):
        class_id = list(starts)[learner % 4 // 2]
        for step in range(int(rng.integers(4, N_RESOURCES // 2))):
            resource = 2 * step + learner % 2
            at = starts[class_id] + timedelta(days=7 * step, hours=float(rng.uniform(0, 48)))
            events.append((f"e{learner}-{step}", f"learner-{learner}", f"r{resource:02d}", at if clock else None))
    columns = ["event_id", "learner_id", "resource_id", "at"]
    schema = {
        "event_id": pl.String(),
        "learner_id": pl.String(),
        "resource_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
    }
    resources = [(f"r{i:02d}", f"Resource {i}", ["video", "exercise"][i // 2 % 2], i, 10.0) for i in range(N_RESOURCES)]
    learners = [(f"learner-{i}", [list(starts)[i % 4 // 2]], [f"language:{i % 2}"]) for i in range(N_LEARNERS)]
    return {
        "interactions": pl.DataFrame(events, schema=schema, orient="row")
        .select(columns)
        .with_columns(kind=pl.lit("completed"), source=pl.lit("test")),
        "resources": pl.DataFrame(
            resources, schema=["resource_id", "title", "format", "position", "minutes"], orient="row"
        ),
        "learners": pl.DataFrame(learners, schema=["learner_id", "classes", "features"], orient="row"),
        "classes": pl.DataFrame(
            [(c, "maths", at) for c, at in starts.items()], schema=["class_id", "course_id", "starts_at"], orient="row"
        ),
    }


def write_log(folder: Path, *, clock: bool = True) -> Path:
    """The checkerboard as a log in this folder."""
    tables = checkerboard(clock=clock)
    interactions = tables.pop("interactions")
    if not clock:
        tables.pop("classes")
    add_to_log(folder, interactions=[interactions], source="test", now=NOW, report=lambda what, share: None, **tables)
    return folder


def small_settings() -> ModelSettings:
    """Real models, small enough for a test."""
    return ModelSettings(factor_dimensions=8, factor_epochs=5)


def train_quietly(log: Path, out: Path, seed: int = 0) -> Bundle:
    """The bundle of a log, through the real pipeline."""
    return train(log, out, settings=small_settings(), seed=seed, report=lambda what, share: None).bundle


@pytest.fixture(scope="session")
def tiny_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a small school with a clock and two cohorts of one course."""
    return write_log(tmp_path_factory.mktemp("tiny") / "log")


@pytest.fixture(scope="session")
def tiny_bundle(tiny_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle trained on `tiny_log`."""
    out = tmp_path_factory.mktemp("tiny") / "bundle"
    train_quietly(tiny_log, out)
    return out


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory):
    """A recommender over a small simulated world with skills and prerequisites."""
    from tests.lessons import trained

    return trained(tmp_path_factory.mktemp("lesson"))[0]
