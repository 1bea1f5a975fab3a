"""The law by which answers tell whether a skill is known is found in a log that follows it; without one it is usual."""

import numpy as np
import pytest

from engine.learner.tracing import USUAL_TRACING
from training.tracing import Met, fit_tracing

KEYS = np.arange(1, 5, dtype=np.uint64)


def met_by(n_learners, *, guess, slip, learns, priors, n_answers=8, seed=1):
    """What learners of this law had done on four skills after each of their answers."""
    rng = np.random.default_rng(seed)
    known = rng.random((n_learners, len(priors))) < priors
    shape = (n_answers, *known.shape)
    n, recent = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for k in range(n_answers):
        right = rng.random(known.shape) < np.where(known, 1 - slip, guess)
        recent[k] = (recent[k - 1] if k else 0) << 1 | right
        n[k] = k + 1
        known |= rng.random(known.shape) < learns
    step, learner, skill = (place.ravel() for place in np.indices(shape))
    code = (learner * len(priors) + skill) * n_answers + step
    order = np.argsort(code)
    n, recent = n.ravel()[order], recent.ravel()[order]
    return Met(code[order], skill[order], n, recent, np.zeros(len(n), np.int64), len(priors), n_answers)


def test_the_law_of_a_log_is_found():
    priors = np.array([0.1, 0.3, 0.5, 0.7])
    law = fit_tracing(met_by(1500, guess=0.25, slip=0.12, learns=0.2, priors=priors), KEYS)
    assert law.guess == pytest.approx(0.25, abs=0.03)
    assert law.slip == pytest.approx(0.12, abs=0.03)
    assert law.learns == pytest.approx(0.2, abs=0.04)
    np.testing.assert_allclose(law.priors, priors, atol=0.06)


def test_what_answers_say_of_one_skill_is_said_of_those_nobody_knew():
    """Two skills are learned, two never: right answers on these speak for knowing all the same."""
    priors = np.array([0.5, 0.5, 0.0, 0.0])
    learns = np.array([0.3, 0.3, 0.0, 0.0])
    law = fit_tracing(met_by(1500, guess=0.2, slip=0.1, learns=learns, priors=priors), KEYS)
    assert law.priors[2:].max() < 0.1
    n, recent, seen = np.array([4, 4]), np.array([0b1111, 0b0100]), np.zeros(2)
    likely, unlikely = law.known(law.priors[2:], n, recent, seen)
    assert likely > 0.7 > 0.3 > unlikely


def test_without_answers_the_usual_law_stands():
    none = np.zeros(0, np.int64)
    law = fit_tracing(Met(none, none, none, none, none, 4, 1), KEYS)
    assert law.as_json() == USUAL_TRACING.as_json()
    np.testing.assert_array_equal(law.prior_of(KEYS), np.full(4, USUAL_TRACING.prior))


def test_before_a_row_counts_what_came_before_it_and_nothing_of_others():
    met = met_by(3, guess=0.2, slip=0.1, learns=0.2, priors=np.full(4, 0.5), n_answers=5)
    learner, skill = np.array([1, 1, 2]), np.array([3, 3, 0])
    n, recent, _, idle = met.before(learner, skill, np.array([0, 4, 5]))
    np.testing.assert_array_equal(n, [0, 4, 5])
    np.testing.assert_array_equal(idle, [0, 0, 0])
    after_four = (met.skill == 3) & (met.code // met.n_rows == 1 * 4 + 3) & (met.n == 4)
    assert recent[1] == met.recent[after_four][0]
