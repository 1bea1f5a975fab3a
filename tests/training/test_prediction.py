"""`trailmate predict`: one row for each row, from what came before it alone."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from conftest import NOW, train_quietly
from pupils import START, answers, quiet

from engine.bundle import read_bundle
from engine.domain.errors import BadInput, BadLog
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.learner.fold import caught_up, folded, offer_of
from engine.learner.mastery import outlook_on
from engine.learner.model import learner_model_of
from trailmate.cli import main
from training.log import add_to_log, read_log
from training.prediction import predict_file, predictions_of

COLUMNS = ("p", "log_seconds_mean", "log_seconds_sd")


def rows_of(frame):
    return frame.with_columns(
        pl.int_range(pl.len()).alias("row_id") + 100,
        pl.col("item").alias("item_id"),
        pl.col("item").alias("resource_id"),
    ).drop("item", "chance")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("predict") / "log"
    frame = rows_of(answers(30, 20)).with_columns(pl.format("e{}", "row_id").alias("event_id"), source=pl.lit("test"))
    add_to_log(path, interactions=[frame.drop("row_id")], source="test", now=NOW, report=quiet)
    return path


@pytest.fixture(scope="module")
def bundle(log):
    out = log.parent / "bundle"
    train_quietly(log, out)
    return out


@pytest.fixture
def asked(tmp_path):
    def write(frame, name="attempts.parquet"):
        path = tmp_path / name
        frame.write_csv(path) if name.endswith("csv") else frame.write_parquet(path)
        return path

    return write


def predicted(bundle, path):
    return predict_file(bundle, path, report=quiet).rows


def test_a_row_for_each_row_in_the_order_of_the_file(bundle, asked):
    frame = rows_of(answers(4, 12, seed=5)).sample(fraction=1, shuffle=True, seed=1)
    said = predicted(bundle, asked(frame))
    assert said["row_id"].to_list() == frame["row_id"].to_list()
    assert said.columns == ["row_id", *COLUMNS]
    assert all(said[name].is_finite().all() for name in COLUMNS) and said["p"].is_between(0, 1).all()


def test_a_rows_own_outcome_and_time_are_never_read_for_it_but_for_later_ones(bundle, asked):
    frame = rows_of(answers(2, 12, seed=6))
    changed = frame.with_columns(
        outcome=pl.when(pl.col("row_id") == 105).then(1 - pl.col("outcome")).otherwise("outcome"),
        duration_s=pl.when(pl.col("row_id") == 105).then(300.0).otherwise("duration_s"),
    )
    before, after = predicted(bundle, asked(frame, "a.parquet")), predicted(bundle, asked(changed, "b.parquet"))
    same = (before["p"] == after["p"]).to_list()
    assert all(same[:6]) and all(same[12:])
    assert not all(same[6:12])
    assert before["log_seconds_mean"][5] == after["log_seconds_mean"][5]


def test_what_is_predicted_in_a_file_is_what_serving_says_one_event_at_a_time(bundle, asked):
    frame = rows_of(answers(2, 15, seed=7))
    said = predicted(bundle, asked(frame))
    model, offer = learner_model_of(read_bundle(bundle)), offer_of([])
    state = None
    for row, p, mean, sd in zip(frame.iter_rows(named=True), *(said[name] for name in COLUMNS), strict=True):
        if state is None or row["row_id"] == 115:
            state = folded([], model, offer)
        told = outlook_on(state, [(row["item_id"], row["skills"])], model, microseconds(row["at"]))
        assert (told.p[0], told.log_seconds_mean[0], told.log_seconds_sd[0]) == pytest.approx((p, mean, sd), abs=1e-12)
        event = Interaction(
            event_id=str(row["row_id"]), learner_id=row["learner_id"], kind="attempted", source="t",
            resource_id=row["resource_id"], at=row["at"], outcome=row["outcome"], duration_s=row["duration_s"],
            skills=tuple(row["skills"]),
        )  # fmt: skip
        state = caught_up(state, [event], list, model=model, offer=offer)


def test_exposures_unknown_names_and_other_forms_are_answered_too(bundle, asked):
    frame = rows_of(answers(2, 6, seed=8)).with_columns(
        outcome=pl.when(pl.col("row_id") % 3 == 0).then(None).otherwise("outcome"),
        item_id=pl.format("unknown-{}", "row_id"),
    )
    csv = frame.with_columns(pl.col("skills").list.join(";")).drop("at").with_columns(order=pl.col("row_id"))
    for path in (asked(frame), asked(csv, "attempts.csv")):
        said = predicted(bundle, path)
        assert len(said) == 12 and said["p"].is_finite().all() and said["p"].is_between(0.02, 0.98).all()


def test_odd_rows_are_answered_and_counted(bundle, asked):
    frame = rows_of(answers(1, 6, seed=8)).with_columns(
        learner_id=pl.when(pl.col("row_id") == 101).then(None).otherwise("learner_id"),
        outcome=pl.when(pl.col("row_id") == 102).then(7.0).otherwise("outcome"),
        duration_s=pl.when(pl.col("row_id") == 103)
        .then(-5.0)
        .when(pl.col("row_id") == 104)
        .then(1e9)
        .otherwise("duration_s"),
        at=pl.when(pl.col("row_id") == 105).then(START - timedelta(days=40_000)).otherwise("at"),
    )
    done = predict_file(bundle, asked(frame), report=quiet)
    assert done.mended == {"rows without a learner": 1, "outcomes outside [0, 1]": 1}
    assert all(done.rows[name].is_finite().all() for name in COLUMNS)


def test_a_file_that_is_none_is_refused_in_words(bundle, asked, tmp_path):
    with pytest.raises(BadInput, match="learner_id"):
        predict_file(bundle, asked(pl.DataFrame({"row_id": [1], "item_id": ["a"]})), report=quiet)
    with pytest.raises(BadLog, match="does not exist"):
        predict_file(bundle, tmp_path / "nowhere.parquet", report=quiet)


def test_predictions_of_a_log_stand_beside_what_happened(bundle, log):
    told = predictions_of(bundle, read_log(log), quiet)
    assert len(told) == 600 and {"learner_id", "item", "at", "outcome", "duration_s", *COLUMNS} <= set(told.columns)
    last = told.group_by("learner_id", maintain_order=True).agg(pl.col("at").is_sorted())
    assert last["at"].all() and np.isfinite(told["p"].to_numpy()).all()


def test_the_commands_predict_and_evaluate_for_real(bundle, log, asked, tmp_path, capsys):
    """Command line to file: what is judged is what was predicted."""
    frame = rows_of(answers(25, 12, seed=11)).with_columns(pl.format("n{}", "row_id").alias("event_id"))
    path, out = asked(frame), tmp_path / "predictions.csv"
    other = tmp_path / "other"
    add_to_log(other, interactions=[frame.drop("row_id")], source="test", now=NOW, report=quiet)
    for command in (
        ["predict", bundle, path, "--out", out, "--json"],
        ["evaluate", bundle, other, "--json", "--out", other],
    ):
        with pytest.raises(SystemExit) as ended:
            main([*map(str, command), "--json"])
        assert ended.value.code == 0
    said = pl.read_csv(out)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    squares = (said["p"].to_numpy() - frame["outcome"].to_numpy()) ** 2
    assert not told["trained_on_this_log"]
    assert told["all"]["answers"]["metrics"]["rmse"]["value"] == pytest.approx(np.sqrt(squares.mean()), abs=1e-6)
    assert (other / "reliability.png").stat().st_size > 5_000
