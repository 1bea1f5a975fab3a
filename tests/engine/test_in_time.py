"""What fits into the minutes of a request is found as if what does not fit were not there."""

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.ranking.best import best_rows
from engine.ranking.in_time import in_time, picked_in_time
from engine.ranking.pool import Offered, pool_of

law = settings(max_examples=200, deadline=None, derandomize=True)
TAKES = st.sampled_from([1.0, 5.0, 9.0, np.nan])


@law
@given(data=st.data(), n_rows=st.integers(1, 200), n=st.integers(9, 20))
def test_what_is_looked_at_is_what_would_be_if_only_what_fits_were_there(data, n_rows, n):
    takes = data.draw(arrays(np.float64, n_rows, elements=TAKES))
    shown = data.draw(arrays(np.bool_, n_rows))
    scores = data.draw(arrays(np.float64, n_rows, elements=st.floats(-9, 9)))
    formats = data.draw(arrays(np.int32, n_rows, elements=st.integers(0, 2)))
    put_in = np.flatnonzero(data.draw(arrays(np.bool_, n_rows)) & shown)[:2]
    offered = Offered(np.arange(n_rows), formats, formats == 2)
    asked = []

    def counted(rows):
        asked.extend(rows.tolist())
        return takes[rows]

    pick = partial(pool_of, scores, offered=offered, n=n, wanted=put_in.tolist())
    found = picked_in_time(
        lambda left: pick(left),
        shown,
        in_time(5.0, counted, n_rows),
        put_in=put_in,
        best=partial(best_rows, scores, tie_break=offered.tie_break),
    )
    fits = shown & ~(takes > 5.0)
    fits[put_in] = True
    np.testing.assert_array_equal(found, pick(fits))
    assert len(asked) == len(set(asked)), "nobody is asked about twice"


def test_where_much_fits_few_are_asked_about():
    n, asked = 10_000, []
    scores, offered = (
        np.arange(n, dtype=float),
        Offered(np.arange(n), np.arange(n, dtype=np.int32) % 3, np.zeros(n, bool)),
    )

    def takes(rows):
        asked.extend(rows.tolist())
        return np.where(rows % 2, 3.0, 9.0)

    rows = picked_in_time(
        lambda left: pool_of(scores, left, offered, n=100),
        np.ones(n, bool),
        in_time(5.0, takes, n),
        put_in=np.empty(0, np.int64),
        best=partial(best_rows, scores, tie_break=offered.tie_break),
    )
    assert len(rows) == 100
    assert (rows % 2).all()
    assert len(asked) < 500
