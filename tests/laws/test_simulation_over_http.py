"""A school driven over real HTTP leaves the log that the generator writes, row by row."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from experiments.simulation.generator import simulate_log
from experiments.simulation.school import School, build_school
from experiments.simulation.workflows import tell, visits, work_alone
from tests.served import key_for, served
from trailmate import Trailmate
from trailmate.cli import main
from training.log import read_log

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
N_LEARNERS, N_STEPS = 6, 6


@pytest.fixture(scope="module")
def school() -> School:
    return build_school(N_LEARNERS, seed=11, now=min(NOW, datetime.now(UTC) - timedelta(hours=1)))


@pytest.fixture(scope="module")
def folder(school: School, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a school was told of, worked alone, asked and chose; `log` is what the store exported of it."""
    folder = tmp_path_factory.mktemp("served")
    key = key_for(folder, "recommend", "events", "catalogue", "read")
    with served(folder) as server, Trailmate(server.url, key=key) as client:
        tell(client, school)
        for learner in range(N_LEARNERS):
            work_alone(client, school, learner, n_steps=N_STEPS)
        asked = [v for i in range(3) for v in visits(client, school, i, n_steps=N_STEPS, n_visits=3)]
        (folder / "visits.json").write_text(
            json.dumps([[v.learner_id, v.offered, v.chosen, v.followed] for v in asked])
        )
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit, match="0"):
        patched.setenv("TRAILMATE_DATA", str(folder))
        main(["export", "--into", str(folder / "log"), "--json"])
    return folder


def test_self_chosen_steps_over_http_equal_the_generator_row_by_row(school: School, folder: Path) -> None:
    simulated = simulate_log(school, n_steps=N_STEPS)
    made = pl.concat(simulated.interactions).sort("event_id")
    # What the visits added afterwards comes later in every learner's order.
    alone = read_log(folder / "log").interactions().filter(pl.col("order") < 4 * N_STEPS)
    left = alone.collect().sort("event_id").select(made.columns)
    assert len(made) > 150
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
