"""What is compiled says what numpy says: what a state tells of skills, what steps are worth, what speaks most."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.history import microseconds
from engine.learner import gains, line, menu
from engine.learner.fold import folded
from engine.learner.kernels import library
from engine.learner.line import LINE_COLUMNS, Line
from engine.learner.menu import known_of
from engine.ranking import neighbours, objective, steps
from engine.ranking.neighbours import Neighbours
from engine.ranking.objective import added_by_learning
from engine.ranking.worth import worth_of
from tests.lessons import NOW, practice

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")
law = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW_US = microseconds(NOW)


def in_numpy(call, *modules):
    """What is said where nothing was compiled."""
    with pytest.MonkeyPatch.context() as patch:
        for module in modules:
            patch.setattr(module, "library", lambda: None)
        return call()


def equal(one, other, names):
    for name in names:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=1e-15, err_msg=name)


@law
@given(seed=st.integers(0, 10_000), n_events=st.sampled_from([0, 1, 20, 60]), goal=st.booleans())
def test_skills_are_known_and_steps_are_worth_the_same(lesson, seed, n_events, goal):
    rng, teaching = np.random.default_rng(seed), lesson.teaching
    state = folded(practice(lesson, seed, n=n_events), lesson.learner, lesson.offer)
    rows = np.sort(rng.permutation(len(lesson.catalogue))[: rng.integers(0, len(lesson.catalogue))])
    every = np.arange(len(teaching.menu.skills))
    asked = np.sort(rng.permutation(every)[: rng.integers(1, len(every))]) if goal else every
    aims = asked[rng.random(len(asked)) < 0.3]

    def said():
        known = known_of(teaching.menu, rows, asked, state=state, model=lesson.learner, now_us=NOW_US)
        worth = worth_of(teaching.menu, known, teaching.gains, aims)
        model, weights = lesson.learner, lesson.weights
        return (
            known,
            worth,
            added_by_learning(teaching.menu, known, worth, state, model=model, weights=weights, has_goal=goal),
        )

    compiled, plain = said(), in_numpy(said, menu, gains, line, steps, objective)
    equal(compiled[0], plain[0], ("p", "minutes", "own", "mastery", "known", "against", "information", "facts"))
    equal(compiled[1], plain[1], ("rate", "place", "skill", "gain", "value", "readiness"))
    assert compiled[1].opens == plain[1].opens
    np.testing.assert_allclose(compiled[2], plain[2], rtol=1e-12, atol=1e-15)
    assert np.isnan(compiled[0].known[np.setdiff1d(every, asked)]).all()


@given(seed=st.integers(0, 2**32), n=st.integers(0, 20), more=st.integers(0, 3))
def test_a_line_says_the_same_to_the_last_bit(seed, n, more):
    rng, width = np.random.default_rng(seed), len(LINE_COLUMNS)
    straight = Line(rng.normal(size=width), rng.uniform(0.1, 2, width), rng.normal(size=width), rng.normal(size=1))
    x = rng.normal(scale=4, size=(n, width + more)).astype(np.float32)
    np.testing.assert_array_equal(straight.logits(x), straight.summed(x))


@given(seed=st.integers(0, 2**32), n_rows=st.integers(0, 8), n_others=st.integers(0, 6))
def test_what_speaks_most_is_the_same(seed, n_rows, n_others):
    rng, n = np.random.default_rng(seed), 12
    lists = [np.sort(rng.permutation(n)[: rng.integers(0, n)]) for _ in range(n)]
    arrays = {
        "ease_starts": np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64),
        "ease_neighbour": np.concatenate(lists).astype(np.int32),
        # Some are level, so that equals must keep their order.
        "ease_weight": np.round(rng.normal(size=sum(map(len, lists))), 1).astype(np.float32),
    }
    matrix = Neighbours(arrays, "ease", n)
    # One that nobody knows, and one named twice.
    rows, others = rng.permutation(n)[:n_rows], np.append(rng.integers(0, n + 2, n_others), [n, 3, 3])
    compiled = matrix.strongest(rows, others)
    np.testing.assert_array_equal(compiled, in_numpy(lambda: matrix.strongest(rows, others), neighbours))
    assert compiled[-1].tolist() == compiled[-2].tolist()


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 30), max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_minutes_are_the_same_whoever_asks_first(lesson, seed, cuts):
    rng, state = np.random.default_rng(seed), folded(practice(lesson, seed, n=20), lesson.learner, lesson.offer)
    rows = np.arange(len(lesson.catalogue))[:30]

    def known():
        nothing = np.empty(0, np.int64)
        return known_of(lesson.teaching.menu, rows, nothing, state=state, model=lesson.learner, now_us=NOW_US)

    whole, bit_by_bit = known().minutes, known()
    for n in cuts:
        places = rng.integers(0, len(rows), n)
        np.testing.assert_array_equal(bit_by_bit.takes.with_those(places)[places], whole[places])
    np.testing.assert_array_equal(known().takes.first(7).of_all(), whole[:7])
    np.testing.assert_array_equal(bit_by_bit.minutes, whole)
