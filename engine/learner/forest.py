"""Sums over small decision trees, as training found them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library

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
    packed: "Packed" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", Packed(self, self.leaf[:, None]))

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of the leaves each row reaches: `(n,)` from `(n, n_columns)`, added tree by tree."""
        return self.walked(x) if library() is None else self.packed.said(x)[:, 0]

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


_NODE = np.dtype([("split", "<f4"), ("child", "<i4"), ("leaf", "<i4"), ("column", "<i2"), ("inner", "<i2")])
# Trees of more leaves do not fit the bits of one number.
_MOST_LEAVES = 32
# For fewer rows the walk is quicker than striking out leaves for many rows at once.
_MANY = 4


class Packed:
    """The same trees as the compiled kernels read them, with what each leaf says: `(n_leaves, n_out)` float64.

    For the walk, nodes and leaves stand in one array, children side by side. To strike out leaves, `right` says by bits
    which leaves stay where a node sends a row to the right; leaves are counted from left to right.
    """

    def __init__(self, forest: Forest, says: NDArray[np.float64]) -> None:
        n_nodes = np.diff(forest.node_ptr)
        self._roots = np.concatenate([[0], np.cumsum(1 + 2 * n_nodes)[:-1]]).astype(np.int64)
        self._nodes = np.zeros(int((1 + 2 * n_nodes).sum()), _NODE)
        self._right = np.zeros(len(forest.column), np.uint32)
        self._from = (np.ascontiguousarray(forest.node_ptr, np.int64), np.ascontiguousarray(forest.leaf_ptr, np.int64))
        self._split = np.ascontiguousarray(forest.threshold, np.float32)
        self._column = np.ascontiguousarray(forest.column, np.int32)
        order = [leaf for tree in range(len(n_nodes)) for leaf in self._pack(forest, tree)]
        self._says = np.ascontiguousarray(says[np.array(order, np.int64)])
        self._few_leaves = int(np.diff(forest.leaf_ptr).max(initial=1)) <= _MOST_LEAVES
        # Looked up once: for a single row it would take longer than the walk.
        self._walk = (len(n_nodes), address(self._roots), address(self._nodes), address(self._says), says.shape[1])
        arrays = (*self._from, self._split, self._column, self._right, self._says)
        self._strike = (len(n_nodes), *(address(array) for array in arrays), says.shape[1])

    def said(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the leaves say that each row reaches, added tree by tree: `(n, n_out)` from `(n, n_columns)`.

        Raises:
            MemoryError: the machine has none left.
        """
        x = np.ascontiguousarray(x, np.float32)
        out = np.zeros((len(x), self._says.shape[1]))
        if len(x) >= _MANY and self._few_leaves:
            if library().forest_strike(address(x), *x.shape, *self._strike, address(out)):
                raise MemoryError("not enough memory to ask the trees")
        else:
            library().forest_walk(address(x), *x.shape, *self._walk, address(out))
        return out

    def _pack(self, forest: Forest, tree: int) -> list[int]:
        """Lay out one tree; its leaves from left to right, as rows of what leaves say."""
        first, last = int(forest.node_ptr[tree]), int(forest.node_ptr[tree + 1])
        leaf_row, nodes = int(forest.leaf_ptr[tree]), self._nodes[int(self._roots[tree]) :]
        left, right = forest.left[first:last].tolist(), forest.right[first:last].tolist()
        order: list[int] = []

        def lay(node: int, at: int) -> int:
            """Put a node, or a leaf, at a place; the bits of the leaves below it."""
            if node < 0:
                nodes[at] = (0.0, at, leaf_row + len(order), 0, 0)
                order.append(leaf_row + ~node)
                return 1 << (len(order) - 1)
            child = 1 + 2 * node
            nodes[at] = (forest.threshold[first + node], child, 0, forest.column[first + node], 1)
            below_left = lay(left[node], child)
            self._right[first + node] = ~below_left & 0xFFFF_FFFF
            return below_left | lay(right[node], child + 1)

        lay(0 if last > first else -1, 0)
        return order


def forest_from(arrays: Mapping[str, NDArray[Any]], name: str) -> Forest:
    """The forest of this name in a bundle."""
    return Forest(**{part: arrays[f"{name}_{part}"] for part in PARTS})
