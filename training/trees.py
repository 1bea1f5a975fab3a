"""The only door to LightGBM: boosted trees in, plain arrays out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import Forest
from engine.learner.paths import PathForest

N_COLUMNS_A_TREE = 50
# Deterministic on one machine: the same rows give the same trees whatever the number of threads.
_ALWAYS = {
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "use_missing": False,
    "bagging_freq": 1,
    "boost_from_average": True,
}


def grow(
    x: NDArray[np.float32],
    y: NDArray[np.float64],
    *,
    n_trees: int,
    parameters: Mapping[str, Any],
    seed: int,
    threads: int,
    weight: NDArray[np.float64] | None = None,
    offset: NDArray[np.float64] | None = None,
) -> Forest:
    """Trees whose sums predict `y` on the objective's own scale (logits for `cross_entropy`, logs for `gamma`).

    `x`: `(n, n_columns)`. `y`, `weight`, `offset`: `(n,)`; what is predicted adds to `offset`.
    """
    data = lightgbm.Dataset(x, y, weight=weight, init_score=offset, free_raw_data=True)
    told = {**_ALWAYS, **parameters, "seed": seed, "num_threads": threads}
    booster = lightgbm.train(told, data, n_trees)
    return forest_of(booster.dump_model()["tree_info"])


def grow_paths(
    x: NDArray[np.float32],
    taken: NDArray[np.float64],
    sizes: NDArray[np.int64],
    *,
    families: NDArray[np.int32],
    n_families: int,
    n_trees: int,
    parameters: Mapping[str, Any],
    seed: int,
) -> PathForest:
    """Trees that put what was taken up above the rest within each query (LambdaMART, Burges 2010).

    `x`: `(n, n_columns)`, query by query. `taken`: `(n,)`, 1 where taken up. `sizes`: rows of each query.
    """
    data = lightgbm.Dataset(x, taken, group=sizes, free_raw_data=True)
    told = {**_ALWAYS, "boost_from_average": False, **parameters, "objective": "lambdarank", "seed": seed}
    trees = lightgbm.train({**told, "num_threads": 1}, data, n_trees).dump_model()["tree_info"]
    value = np.array([v for tree in trees for v in _values(tree["tree_structure"])], np.float64)
    return PathForest(forest_of(trees), value, families, n_families)


def _values(node: dict[str, Any]) -> list[float]:
    """What a tree says at each node, in the order of `_flat`."""
    if "leaf_value" in node:
        return []
    return [float(node["internal_value"]), *_values(node["left_child"]), *_values(node["right_child"])]


def bounded(parameters: Mapping[str, Any], x: NDArray[np.float32]) -> dict[str, Any]:
    """The parameters with each tree looking at no more than fifty columns."""
    return {**parameters, "feature_fraction": min(1.0, N_COLUMNS_A_TREE / x.shape[1])}


def constant(value: float) -> Forest:
    """A forest of one leaf."""
    none = np.empty(0, np.int32)
    return Forest(np.zeros(2, np.int64), np.array([0, 1]), none, np.empty(0, np.float32), none, none, np.array([value]))


def mean_of(forests: list[Forest]) -> Forest:
    """One forest that says the mean of several."""
    share = 1.0 / len(forests)
    return Forest(
        node_ptr=_joined([f.node_ptr for f in forests]),
        leaf_ptr=_joined([f.leaf_ptr for f in forests]),
        column=np.concatenate([f.column for f in forests]),
        threshold=np.concatenate([f.threshold for f in forests]),
        left=np.concatenate([f.left for f in forests]),
        right=np.concatenate([f.right for f in forests]),
        leaf=np.concatenate([f.leaf * share for f in forests]),
    )


def mean_of_paths(forests: list[PathForest]) -> PathForest:
    """One forest that says the mean of several over the same columns."""
    return replace(
        forests[0],
        forest=mean_of([f.forest for f in forests]),
        value=np.concatenate([f.value for f in forests]) / len(forests),
    )


def _joined(pointers: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    sizes = np.concatenate([np.diff(p) for p in pointers])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def forest_of(trees: list[dict[str, Any]]) -> Forest:
    """The arrays of LightGBM's own description of trees."""
    flat = [_flat(tree["tree_structure"]) for tree in trees]
    return Forest(
        node_ptr=_pointers([len(nodes) for nodes, _ in flat]),
        leaf_ptr=_pointers([len(leaves) for _, leaves in flat]),
        column=np.array([n[0] for nodes, _ in flat for n in nodes], np.int32),
        threshold=_at_most(np.array([n[1] for nodes, _ in flat for n in nodes], np.float64)),
        left=np.array([n[2] for nodes, _ in flat for n in nodes], np.int32),
        right=np.array([n[3] for nodes, _ in flat for n in nodes], np.int32),
        leaf=np.array([v for _, leaves in flat for v in leaves], np.float64),
    )


def _flat(root: dict[str, Any]) -> tuple[list[tuple[int, float, int, int]], list[float]]:
    """Nodes (column, threshold, left, right) from the root on, and leaves; leaves are named by complements."""
    nodes: list[tuple[int, float, int, int]] = []
    leaves: list[float] = []

    def place(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            leaves.append(float(node["leaf_value"]))
            return ~(len(leaves) - 1)
        mine = len(nodes)
        nodes.append((0, 0.0, 0, 0))
        sides = place(node["left_child"]), place(node["right_child"])
        nodes[mine] = (int(node["split_feature"]), float(node["threshold"]), *sides)
        return mine

    place(root)
    return nodes, leaves


def _pointers(sizes: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _at_most(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest single-precision numbers not above: x <= threshold is decided alike for every single x."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
