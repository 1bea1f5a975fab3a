"""The minutes that resources are expected to take a learner, found out for those somebody asks about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.model import LearnerModel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes of some rows, `(n,)`; of those still `open`, whose times the log knows, the trees were not asked yet.

    Trees of minutes are the largest part of what is asked of a state, and most candidates are worth nothing to a goal.
    `seen`: `(n, n_columns)` features of the learner model. What is found out is kept in `found` and `open`.
    """

    found: Floats
    open: NDArray[np.bool_]
    seen: NDArray[np.float32]
    model: LearnerModel

    def with_those(self, places: NDArray[np.int64]) -> Floats:
        """All minutes, `(n,)`, of which those at these places hold."""
        wanted = np.zeros(len(self.found), bool)
        wanted[places] = True
        return self._asked(wanted & self.open)

    def of_all(self) -> Floats:
        """All minutes: `(n,)`."""
        return self._asked(self.open)

    def first(self, n: int) -> "Minutes":
        """Those of the first `n` rows."""
        return Minutes(self.found[:n], self.open[:n], self.seen[:n], self.model)

    def _asked(self, which: NDArray[np.bool_]) -> Floats:
        rows = which.nonzero()[0]
        if len(rows):
            seen = self.seen if len(rows) == len(self.seen) else self.seen[rows]
            self.found[rows] = np.exp(self.model.log_seconds(seen)) / 60.0
            self.open[rows] = False
        return self.found
