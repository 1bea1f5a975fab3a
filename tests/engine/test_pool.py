"""Which of many candidates are looked at closely."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.learner.kernels import library
from engine.ranking.best import best_rows, sorted_rows
from engine.ranking.pool import Offered, pool_of

law = settings(max_examples=200, deadline=None, derandomize=True)
SCORES = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, np.inf, -np.inf, np.nan]) | st.floats(-9, 9)


@pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")
@law
@given(data=st.data(), n=st.integers(0, 60), k=st.integers(0, 70))
def test_the_compiled_choice_is_the_sorted_one(data, n, k):
    scores = data.draw(arrays(np.float64, n, elements=SCORES))
    allowed = data.draw(arrays(np.bool_, n))
    tie_break = np.array(data.draw(st.permutations(range(n))), np.int64)
    assert best_rows(scores, allowed, tie_break, k).tolist() == sorted_rows(scores, allowed, tie_break, k).tolist()


@pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")
@law
@given(seed=st.integers(0, 2**32), n=st.integers(30, 900), k=st.integers(1, 20), order=st.sampled_from(["any", "up"]))
def test_the_compiled_choice_out_of_many_is_the_sorted_one(seed, n, k, order):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=n), int(rng.integers(0, 4)))
    scores = np.sort(scores) if order == "up" else scores
    scores[rng.random(n) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
    allowed, tie_break = rng.random(n) < rng.choice([0.02, 0.5, 1.0]), rng.permutation(n)
    assert best_rows(scores, allowed, tie_break, k).tolist() == sorted_rows(scores, allowed, tie_break, k).tolist()


@law
@given(data=st.data(), n_rows=st.integers(1, 80), n=st.integers(12, 30))
def test_what_is_wanted_comes_first_and_nothing_that_is_not_allowed(data, n_rows, n):
    allowed = data.draw(arrays(np.bool_, n_rows))
    formats = data.draw(arrays(np.int32, n_rows, elements=st.integers(0, 2)))
    inquiry = data.draw(arrays(np.bool_, n_rows))
    scores = data.draw(arrays(np.float64, n_rows, elements=st.floats(-9, 9)))
    wanted = data.draw(st.lists(st.integers(0, n_rows - 1), max_size=4))
    rows = pool_of(scores, allowed, Offered(np.arange(n_rows), formats, inquiry), n=n, wanted=wanted)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert allowed[rows].all()
    assert len(rows) == min(n, allowed.sum())
    if allowed.sum() <= n:
        return
    assert {w for w in wanted if allowed[w]} <= set(rows.tolist())
    assert inquiry[rows].any() == inquiry[allowed].any()
    assert len(set(formats[rows])) > 1 or len(set(formats[allowed])) == 1
