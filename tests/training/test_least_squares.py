"""Factors of iALS fold a learner in as training itself would have placed them, and old votes fade to nothing."""

from dataclasses import replace

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.least_squares import LeastSquares
from engine.ranking.popularity import DAY_US
from training.least_squares import least_squares_arrays
from training.relevance_models import ModelSettings
from training.votes import Votes

SETTINGS = ModelSettings(ials_dimensions=6, ials_penalty=2.0, recent_ials_half_lives=(10.0,))
N_LEARNERS, N_RESOURCES = 60, 20


@pytest.fixture(scope="module")
def votes():
    rng = np.random.default_rng(3)
    taken = rng.random((N_LEARNERS, N_RESOURCES)) < 0.3
    learner, resource = np.nonzero(taken)
    n = len(learner)
    return Votes(
        IdMap(f"u{i}" for i in range(N_LEARNERS)), IdMap(f"r{i:02}" for i in range(N_RESOURCES)), IdMap([""]),
        IdMap([""]), np.zeros(1, np.int32), np.array([NO_TIME]), learner.astype(np.int32), resource.astype(np.int32),
        np.zeros(n, np.int32), rng.integers(0, 30, n) * DAY_US, np.arange(n), np.zeros(n, np.int64),
    )  # fmt: skip


def _asked(rows, at_us, now_us=NO_TIME):
    return Query(
        learner_id="x", known=True, now_us=now_us, history=History(np.array(rows, np.int32), np.array(at_us, np.int64))
    )


def test_folding_in_is_what_the_library_itself_does(votes):
    arrays = least_squares_arrays(votes, SETTINGS, seed=0)
    matrix = sparse.csr_matrix(
        (np.full(len(votes), SETTINGS.ials_confidence, np.float32), (votes.learner, votes.resource)),
        shape=(N_LEARNERS, N_RESOURCES),
    )
    model = AlternatingLeastSquares(
        factors=6, regularization=2.0, alpha=1.0, iterations=SETTINGS.ials_passes, num_threads=1, random_state=0
    )
    model.fit(matrix, show_progress=False)
    scorer = LeastSquares(arrays, "ials")
    for learner in range(0, N_LEARNERS, 7):
        rows = votes.resource[votes.learner == learner]
        folded = scorer.learner(_asked(rows, np.full(len(rows), NO_TIME)))
        np.testing.assert_allclose(folded, model.recalculate_user(learner, matrix[learner]), atol=2e-4)


def test_an_old_vote_is_as_if_it_had_never_been_offered_and_a_fresh_one_counts(votes):
    scorer = LeastSquares(least_squares_arrays(votes, SETTINGS, seed=0), "ials_10d")
    now_us = 10_000 * DAY_US
    fresh = scorer.score(_asked([4], [now_us], now_us))
    stale = scorer.score(_asked([4], [0], now_us))
    assert fresh.max() > 0.0
    assert np.allclose(stale, 0.0, atol=1e-6)


def test_decayed_factors_need_a_clock(votes):
    timeless = replace(votes, at_us=np.full(len(votes), NO_TIME))
    assert {"ials_solve", "ials_10d_solve"} <= least_squares_arrays(votes, SETTINGS, seed=0).keys()
    assert "ials_10d_solve" not in least_squares_arrays(timeless, SETTINGS, seed=0)


def test_without_a_vote_nothing_is_said(votes):
    nobody = votes.where(np.zeros(len(votes), bool))
    scorer = LeastSquares(least_squares_arrays(nobody, SETTINGS, seed=0), "ials")
    assert np.isnan(scorer.score(_asked([], []))).all()
    assert not scorer.score(_asked([1], [NO_TIME])).any()
