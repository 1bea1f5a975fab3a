"""The fit of the learner model: better than what is simpler, the same twice, and sensible where there is little."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from pupils import answers, events_of, quiet

from engine.domain.history import microseconds
from engine.learner.fold import folded, offer_of
from engine.learner.kernels import encode
from engine.learner.mastery import skill_masteries
from engine.learner.model import Outlook, arrays_of, learner_model_from, settings_of
from engine.learner.rows import item_key, skill_key
from training.attempts import attempts_of, vocabulary_of
from training.chances import LEAST_TREE_ROWS
from training.difficulties import N_FOLDS, fit_statics, folds_of
from training.learner_metrics import answer_metrics, pace_metrics
from training.learner_models import fit_learner_model
from training.paces import LEAST_ROWS
from training.prediction import outlook_of
from training.trees import constant, forest_of, mean_of

NAMES = tuple(Outlook.__dataclass_fields__)


def fitted(frame, seed=0):
    return fit_learner_model(frame, minutes={}, format_mix={"exercise": 1.0}, seed=seed, report=quiet)


def rows_of_learners(frame):
    return frame["learner_id"].rank("dense").cast(pl.Int64).to_numpy() - 1


@pytest.fixture(scope="module")
def school():
    frame = answers()
    later = frame["learner_id"] >= "l045"
    return frame.filter(~later), frame.filter(later)


@pytest.fixture(scope="module")
def model(school):
    return fitted(school[0])


def test_new_learners_are_predicted_better_than_by_the_mean_of_items_and_honestly(school, model):
    seen, new = school
    said = outlook_of(attempts_of(new, model.vocabulary), model, report=quiet)
    right, learner = new["outcome"].to_numpy() >= 0.5, rows_of_learners(new)
    ours = answer_metrics(right, said.p, learner, seed=0)
    by_item = dict(seen.group_by("item").agg(pl.col("outcome").mean()).iter_rows())
    means = new["item"].replace_strict(by_item, return_dtype=pl.Float64).to_numpy()
    plain = answer_metrics(right, means, learner, seed=0)
    assert ours["auc"].value > plain["auc"].value + 0.03
    assert ours["log_loss"].value < plain["log_loss"].value - 0.02
    assert np.abs(said.p - new["chance"].to_numpy()).mean() < 0.15
    pace = pace_metrics(
        np.log(new["duration_s"].to_numpy()), said.log_seconds_mean, said.log_seconds_sd, learner, seed=0
    )
    assert 0.7 < pace["coverage80"].value < 0.9
    assert pace["mae"].value < np.abs(np.log(new["duration_s"].to_numpy()) - 3).mean() - 0.05


def test_nine_in_ten_intervals_of_mastery_hold_the_truth(school, model):
    """The truth: the chance on the items most met under the skill, which `answers` draws it all from."""
    rng = np.random.default_rng(1)
    able, hard = rng.normal(0, 1, 60), rng.normal(0, 1, 24)
    item_of = {item_key(f"i{i:02d}"): i for i in range(24)}
    items = [item_of[int(key)] for key in model.vocabulary.item_keys]
    held = []
    for (learner_id,), theirs in school[1].group_by("learner_id"):
        state = folded(events_of(theirs), model, offer_of([]))
        now_us = microseconds(theirs["at"].max() + timedelta(minutes=1))
        for said in skill_masteries(state, ["s0", "s1", "s2", "s3"], model, now_us):
            met = theirs["skills"].list.contains(said.skill_id).sum()
            usual = model.skill_items[model.vocabulary.skill_row(skill_key(said.skill_id))]
            logit = able[int(learner_id[1:])] - hard[[items[row] for row in usual]] + 0.15 * met
            held.append(said.low <= (1 / (1 + np.exp(-logit))).mean() <= said.high)
    assert 0.8 < np.mean(held) < 1


def test_the_same_log_and_seed_give_the_same_arrays(school, model):
    again = arrays_of(fitted(school[0]))
    for name, array in arrays_of(model).items():
        assert np.array_equal(array, again[name]), name


def test_a_model_read_back_from_its_arrays_says_the_same(school, model):
    again = learner_model_from(arrays_of(model), settings_of(model), version="x")
    attempts = attempts_of(school[1], model.vocabulary)
    before, after = (outlook_of(attempts, m, report=quiet) for m in (model, again))
    for name in NAMES:
        assert np.array_equal(getattr(before, name), getattr(after, name))


def test_difficulties_a_learner_is_read_with_do_not_know_their_answers():
    frame = answers(n_learners=24, n_each=12)
    flipped = frame.with_columns(
        outcome=pl.when(pl.col("learner_id") == "l003").then(1 - pl.col("outcome")).otherwise("outcome")
    )
    both = []
    for some in (frame, flipped):
        vocabulary = vocabulary_of(some, {})
        statics, folds = fit_statics(attempts_of(some, vocabulary), vocabulary)
        both.append((statics, folds))
    (before, folds), (after, _) = both
    # Abilities start from the mean and from each other's difficulties; nothing of the flipped fold enters directly.
    assert before.mean != after.mean
    own, other = int(folds[3]), int((folds[3] + 1) % N_FOLDS)
    moved = np.abs(before.item_b - after.item_b).mean(1)
    assert moved[own] < 0.25 * moved[other]


def test_folds_share_rows_evenly_and_keep_learners_whole():
    sizes = np.array([1000, 10, 10, 10, 500, 500, 1, 1, 400, 300, 200, 100])
    folds = folds_of(sizes)
    load = np.bincount(folds, sizes, N_FOLDS)
    assert load.max() == 1000 and set(folds) == set(range(N_FOLDS))


@pytest.mark.parametrize(
    "frame",
    [
        answers(1, 0),
        answers(1, 1),
        answers(1, 30),
        answers(3, 8).with_columns(outcome=pl.lit(None, pl.Float64)),
        answers(3, 8).with_columns(duration_s=pl.lit(None, pl.Float64)),
        answers(3, 8).with_columns(skills=pl.lit([], pl.List(pl.String))),
        answers(3, 8).with_columns(outcome=pl.lit(1.0)),
        answers(3, 8, clock=False),
        answers(20, LEAST_ROWS // 20 + 1),
        answers(1, LEAST_TREE_ROWS + 100, clock=False),
    ],
    ids=["empty", "one row", "one learner", "only exposures", "no times", "no skills", "all right", "no clock",
         "just enough for trees of times", "one learner with much to say"],
)  # fmt: skip
def test_however_little_there_is_the_answer_is_finite_and_sane(frame):
    model = fitted(frame)
    asked = answers(2, 6, n_items=40, seed=9)
    said = outlook_of(attempts_of(asked, model.vocabulary), model, report=quiet)
    assert all(np.isfinite(getattr(said, name)).all() for name in NAMES)
    assert ((said.p > 0) & (said.p < 1)).all() and (said.log_seconds_sd > 0).all()
    assert np.isfinite(model.doubt).all() and min(model.doubt) >= 0


def test_few_answers_already_tell_easy_items_from_hard_ones():
    frame = answers(30, 10, n_items=6, seed=3)
    model = fitted(frame)
    asked = answers(1, 40, n_items=6, seed=3).unique("item", keep="first", maintain_order=True)
    fresh = asked.with_columns(learner_id=pl.col("item"))
    said = outlook_of(attempts_of(fresh.sort("learner_id"), model.vocabulary), model, report=quiet)
    order = fresh.sort("learner_id")["item"].to_list()
    means = dict(frame.group_by("item").agg(pl.col("outcome").mean()).iter_rows())
    assert np.corrcoef(said.p, [means[i] for i in order])[0, 1] > 0.8


def test_without_a_clock_only_the_order_counts(school):
    without_times = school[0].with_columns(at=pl.lit(None, pl.Datetime("us", "UTC")))
    model = fitted(without_times)
    new = school[1].with_columns(at=pl.lit(None, pl.Datetime("us", "UTC")))
    said = outlook_of(attempts_of(new, model.vocabulary), model, report=quiet)
    metrics = answer_metrics(new["outcome"].to_numpy() >= 0.5, said.p, rows_of_learners(new), seed=0)
    assert metrics["auc"].value > 0.7


def test_a_graded_score_counts_as_the_success_or_failure_it_is():
    frame = answers(40, 30)
    graded = frame.with_columns(outcome=0.1 + 0.3 * pl.col("outcome") + 0.2 * pl.col("outcome"))
    both = [outcome_free(some) for some in (frame, graded)]
    assert np.array_equal(*both)


def outcome_free(frame):
    return outlook_of(attempts_of(frame, (model := fitted(frame)).vocabulary), model, report=quiet).p


def test_the_mean_of_forests_is_the_mean_of_their_sums():
    x = np.zeros((3, 1), np.float32)
    assert mean_of([constant(1.0), constant(4.0)]).sums(x) == pytest.approx([2.5] * 3)
    assert forest_of([{"tree_structure": {"leaf_value": 0.5}}]).sums(x) == pytest.approx([0.5] * 3)


def test_encoding_two_halves_apart_equals_encoding_at_once(school, model):
    attempts = attempts_of(school[0], model.vocabulary)
    folds = np.zeros(attempts.n_learners, np.int32)
    whole = encode(model.prepared, attempts.rows, attempts.learner_ptr, folds=folds, columns=model.columns)
    apart = np.empty_like(whole)
    kept = np.arange(len(attempts.rows), dtype=np.int64)
    for half in ((0, 10), (10, attempts.n_learners)):
        encode(
            model.prepared, attempts.rows, attempts.learner_ptr,
            folds=folds, columns=model.columns, kept=kept, learners=half, out=apart,
        )  # fmt: skip
    assert np.array_equal(whole, apart)
