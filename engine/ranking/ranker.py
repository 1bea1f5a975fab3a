"""The second stage: trees that put the best few hundred of the first stage in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.learner.paths import PathForest, path_forest_from
from engine.ranking.features import FAMILY_OF_BLOCK, Features, Said

N_RANKED = 200


@dataclass(frozen=True, slots=True)
class Ranker:
    """Trees over features; what they say takes the place of the score of the first stage."""

    features: Features
    paths: PathForest

    def added(self, query: Query, rows: NDArray[np.int64], said: Said) -> NDArray[np.float64]:
        """What each family adds to each of some rows the bundle knows: `(n_families, len(rows))`."""
        return self.paths.contributions(self.features.of(query, rows, said))


def best_of(scores: NDArray[np.float64], n: int = N_RANKED) -> NDArray[np.int64]:
    """Positions of the best `n` scores, ascending, equals by position."""
    if len(scores) <= n:
        return np.arange(len(scores))
    bar = np.partition(scores, len(scores) - n)[len(scores) - n]
    above, level = np.flatnonzero(scores > bar), np.flatnonzero(scores == bar)
    return np.sort(np.concatenate([above, level[: n - len(above)]]))


def ranker_from(arrays: Mapping[str, NDArray[Any]], courses: IdMap, n_resources: int, n_by_day: int) -> Ranker | None:
    """The ranker of a bundle; None where it did not help and was left out."""
    if "ranker_value" not in arrays:
        return None
    features = Features(arrays, courses, n_resources, n_by_day)
    return Ranker(features, path_forest_from(arrays, "ranker", len(FAMILY_OF_BLOCK)))
