import numpy as np
import pytest

from training.metrics import ideal_gain, interval, ranking_metrics, summary


def test_ranking_metrics_by_hand():
    hits = np.zeros((3, 10), bool)
    hits[0, [0, 2]] = True
    hits[1, 3] = True
    found = ranking_metrics(hits, np.array([2, 1, 4]))
    best = 1 + 1 / np.log2(3)
    assert found["ndcg@10"] == pytest.approx([(1 + 1 / np.log2(4)) / best, 1 / np.log2(5), 0.0])
    assert found["recall@10"] == pytest.approx([1.0, 1.0, 0.0])
    assert found["mrr"] == pytest.approx([1.0, 0.25, 0.0])


def test_more_to_find_than_places_still_reaches_one():
    assert ranking_metrics(np.ones((1, 10), bool), np.array([25]))["ndcg@10"] == pytest.approx([1.0])
    assert ideal_gain(np.array([25]), 10) == ideal_gain(np.array([10]), 10)


def test_the_interval_holds_the_mean_and_narrows_with_more_learners():
    rng = np.random.default_rng(0)
    few, many = rng.random(20), rng.random(2000)
    low, high = interval(few, seed=1)
    assert low < few.mean() < high
    assert np.diff(interval(many, seed=1))[0] < high - low
    assert interval(few, seed=1) == (low, high)


def test_no_learners_give_no_numbers_rather_than_zeros():
    assert np.isnan(summary({"mrr": np.zeros(0)}, seed=0)["mrr"]["mean"])
