"""Scores of trees, told apart by what each split looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import Forest, Packed, forest_from
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
    packed: Packed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", Packed(self.forest, self.by_leaf()))

    def contributions(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each family of columns adds to each row: `(n_families, n)` from `(n, n_columns)`."""
        return self.walked(x) if library() is None else self.packed.said(x).T

    def by_leaf(self) -> NDArray[np.float64]:
        """What each family of columns adds on the way from the root to each leaf: `(n_leaves, n_families)`.

        A step from a node to its child adds the child's value less the node's to the family of the node's column.
        """
        f = self.forest
        result = np.zeros((len(f.leaf), self.n_families))
        for tree in range(len(f.node_ptr) - 1):
            first, last = int(f.node_ptr[tree]), int(f.node_ptr[tree + 1])
            todo = [(0, np.zeros(self.n_families))] if last > first else []
            while todo:
                node, so_far = todo.pop()
                family, value = self.family[f.column[first + node]], self.value[first + node]
                for child in (int(f.left[first + node]), int(f.right[first + node])):
                    there = so_far.copy()
                    if child < 0:
                        leaf = int(f.leaf_ptr[tree]) + ~child
                        there[family] += f.leaf[leaf] - value
                        result[leaf] = there
                    else:
                        there[family] += self.value[first + child] - value
                        todo.append((child, there))
        return result

    def walked(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same in numpy, all rows a level at a time: the compiled walk's oracle and stand-in."""
        f, rows, by_leaf = self.forest, np.arange(len(x)), self.by_leaf()
        result = np.zeros((len(x), self.n_families))
        for tree in range(len(f.node_ptr) - 1):
            first, last = f.node_ptr[tree : tree + 2]
            at = np.full(len(x), 0 if last > first else -1, np.int64)
            while (going := rows[at >= 0]).size:
                here = first + at[going]
                to_left = x[going, f.column[here]] <= f.threshold[here]
                at[going] = np.where(to_left, f.left[here], f.right[here])
            result += by_leaf[f.leaf_ptr[tree] + ~at]
        return result.T

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """As a bundle carries them."""
        return {**self.forest.arrays(name), f"{name}_value": self.value, f"{name}_family": self.family}


def path_forest_from(arrays: Mapping[str, NDArray[Any]], name: str, n_families: int) -> PathForest:
    """The forest of this name in a bundle."""
    return PathForest(forest_from(arrays, name), arrays[f"{name}_value"], arrays[f"{name}_family"], n_families)
