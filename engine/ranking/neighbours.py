"""What the learner's own work says, resource by resource: linear models folded in from their history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.query import Query
from engine.learner.kernels import address, library

DAY_US = 86_400_000_000
# How a history is read: every resource alike, decayed by days since, or only the last few.
PLAIN, LAST = 0.0, -1.0
N_LAST = 3


@dataclass(frozen=True, slots=True)
class Work:
    """A learner's own work in the hour of asking, over the resources a bundle knows.

    `rows`: distinct resources in the order of first engagement; `days`: since then, `(n,)`, 0 without a clock.
    """

    rows: NDArray[np.int64]
    days: NDArray[np.float64]

    def weights(self, half_life_days: float, *, unit: bool) -> NDArray[np.float64]:
        """How much each of `rows` speaks: `(n,)`; with `unit` of Euclidean length one."""
        if half_life_days == LAST:
            result = np.zeros(len(self.rows))
            result[-N_LAST:] = 1.0 / min(N_LAST, max(len(self.rows), 1))
            return result
        result = np.ones(len(self.rows)) if half_life_days == PLAIN else np.exp2(-self.days / half_life_days)
        if unit:
            result /= np.sqrt((result**2).sum()) + 1e-6
        return result


def work_of(query: Query, n_resources: int) -> Work:
    """The work of the learner who asks."""
    rows, at_us = query.history.first_steps
    if rows.max(initial=-1) >= n_resources:
        known = rows < n_resources
        rows, at_us = rows[known], at_us[known]
    if query.now_us == NO_TIME or not len(rows) or (at_us == NO_TIME).any():
        return Work(rows, np.zeros(len(rows)))
    return Work(rows, np.maximum(query.hour_us - at_us, 0) / DAY_US)


class Neighbours:
    """One sparse matrix of weights from resources to resources.

    Row `i` holds the entries `starts[i]:starts[i + 1]` of `neighbour` (int32) and `weight` (float32); `places` says
    where the three lie.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], name: str, n_resources: int) -> None:
        self._starts = np.ascontiguousarray(arrays[f"{name}_starts"], np.int64)
        self._neighbours = np.ascontiguousarray(arrays[f"{name}_neighbour"], np.int32)
        self._weights = np.ascontiguousarray(arrays[f"{name}_weight"], np.float32)
        self._n = n_resources
        self.places = (address(self._starts), address(self._neighbours), address(self._weights))

    def sums(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weighted sum of these rows: `(n_resources,)`."""
        loaded = library()
        if loaded is None:
            return self.added(rows, weights)
        result = np.zeros(self._n)
        loaded.sparse_sums(*self.places, address(rows), address(weights), len(rows), address(result))
        return result

    def added(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same in numpy: the compiled sums' oracle and stand-in."""
        result = np.zeros(self._n)
        for row, weight in zip(rows.tolist(), weights.tolist(), strict=True):
            span = slice(self._starts[row], self._starts[row + 1])
            np.add.at(result, self._neighbours[span], weight * self._weights[span].astype(np.float64))
        return result

    def add_logs(
        self,
        out: NDArray[np.float64],
        rows: NDArray[np.int64],
        weights: NDArray[np.float64],
        *,
        floor: float,
        times: float,
    ) -> None:
        """Add to `out` `(n_resources,)`, so many `times`, the logarithm of the sums, where above 0, from a floor.

        Raises:
            MemoryError: the machine has none left.
        """
        loaded = library()
        if loaded is None:
            out += times * np.log1p(np.maximum(self.added(rows, weights), 0.0) / floor)
        elif loaded.sparse_logs(
            *self.places, address(rows), address(weights), len(rows), self._n, floor, times, address(out)
        ):
            raise MemoryError("not enough memory to add up what was taken up")

    def strongest(self, rows: NDArray[np.integer[Any]], others: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each of `others` the places of the two of `rows` whose weight to it is the most: `(len(others), 2)`.

        The first of equals comes first; -1 where no weight is above 0.
        """
        loaded = library()
        if loaded is None:
            return self.compared(rows, others)
        result = np.empty((len(others), 2), np.int64)
        rows, others = np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(others, np.int64)
        told = (address(rows), len(rows), address(others), len(others), address(result))
        loaded.strongest(*self.places, *told)
        return result

    def compared(self, rows: NDArray[np.integer[Any]], others: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same in numpy: the compiled form's oracle and stand-in."""
        weights = np.zeros((max(len(rows), 2), len(others)))
        for place, row in enumerate(rows.tolist()):
            span = slice(self._starts[row], self._starts[row + 1])
            own = dict(zip(self._neighbours[span].tolist(), self._weights[span].tolist(), strict=True))
            weights[place] = [own.get(other, 0.0) for other in others.tolist()]
        best = np.argsort(-weights, axis=0, kind="stable")[:2]
        return np.where(np.take_along_axis(weights, best, axis=0) > 0, best, -1).T
