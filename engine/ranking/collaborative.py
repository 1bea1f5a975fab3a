"""What the resources a learner took up say about the others: EASE and LightFM factors, folded in at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.learner.kernels import address, library
from engine.ranking.neighbours import Neighbours

# EASE's sums are close to chances; as logarithms they add up with the logarithms of votes. Below this they are noise,
# and the term is counted from there, so that it is 0 where nothing speaks for a resource.
EASE_FLOOR = 0.03


class Ease:
    """Weights between resources (Steck 2019), each row cut to its strongest neighbours.

    Row `i` holds entries `ease_starts[i]:ease_starts[i + 1]` of `ease_neighbour` (int32) and `ease_weight` (float32).
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], n_resources: int) -> None:
        self._matrix = Neighbours(arrays, "ease", n_resources)
        self._n = n_resources

    def score(self, seen: NDArray[np.int32]) -> NDArray[np.float64]:
        """Logarithm of the summed weights from all seen resources: `(n_resources,)`; NaN where nothing was seen."""
        if not len(seen):
            return np.full(self._n, np.nan)
        result = np.zeros(self._n)
        self.add(result, seen, 1.0)
        return result

    def add(self, out: NDArray[np.float64], seen: NDArray[np.int32], times: float) -> None:
        """Add the same, so many times, to `out` `(n_resources,)`; nothing where nothing was seen."""
        rows = seen.astype(np.int64)
        self._matrix.add_logs(out, rows, np.ones(len(rows)), floor=EASE_FLOOR, times=times)

    def strongest(self, seen: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places in `seen` of the two that speak most for each of some rows: `(len(rows), 2)`, -1 where none do."""
        return self._matrix.strongest(seen, rows)


class Factors:
    """LightFM's resource vectors; a learner is the mean of what they took up, plus the vectors of their features.

    `factor_vectors`: `(n_resources, d)` float32. `factor_biases`: `(n_resources,)`.
    `factor_feature_vectors`: `(n_features, d)`, for learner features.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], features: IdMap) -> None:
        self._vectors = np.ascontiguousarray(arrays["factor_vectors"], dtype=np.float32)
        self._across = np.ascontiguousarray(self._vectors.T)
        self._biases = np.ascontiguousarray(arrays["factor_biases"], dtype=np.float64)
        self._feature_vectors = np.asarray(arrays["factor_feature_vectors"], dtype=np.float64)
        self._features = features

    def score(self, seen: NDArray[np.int32], features: Sequence[str]) -> NDArray[np.float64]:
        """Dot product with each resource, plus its bias: `(n_resources,)`; all NaN for who has neither."""
        learner = self.learner(seen, features)
        return np.full(len(self._biases), np.nan) if learner is None else self.said([learner])[0]

    def learner(self, seen: NDArray[np.int32], features: Sequence[str]) -> NDArray[np.float32] | None:
        """The vector of who took these up and has these features: `(d,)`; None for who has neither."""
        rows = [row for row in (self._features.row(f) for f in features) if row >= 0]
        if not len(seen) and not rows:
            return None
        learner = self._feature_vectors[rows].sum(axis=0) if rows else np.zeros(self._vectors.shape[1])
        if len(seen):
            learner += np.add.reduce(self._vectors[seen], axis=0, dtype=np.float64) / len(seen)
        return learner.astype(np.float32)

    def said(self, learners: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """What is said to each of these of each resource: `(n_learners, n_resources)`.

        Added up dimension by dimension, so alike on every machine, and alike for one learner and among others; what is
        known of resources is read once for all of them.
        """
        loaded, by = library(), np.array(learners, np.float32)
        d, n = self._across.shape
        if loaded is None:
            sums = np.zeros((len(by), n), np.float32)
            for weights, row in zip(by.T, self._across, strict=True):
                sums += weights[:, None] * row
            return sums + self._biases
        result = np.empty((len(by), n))
        loaded.products(address(self._across), address(self._biases), n, d, address(by), len(by), address(result))
        return result
