"""What fits into the minutes a request names, by how long it is expected to take this very learner."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class InTime:
    """The `minutes` there are, and what rows of a catalogue take, NaN where nobody can say: `(n,)` for `(n,)` rows.

    A learner model is asked of those rows alone that somebody looks at, and once: `is_open` and `is_over`
    `(n_resources,)` keep who was not asked about yet, and what takes too long.
    """

    minutes: float
    takes: Callable[[Ints], Floats]
    is_open: Mask
    is_over: Mask

    def over(self, rows: Ints) -> Ints:
        """Those of these rows that take longer; what nobody knows the time of fits."""
        new = rows[self.is_open[rows]]
        if len(new):
            self.is_over[new] = self.takes(new) > self.minutes
            self.is_open[new] = False
        return rows[self.is_over[rows]]

    def within(self, some: Mask) -> Mask:
        """Of some rows those that fit: `(n_resources,)` both; every one of them is asked about."""
        return self.without(some, some.nonzero()[0])

    def without(self, some: Mask, rows: Ints) -> Mask:
        """Some rows, `(n_resources,)`, without those of `rows` that do not fit."""
        fit = some.copy()
        fit[self.over(rows)] = False
        return fit


def in_time(minutes: float, takes: Callable[[Ints], Floats], n_resources: int) -> InTime:
    """What fits into so many minutes, of so many resources of which nobody was asked about yet."""
    return InTime(minutes, takes, np.ones(n_resources, bool), np.zeros(n_resources, bool))


def picked_in_time(
    pick: Callable[[Mask], Ints], shown: Mask, limit: InTime, *, put_in: Ints, best: Callable[..., Ints]
) -> Ints:
    """What `pick` finds among the rows `shown` `(n_resources,)` that fit or are `put_in`, as if there were no others.

    What is found and takes too long makes room for others. Each time twice as many more of the `best` are asked about,
    so that what fits is soon found where little does.
    """
    left, more = shown.copy(), 0
    while True:
        rows = pick(left)
        over = limit.over(rows)
        if len(put_in):
            over = over[~np.isin(over, put_in)]
        if not len(over):
            return rows
        left[over] = False
        if more:
            over = limit.over(best(allowed=left & limit.is_open, n=more))
            left[over[~np.isin(over, put_in)]] = False
        more = max(2 * more, len(rows))
