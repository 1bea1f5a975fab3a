"""Implicit-feedback factors (iALS); a learner is folded in by regularised least squares against a cached Gramian."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.query import Query
from engine.ranking.neighbours import work_of

# What is said lies between 0 and 1; as logarithms it adds up with the logarithms of votes.
FLOOR = 0.05


class LeastSquares:
    """Resource vectors fitted by alternating least squares (Hu, Koren & Volinsky 2008).

    `<name>_vectors`: `(n_resources, d)` float32. `<name>_solve`: `(3,)` float64, the penalty, the confidence of a
    fresh vote (1 is that of no vote), and the half-life in days by which a vote loses it (0: never).
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], name: str) -> None:
        self._vectors = np.asarray(arrays[f"{name}_vectors"], dtype=np.float64)
        penalty, self._confidence, self._half_life_days = (float(x) for x in arrays[f"{name}_solve"])
        self._gramian = self._vectors.T @ self._vectors + penalty * np.eye(self._vectors.shape[1])

    def learner(self, query: Query) -> NDArray[np.float64] | None:
        """The vector of who asks, from all they took up until now: `(d,)`; None where they took up nothing."""
        work = work_of(query, len(self._vectors))
        if not len(work.rows):
            return None
        confidence = self._confidence * work.weights(self._half_life_days, unit=False)
        seen = self._vectors[work.rows]
        # A vote that lost its confidence tells neither for nor against: it stands below the 1 of what was let be.
        left = self._gramian + seen.T @ (seen * (confidence - 1.0)[:, None])
        return np.linalg.solve(left, confidence @ seen).astype(np.float64)

    def score(self, query: Query) -> NDArray[np.float64]:
        """Logarithm of the predicted preference: `(n_resources,)`; NaN for who took up nothing."""
        learner = self.learner(query)
        if learner is None:
            return np.full(len(self._vectors), np.nan)
        result: NDArray[np.float64] = np.log1p(np.maximum(self._vectors @ learner, 0.0) / FLOOR)
        return result
