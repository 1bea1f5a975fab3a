import numpy as np
import pytest

from training.blend import Choices, fitted_weights


def choices(weights, n_queries=400, width=12, seed=0):
    """Takings drawn from a conditional logit with these weights."""
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(len(weights), n_queries, width)).astype(np.float32)
    scores = np.tensordot(weights, terms, 1) + rng.gumbel(size=(n_queries, width))
    taken = scores == scores.max(axis=1, keepdims=True)
    return Choices(terms, taken, np.ones_like(taken))


def test_the_weights_that_made_the_choices_are_found_again():
    truth = np.array([1.5, -0.7, 0.0])
    found = fitted_weights([choices(truth, 4000)], np.zeros(3), timed=False)
    assert found == pytest.approx(truth, abs=0.12)


def test_without_queries_the_prior_stands_and_with_few_it_is_near():
    prior = np.array([1.0, 0.0])
    nothing = Choices(np.zeros((2, 0, 0), np.float32), np.zeros((0, 0), bool), np.zeros((0, 0), bool))
    assert fitted_weights([nothing], prior, timed=True).tolist() == prior.tolist()
    few = fitted_weights([choices(np.array([-3.0, 3.0]), 4)], prior, timed=True)
    many = fitted_weights([choices(np.array([-3.0, 3.0]), 3000)], prior, timed=True)
    assert np.linalg.norm(few - prior) < np.linalg.norm(many - prior) / 3


def test_padding_changes_nothing():
    truth = np.array([1.0, -1.0])
    given = choices(truth)
    pad = ((0, 0), (0, 0), (0, 7))
    padded = Choices(np.pad(given.terms, pad), np.pad(given.taken, pad[1:]), np.pad(given.real, pad[1:]))
    plain = fitted_weights([given], np.zeros(2), timed=False)
    # The spread is taken over real candidates only, so both optimisations walk the same way.
    assert fitted_weights([padded], np.zeros(2), timed=False) == pytest.approx(plain, abs=1e-3)
