"""What the learner's own work says, resource by resource: linear models folded in from their history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.query import Query

DAY_US = 86_400_000_000
# How a history is read: every resource alike, decayed by days since, or only the last few.
PLAIN, LAST = 0.0, -1.0
N_LAST = 3


@dataclass(frozen=True, slots=True)
class Work:
    """A learner's own work at the moment of asking, over the resources a bundle knows.

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
    history = query.history
    known = history.resource_index < n_resources
    rows, at_us = history.resource_index[known].astype(np.int64), history.at_us[known]
    if query.now_us == NO_TIME or not len(rows) or (at_us == NO_TIME).any():
        days = np.zeros(len(rows))
    else:
        days = np.maximum(query.now_us - at_us, 0) / DAY_US
    _, first = np.unique(rows, return_index=True)
    order = np.argsort(first, kind="stable")
    return Work(rows[first[order]], days[first[order]])


class Neighbours:
    """One sparse matrix of weights from resources to resources.

    Row `i` holds the entries `starts[i]:starts[i + 1]` of `neighbour` (int32) and `weight` (float32).
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], name: str, n_resources: int) -> None:
        self._starts = np.asarray(arrays[f"{name}_starts"])
        self._neighbours = arrays[f"{name}_neighbour"]
        self._weights = arrays[f"{name}_weight"]
        self._n = n_resources

    def sums(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weighted sum of these rows: `(n_resources,)`."""
        starts, lengths = self._starts[rows], self._starts[rows + 1] - self._starts[rows]
        total = int(lengths.sum())
        if not total:
            return np.zeros(self._n)
        offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        at = np.arange(total) + offsets
        result: NDArray[np.float64] = np.bincount(
            self._neighbours[at], self._weights[at] * np.repeat(weights, lengths), self._n
        ).astype(np.float64)
        return result
