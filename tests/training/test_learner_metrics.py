import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.learner_metrics import (
    answer_metrics,
    auc_statistic,
    half_gains,
    learner_aucs,
    mean_metrics,
    mean_of_others,
    pace_metrics,
    reliability,
    with_intervals,
)

# Few distinct values, so that ties and the edges of bins are met often.
PROBABILITIES = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.5, 0.7, 0.95, 1.0])
ANSWERS = st.lists(st.tuples(st.integers(0, 4), st.booleans(), PROBABILITIES), min_size=1, max_size=60)


def arrays(rows):
    learner, success, p = zip(*rows, strict=True)
    return np.array(success), np.array(p), np.array(learner, dtype=np.int64)


def auc_by_pairs(success, p):
    """Every success against every failure, by definition."""
    pairs = [(a > b) + 0.5 * (a == b) for a in p[success] for b in p[~success]]
    return float(np.mean(pairs)) if pairs else float("nan")


def restated(success, p, learner):
    """Every metric from its definition, in loops."""
    clipped = [min(max(x, 1e-4), 1 - 1e-4) for x in p]
    gaps = 0.0
    for low in range(10):
        rows = [i for i, x in enumerate(p) if min(int(x * 10), 9) == low]
        gaps += abs(sum(p[i] - success[i] for i in rows))
    own = [auc_by_pairs(success[learner == x], p[learner == x]) for x in set(learner) if (learner == x).sum() >= 10]
    own = [x for x in own if not np.isnan(x)]
    return {
        "auc": auc_by_pairs(success, p),
        "log_loss": -float(np.mean([np.log(q if y else 1 - q) for q, y in zip(clipped, success, strict=True)])),
        "ece": gaps / len(p),
        "accuracy": float(np.mean([(x >= 0.5) == y for x, y in zip(p, success, strict=True)])),
        "rmse": float(np.sqrt(np.mean([(x - y) ** 2 for x, y in zip(p, success, strict=True)]))),
        "bias": float(np.mean([x - y for x, y in zip(p, success, strict=True)])),
        "learner_auc": float(np.mean(own)) if own else float("nan"),
    }


@settings(max_examples=40, deadline=None)
@given(ANSWERS)
def test_answer_metrics_are_what_their_definitions_say(rows):
    success, p, learner = arrays(rows)
    found = answer_metrics(success, p, learner, seed=0)
    expected = restated(success, p, learner)
    assert {name: m.value for name, m in found.items()} == pytest.approx(expected, nan_ok=True)
    assert found["auc"].n_learners == len(set(learner))


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.lists(st.integers(0, 3), min_size=5, max_size=5))
def test_a_weighted_auc_is_that_of_the_repeated_learners(rows, times):
    success, p, learner = arrays(rows)
    repeated = np.concatenate([np.flatnonzero(learner == x).repeat(n) for x, n in enumerate(times)])
    found = auc_statistic(success, p, learner)(np.array(times, dtype=np.float64))
    assert found == pytest.approx(auc_by_pairs(success[repeated], p[repeated]), nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(ANSWERS)
def test_each_learners_auc_is_that_of_their_answers_alone(rows):
    success, p, learner = arrays(rows)
    expected = [auc_by_pairs(success[learner == x], p[learner == x]) for x in range(max(learner) + 1)]
    assert learner_aucs(success, p, learner) == pytest.approx(expected, nan_ok=True)


def test_pace_metrics_by_hand():
    mean, sd, truth = np.array([1.0, 2.0]), np.array([1.0, 0.5]), np.array([1.0, 3.0])
    found = pace_metrics(truth, mean, sd, np.array([0, 1]), seed=0)
    at_centre, two_away = 0.5 * np.log(2 * np.pi), 0.5 * np.log(2 * np.pi) + np.log(0.5) + 2.0
    expected = {"mae": 0.5, "rmse": np.sqrt(0.5), "nll": (at_centre + two_away) / 2, "coverage80": 0.5, "bias": -0.5}
    assert {name: m.value for name, m in found.items()} == pytest.approx(expected)


def test_coverage_of_true_normals_is_eighty_percent():
    rng = np.random.default_rng(0)
    sd = rng.uniform(0.2, 2, 20_000)
    truth = rng.normal(1.0, sd)
    found = pace_metrics(truth, np.ones(20_000), sd, np.arange(20_000) % 500, seed=0)
    assert found["coverage80"].low < 0.8 < found["coverage80"].high
    assert found["coverage80"].high - found["coverage80"].low < 0.02


def test_the_interval_is_over_learners_and_not_over_rows():
    values = np.repeat([0.0, 1.0, 0.0, 1.0], 1000)
    together = mean_metrics({"x": values}, np.repeat(np.arange(4), 1000), seed=0)["x"]
    apart = mean_metrics({"x": values}, np.arange(4000), seed=0)["x"]
    assert (together.low, together.high) == (0.0, 1.0)
    assert apart.high - apart.low < 0.05


def test_same_seed_same_interval_and_nobody_no_number():
    success, p, learner = arrays([(i % 7, i % 3 > 0, (i % 10) / 10) for i in range(70)])
    assert answer_metrics(success, p, learner, seed=3) == answer_metrics(success, p, learner, seed=3)
    assert answer_metrics(success, p, learner, seed=3) != answer_metrics(success, p, learner, seed=4)
    nobody = with_intervals({"auc": auc_statistic(success[:0], p[:0], learner[:0])}, 0, {}, seed=0)["auc"]
    assert np.isnan([nobody.value, nobody.low, nobody.high]).all()


def test_reliability_counts_every_answer_once_and_the_last_bin_holds_one():
    success, p = np.array([True, False, True, True]), np.array([0.0, 0.05, 0.1, 1.0])
    assert reliability(success, p) == [
        {"from": 0.0, "to": 0.1, "answers": 2, "predicted": 0.025, "observed": 0.5},
        {"from": 0.1, "to": 0.2, "answers": 1, "predicted": 0.1, "observed": 1.0},
        {"from": 0.9, "to": 1.0, "answers": 1, "predicted": 1.0, "observed": 1.0},
    ]


def test_the_gain_is_the_later_half_less_the_earlier_one():
    learner = np.array([2, 0, 2, 0, 2, 0, 0, 2, 2])
    values = np.array([0.0, 1.0, 0.5, 1.0, 9.0, 0.0, 0.0, 1.0, 1.0])
    gains, n = half_gains(values, learner)
    assert gains == pytest.approx([-1.0, np.nan, 0.75], nan_ok=True)
    assert n.tolist() == [4, 0, 5]


def test_an_items_difficulty_is_what_others_are_predicted_on_it():
    p, item, learner = np.array([0.2, 0.4, 0.9, 0.1]), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert mean_of_others(p, item, learner, strength=1e-9) == pytest.approx([0.9, 0.9, 0.3, p.mean()])
    assert mean_of_others(p, item, learner, strength=2.0)[0] == pytest.approx((0.9 + 2 * p.mean()) / 3)
