"""A bundle carries what held-out choices have a use for, and answers as it would with the rest."""

from dataclasses import replace

import numpy as np
import pytest

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.beside import arrays_of
from engine.ranking.popularity import DAY_US
from engine.ranking.usual_order import UsualOrder
from training.blend import Choices
from training.fitting import School, fit
from training.pruning import Weighing
from training.relevance_models import ModelSettings
from training.usual_order import usual_order_arrays
from training.votes import Votes

N = 12


def _choices(weights, *, seed, n_queries=300):
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(len(weights), n_queries, N)).astype(np.float32)
    scores = np.tensordot(weights, terms, 1) + rng.gumbel(size=(n_queries, N))
    taken = scores == scores.max(axis=1, keepdims=True)
    return Choices(terms, taken, np.ones_like(taken))


def _weighing(truth, *, judged=300):
    return Weighing(
        [_choices(truth, seed=0)], _choices(truth, seed=1, n_queries=judged), np.array([1.0, 0.0, 0.0]), (1, 2), True
    )


def test_a_scorer_is_kept_that_helps_and_none_that_does_not():
    assert _weighing(np.array([1.0, 1.5, 0.0])).helpful() == (1,)
    assert _weighing(np.array([1.0, 0.0, 0.0])).helpful() == ()


def test_too_few_queries_keep_nothing():
    assert _weighing(np.array([1.0, 1.5, 0.0]), judged=20).helpful() == ()


@pytest.fixture(scope="module")
def fitted():
    rows = [(u, r, (2 * r + u % 2) * DAY_US) for u in range(40) for r in range(N) if (u + r) % 3]
    learner, resource, at_us = (np.array(c) for c in zip(*rows, strict=True))
    votes = Votes(
        IdMap(f"u{i:02}" for i in range(40)), IdMap(f"r{i:02}" for i in range(N)), IdMap([""]), IdMap([""]),
        np.zeros(1, np.int32), np.array([NO_TIME]), learner.astype(np.int32), resource.astype(np.int32),
        np.zeros(len(rows), np.int32), at_us.astype(np.int64), np.arange(len(rows)), at_us.astype(np.int64),
    )  # fmt: skip
    return fit(School(votes, {}, {}), ModelSettings(factor_dimensions=4, factor_epochs=1), seed=0), votes


def test_pruning_leaves_the_answers_and_takes_the_arrays(fitted):
    whole, _ = fitted
    names = whole.settings["terms"]
    weights = np.array([1.0 if n in ("recent_7d", "ease", "ials") else 0.0 for n in names])
    whole = whole.weighted(guided=weights, unguided=weights)
    small = whole.pruned()
    assert small.settings["beside"] == ["ials"]
    for name in ("usual_order", "ials_21d", "next_14d", "ease_7d"):
        assert not set(arrays_of(name)) & small.arrays.keys()
    assert not [name for name in small.arrays if name.startswith("pulse_")]
    rows = np.arange(3, dtype=np.int32)
    query = Query(
        learner_id="x", known=True, history=History(rows, np.full(3, 7 * DAY_US)), now_us=8 * DAY_US,
    )  # fmt: skip
    everything = np.arange(N, dtype=np.int32)
    by_term = whole.model.contributions(whole.model.terms(query), N)
    np.testing.assert_allclose(whole.model.scored(query, everything).sum(axis=0), by_term.sum(axis=0))
    assert by_term[names.index("ials")].any()
    np.testing.assert_allclose(small.model.scored(query, everything), whole.model.scored(query, everything))


def test_the_usual_order_says_whose_turn_it_is(fitted):
    _, votes = fitted
    scorer = UsualOrder(usual_order_arrays(votes))
    rows = np.array([3, 4, 5], np.int32)
    query = Query(learner_id="x", known=True, history=History(rows, np.full(3, DAY_US)), now_us=2 * DAY_US)
    said = scorer.score(query)
    assert said[6] > said[9] > said[11]
    assert said[5] > said[2] > said[0]
    assert np.isnan(scorer.score(replace(query, history=History.empty()))).all()


def test_without_a_clock_there_is_no_usual_order(fitted):
    _, votes = fitted
    assert usual_order_arrays(replace(votes, at_us=np.full(len(votes), NO_TIME))) == {}
