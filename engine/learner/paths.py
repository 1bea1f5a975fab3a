"""Scores of trees, told apart by what each split looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import PARTS, Forest, forest_from
from engine.learner.kernels import library


@dataclass(frozen=True, slots=True)
class PathForest:
    """Trees whose score is the way from root to leaf, so that every step of it belongs to the column that was asked.

    `value`: one per node, what the tree would say there. `family`: of each column, `(n_columns,)` int32.
    """

    forest: Forest
    value: NDArray[np.float64]
    family: NDArray[np.int32]
    n_families: int

    def contributions(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each family of columns adds to each row: `(n_families, n)` from `(n, n_columns)`."""
        loaded = library()
        if loaded is None:
            return self.walked(x)
        x = np.ascontiguousarray(x, np.float32)
        parts = [getattr(self.forest, part).ctypes.data for part in PARTS]
        result = np.zeros((len(x), self.n_families))
        loaded.forest_paths(
            x.ctypes.data, *x.shape, len(self.forest.node_ptr) - 1, *parts, self.value.ctypes.data,
            self.family.ctypes.data, self.n_families, result.ctypes.data,
        )  # fmt: skip
        return result.T

    def walked(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same in numpy, all rows a level at a time: the compiled walk's oracle and stand-in."""
        f, rows = self.forest, np.arange(len(x))
        result = np.zeros((len(x), self.n_families))
        for tree in range(len(f.node_ptr) - 1):
            first, last = f.node_ptr[tree : tree + 2]
            leaves = f.leaf[f.leaf_ptr[tree] : f.leaf_ptr[tree + 1]]
            at = np.zeros(len(x), np.int64)
            while last > first and (going := rows[at >= 0]).size:
                here = first + at[going]
                column = f.column[here]
                to = np.where(x[going, column] <= f.threshold[here], f.left[here], f.right[here])
                value = np.where(to >= 0, self.value[first + np.maximum(to, 0)], leaves[np.maximum(~to, 0)])
                result[going, self.family[column]] += value - self.value[here]
                at[going] = to
        return result.T

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {**self.forest.arrays(name), f"{name}_value": self.value, f"{name}_family": self.family}


def path_forest_from(arrays: Mapping[str, NDArray[Any]], name: str, n_families: int) -> PathForest:
    """The forest of this name in a bundle."""
    return PathForest(forest_from(arrays, name), arrays[f"{name}_value"], arrays[f"{name}_family"], n_families)
