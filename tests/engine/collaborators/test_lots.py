"""Laws of the turn of the day: everybody's own, the same both ways, within its bounds, another tomorrow."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.collaborators.lots import CLOSE, lots_of


@given(st.integers(1, 60), st.integers(0, 800_000))
def test_nobody_has_one_lot_with_two_and_two_have_the_same_with_each_other(n: int, day: int) -> None:
    lots = np.array([lots_of(n, row, day) for row in range(n)])
    assert (lots > 1.0).all()
    assert (lots <= 1.0 + CLOSE).all()
    np.testing.assert_array_equal(lots, lots.T)
    assert all(len(set(row)) == n for row in lots)


@given(st.integers(20, 60), st.integers(0, 800_000))
def test_it_is_another_turn_on_another_day(n: int, day: int) -> None:
    np.testing.assert_array_equal(lots_of(n, 3, day), lots_of(n, 3, day))
    assert (lots_of(n, 3, day) != lots_of(n, 3, day + 1)).any()


@given(st.integers(10, 60), st.integers(0, 800_000))
def test_of_two_each_comes_first_for_about_half(n: int, day: int) -> None:
    before = np.mean([lots_of(n, row, day)[0] > lots_of(n, row, day)[1] for row in range(n)])
    assert 0.2 <= before <= 0.8
