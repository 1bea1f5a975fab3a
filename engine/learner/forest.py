"""Sums over small decision trees, as training found them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import library

PARTS = ("node_ptr", "leaf_ptr", "column", "threshold", "left", "right", "leaf")


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as flat arrays; tree `k` has the nodes `node_ptr[k]:node_ptr[k + 1]`, leaves by `leaf_ptr` likewise.

    A row goes to `left` where its `column` is at most `threshold` (float32), else to `right`; numbers below zero are
    leaves, the complement of their place in the tree. A tree without nodes is its only leaf.
    """

    node_ptr: NDArray[np.int64]
    leaf_ptr: NDArray[np.int64]
    column: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    leaf: NDArray[np.float64]
    _places: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up once: for a single row it would take longer than the walk.
        object.__setattr__(self, "_places", tuple(int(getattr(self, part).ctypes.data) for part in PARTS))

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the leaves each row reaches: `(n,)` from `(n, n_columns)`, added tree by tree."""
        x = np.ascontiguousarray(x, np.float32)
        total = np.zeros(len(x))
        loaded = library()
        if loaded is None:
            return self.walked(x)
        at, to = x.__array_interface__["data"][0], total.__array_interface__["data"][0]
        loaded.forest_walk(at, *x.shape, len(self.node_ptr) - 1, *self._places, to)
        return total

    def walked(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same in numpy, all rows a level at a time: the compiled walk's oracle and stand-in."""
        total = np.zeros(len(x))
        rows = np.arange(len(x))
        for tree in range(len(self.node_ptr) - 1):
            first, last = self.node_ptr[tree : tree + 2]
            at = np.zeros(len(x), np.int32) if last > first else np.full(len(x), -1, np.int32)
            while (at >= 0).any():
                node = first + np.maximum(at, 0)
                goes_left = x[rows, self.column[node]] <= self.threshold[node]
                at = np.where(at < 0, at, np.where(goes_left, self.left[node], self.right[node]))
            total += self.leaf[self.leaf_ptr[tree] + ~at]
        return total

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {f"{name}_{part}": getattr(self, part) for part in PARTS}


def forest_from(arrays: Mapping[str, NDArray[Any]], name: str) -> Forest:
    """The forest of this name in a bundle."""
    return Forest(**{part: arrays[f"{name}_{part}"] for part in PARTS})
