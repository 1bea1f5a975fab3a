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
        rows, said = self.touched(seen)
        result[rows] = said
        return result

    def touched(self, seen: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The rows that anything seen speaks for, and the logarithms of the summed weights there, `(n,)` both."""
        sums = self._matrix.sums(seen.astype(np.int64), np.ones(len(seen)))
        rows = np.flatnonzero(sums > 0)
        return rows, np.log1p(sums[rows] / EASE_FLOOR)

    def speaking_for(self, seen: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.float64]:
        """The weight from each seen resource to each of some others: `(len(seen), len(rows))`, 0 where none."""
        return self._matrix.between(seen, rows)


class Factors:
    """LightFM's resource vectors; a learner is the mean of what they took up, plus the vectors of their features.

    `factor_vectors`: `(n_resources, d)` float32. `factor_biases`: `(n_resources,)`.
    `factor_feature_vectors`: `(n_features, d)`, for learner features.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], features: IdMap) -> None:
        self._vectors = np.ascontiguousarray(arrays["factor_vectors"], dtype=np.float32)
        self._across = np.ascontiguousarray(self._vectors.T)
        self._biases = np.asarray(arrays["factor_biases"], dtype=np.float64)
        self._feature_vectors = np.asarray(arrays["factor_feature_vectors"], dtype=np.float64)
        self._features = features

    def score(self, seen: NDArray[np.int32], features: Sequence[str]) -> NDArray[np.float64]:
        """Dot product with each resource, plus its bias: `(n_resources,)`; all NaN for who has neither."""
        said = self.said(seen, features)
        return np.full(len(self._biases), np.nan) if said is None else said

    def said(self, seen: NDArray[np.int32], features: Sequence[str]) -> NDArray[np.float64] | None:
        """The same; None for who has neither."""
        rows = [row for row in (self._features.row(f) for f in features) if row >= 0]
        if len(seen) == 0 and not rows:
            return None
        learner = self._feature_vectors[rows].sum(axis=0)
        if len(seen):
            learner = learner + self._vectors[seen].mean(axis=0, dtype=np.float64)
        result: NDArray[np.float64] = self._products(learner.astype(np.float32)) + self._biases
        return result

    def _products(self, learner: NDArray[np.float32]) -> NDArray[np.float32]:
        """With each resource: `(n_resources,)`, added up dimension by dimension and so alike on every machine."""
        loaded = library()
        result = np.zeros(len(self._biases), np.float32)
        if loaded is None:
            for weight, row in zip(learner, self._across, strict=True):
                result += weight * row
        else:
            d, n = self._across.shape
            loaded.products(address(self._across), n, d, address(learner), address(result))
        return result
