"""The usual order: what learners usually take up after as much as this learner has behind them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.query import Query
from engine.ranking.neighbours import work_of

# How many of the last steps say where a learner stands, and how fast what lies ahead or behind fades, in places.
_LAST = 10
_AHEAD, _BEHIND = 0.1, 0.03
_NEVER = -1.0


class UsualOrder:
    """Usual places of first engagement.

    `usual_order_place`: `(n_resources,)` float32 between 0 (first) and 1 (last) of its course, -1 where nobody ever.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._place = np.asarray(arrays["usual_order_place"], dtype=np.float64)

    def score(self, query: Query) -> NDArray[np.float64]:
        """0 for the resource whose turn it is, falling away from it: `(n_resources,)`; NaN for who took up nothing."""
        rows = work_of(query, len(self._place)).rows[-_LAST:]
        own = self._place[rows][self._place[rows] != _NEVER]
        if not len(own):
            return np.full(len(self._place), np.nan)
        ahead = self._place - float(np.median(own))
        fading = np.where(ahead >= 0.0, ahead / _AHEAD, -ahead / _BEHIND)
        result: NDArray[np.float64] = np.exp(-fading)
        result[self._place == _NEVER] = 0.0
        return result
