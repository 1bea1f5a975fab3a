"""Path contributions: they add up to the leaves less the roots, and the compiled walk equals the plain one."""

import numpy as np

from engine.learner.forest import Forest
from engine.learner.kernels import library
from engine.learner.paths import PathForest, path_forest_from
from training.trees import grow_paths


def _grown() -> tuple[PathForest, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(600, 5)).astype(np.float32)
    taken = (x[:, 0] + 0.5 * x[:, 3] + 0.3 * rng.normal(size=600) > 1).astype(np.float64)
    families = np.array([0, 1, 1, 2, 3], np.int32)
    parameters = {"num_leaves": 6, "min_data_in_leaf": 10, "learning_rate": 0.2}
    return grow_paths(
        x, taken, np.full(30, 20), families=families, n_families=4, n_trees=12, parameters=parameters, seed=1
    ), x


def test_steps_add_up_to_leaves_less_roots() -> None:
    paths, x = _grown()
    roots = sum(paths.value[first] for first in paths.forest.node_ptr[:-1])
    np.testing.assert_allclose(paths.contributions(x).sum(axis=0), paths.forest.sums(x) - roots, atol=1e-9)


def test_compiled_walk_equals_plain_walk_to_the_last_bit() -> None:
    paths, x = _grown()
    assert library() is not None
    assert np.array_equal(paths.contributions(x), paths.walked(x))


def test_families_of_columns_that_tell_nothing_add_nothing() -> None:
    paths, x = _grown()
    constant = x.copy()
    constant[:, 4] = 0.0
    used = set(paths.family[paths.forest.column].tolist())
    for family in set(range(4)) - used:
        assert not paths.contributions(constant)[family].any()


def test_a_bundle_gives_the_forest_back() -> None:
    paths, x = _grown()
    again = path_forest_from(paths.arrays("ranker"), "ranker", 4)
    assert np.array_equal(again.contributions(x), paths.contributions(x))


def test_a_tree_of_one_leaf_says_nothing() -> None:
    none = np.empty(0, np.int32)
    leaf = Forest(np.zeros(2, np.int64), np.array([0, 1]), none, np.empty(0, np.float32), none, none, np.array([2.0]))
    paths = PathForest(leaf, np.empty(0), np.zeros(1, np.int32), 2)
    x = np.ones((3, 1), np.float32)
    assert not paths.contributions(x).any()
    assert not paths.walked(x).any()
