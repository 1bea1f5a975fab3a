"""A school driven over real HTTP leaves the log that the generator writes, row by row."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from experiments.simulation.generator import simulate_log
from experiments.simulation.school import School, build_school
from experiments.simulation.workflows import tell, visits, work_alone
from trailmate import Trailmate
from training.log import read_log

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
N_LEARNERS, N_STEPS = 7, 8
COMMAND = [sys.executable, "-c", "from trailmate.cli import main; main()"]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAILMATE_")}
    return {**kept, "TRAILMATE_DATA": str(folder), "PYTHONUNBUFFERED": "1"}


def trailmate(folder: Path, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [*COMMAND, *arguments, "--json"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


@contextmanager
def served(folder: Path) -> Iterator[Trailmate]:
    """`trailmate serve` without a bundle, and a client with a key for it."""
    key = trailmate(folder, "keys", "create", "--tenant", "s", "--scopes", "recommend,events,catalogue,read")["key"]
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--json"],
            cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert server.stdout is not None
    try:
        url = json.loads(server.stdout.readline())["url"]
        with Trailmate(url, key=str(key)) as client:
            yield client
    finally:
        server.terminate()
        server.communicate(timeout=15)


@pytest.fixture(scope="module")
def school() -> School:
    return build_school(N_LEARNERS, seed=11, now=min(NOW, datetime.now(UTC) - timedelta(hours=1)))


@pytest.fixture(scope="module")
def folder(school: School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a school was told of, worked alone, and where three learners asked and chose."""
    folder = tmp_path_factory.mktemp("served")
    with served(folder) as client:
        tell(client, school)
        for learner in range(N_LEARNERS):
            work_alone(client, school, learner, n_steps=N_STEPS)
        asked = [v for i in range(6) for v in visits(client, school, i, n_steps=N_STEPS, n_visits=3)]
        (folder / "visits.json").write_text(
            json.dumps([[v.learner_id, v.offered, v.chosen, v.followed] for v in asked])
        )
        trailmate(folder, "export", "--tenant", "s", "--into", "log")
    return folder


def test_self_chosen_steps_over_http_equal_the_generator_row_by_row(school: School, folder: Path) -> None:
    simulated = simulate_log(school, n_steps=N_STEPS)
    made = pl.concat(simulated.interactions).sort("event_id")
    # What the visits added afterwards comes later in every learner's order.
    alone = read_log(folder / "log").interactions().filter(pl.col("order") < 4 * N_STEPS)
    left = alone.collect().sort("event_id").select(made.columns)
    assert len(made) > 200
    assert_frame_equal(left, made, check_exact=True)


def test_what_the_school_told_comes_back(school: School, folder: Path) -> None:
    simulated = simulate_log(school, n_steps=N_STEPS)
    log = read_log(folder / "log")
    for left, made, key in (
        (log.resources(), simulated.resources, "resource_id"),
        (log.classes(), simulated.classes, "class_id"),
        (log.learners(), simulated.learners, "learner_id"),
    ):
        assert_frame_equal(left.select(made.columns).sort(key), made.sort(key), check_exact=True)


def test_choices_from_a_slate_name_the_decision_they_came_from(school: School, folder: Path) -> None:
    asked = [tuple(visit) for visit in json.loads((folder / "visits.json").read_text())]
    followed = sorted((who, chosen) for who, _, chosen, took in asked if took)
    assert followed
    assert all(chosen in offered for _, offered, chosen, took in asked if took)
    chosen = read_log(folder / "log").interactions().filter(pl.col("kind") == "chosen").collect()
    decided = chosen.filter(pl.col("decision_id").is_not_null())
    assert sorted(decided.select("learner_id", "resource_id").rows()) == followed
    decisions = pl.read_parquet(folder / "log" / "decisions" / "*.parquet")
    offered = decisions.select("decision_id", "learner_id", "resource_id")
    assert decided.join(offered, on=["decision_id", "learner_id", "resource_id"], how="anti").is_empty()
