import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from engine.learner import forest as forest_module
from engine.learner.forest import Forest, forest_from
from engine.learner.kernels import library
from training.trees import constant, forest_of, mean_of

compiled = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")
law = settings(max_examples=30, deadline=None, derandomize=True)
N_COLUMNS = 5
ALWAYS = {
    "verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "use_missing": False, "seed": 1,
    "min_data_in_leaf": 5,
}  # fmt: skip


def grown(seed, objective="l2", n_trees=30, *, whole_numbers=False):
    """Trees as LightGBM knows them and as arrays."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, (300, N_COLUMNS)).astype(np.float32)
    x = np.round(x) if whole_numbers else x
    y = np.abs(x[:, 0] + np.sin(x[:, 1]) * x[:, 2]) + 0.1
    y = y / (1 + y) if objective == "cross_entropy" else y
    booster = lightgbm.train({**ALWAYS, "objective": objective, "num_leaves": 9}, lightgbm.Dataset(x, y), n_trees)
    return booster, forest_of(booster.dump_model()["tree_info"])


@pytest.fixture(scope="module", params=["l2", "cross_entropy", "gamma", "whole numbers"])
def both(request):
    if request.param == "whole numbers":
        return grown(7, whole_numbers=True)
    return grown(3, request.param)


def random_rows(seed, forest, n=257):
    """Rows of all sizes; half of their numbers are thresholds of the forest, or next to one."""
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, N_COLUMNS)) * 10.0 ** rng.integers(-40, 38, (n, N_COLUMNS))).astype(np.float32)
    for column in range(N_COLUMNS):
        splits = forest.threshold[forest.column == column]
        if len(splits):
            near = np.stack([splits, np.nextafter(splits, np.float32(np.inf)), np.nextafter(splits, np.float32(-9e9))])
            x[: n // 2, column] = rng.choice(near.ravel(), n // 2)
    # LightGBM reads sizes up to 1e-35 as zero and splits zero from the rest right there: the one number that differs.
    return np.where(x == -np.float32(1e-35), np.float32(0), x)


@law
@given(seed=st.integers(0, 10**6))
def test_the_arrays_predict_what_lightgbm_does(both, seed):
    booster, forest = both
    x = random_rows(seed, forest)
    expected = booster.predict(x, raw_score=True)
    assert_allclose(forest.walked(x), expected, rtol=1e-9, atol=1e-9)
    assert_allclose(forest.sums(x), expected, rtol=1e-9, atol=1e-9)


@compiled
@law
@given(seed=st.integers(0, 10**6), n=st.integers(0, 200))
def test_the_compiled_walk_is_the_walk_in_numpy(both, seed, n):
    _, forest = both
    x = random_rows(seed, forest, n)
    assert forest.sums(x).tobytes() == forest.walked(x).tobytes()


def test_where_nothing_was_compiled_numpy_walks(both, monkeypatch):
    _, forest = both
    x = random_rows(1, forest)
    expected = forest.sums(x)
    monkeypatch.setattr(forest_module, "library", lambda: None)
    assert forest.sums(x).tobytes() == expected.tobytes()


def test_one_tree_goes_left_up_to_its_threshold():
    def arrays(*numbers, kind=np.int32):
        return np.array(numbers, kind)

    # x[1] <= .5 ? (x[0] <= -1 ? 10 : 20) : 30
    forest = Forest(
        node_ptr=np.array([0, 2]),
        leaf_ptr=np.array([0, 3]),
        column=arrays(1, 0),
        threshold=arrays(0.5, -1.0, kind=np.float32),
        left=arrays(1, ~0),
        right=arrays(~2, ~1),
        leaf=arrays(10.0, 20.0, 30.0, kind=np.float64),
    )
    above = np.nextafter(np.float32(0.5), np.float32(1))
    x = np.array([[-1, 0.5], [-0.5, 0.5], [-1, above], [9, -9]], np.float32)
    assert forest.sums(x).tolist() == forest.walked(x).tolist() == [10.0, 20.0, 30.0, 20.0]


@pytest.mark.parametrize("n_columns", [0, 3])
def test_a_constant_forest_says_one_number_whatever_is_asked(n_columns):
    forest, x = constant(-0.25), np.zeros((130, n_columns), np.float32)
    assert forest.sums(x).tolist() == forest.walked(x).tolist() == [-0.25] * 130
    assert forest.sums(x[:0]).tolist() == []


def test_a_tree_that_found_no_split_is_its_only_leaf():
    x = np.zeros((40, 2), np.float32)
    booster = lightgbm.train({**ALWAYS, "objective": "l2"}, lightgbm.Dataset(x, np.full(40, 3.0)), 4)
    forest = forest_of(booster.dump_model()["tree_info"])
    assert_allclose(forest.sums(x), booster.predict(x, raw_score=True))
    assert forest.sums(x).tolist() == forest.walked(x).tolist()


def test_the_mean_of_forests_says_the_mean_of_what_they_say():
    forests = [grown(1)[1], grown(2)[1], constant(4.0)]
    x = random_rows(5, forests[0])
    expected = np.mean([f.sums(x) for f in forests], axis=0)
    assert_allclose(mean_of(forests).sums(x), expected, rtol=1e-9, atol=1e-12)
    assert_allclose(mean_of(forests).walked(x), expected, rtol=1e-9, atol=1e-12)


def test_a_forest_returns_from_the_arrays_of_a_bundle(both):
    _, forest = both
    arrays = forest.arrays("pace")
    assert all(name.startswith("pace_") for name in arrays)
    x = random_rows(2, forest)
    assert np.array_equal(forest_from({**arrays, "spread_leaf": np.zeros(1)}, "pace").sums(x), forest.sums(x))


def test_rows_that_are_not_contiguous_or_of_double_precision_are_read_alike(both):
    _, forest = both
    x = random_rows(3, forest)
    wide = np.repeat(x, 2, axis=1)[:, ::2]
    assert forest.sums(wide).tolist() == forest.sums(x).tolist() == forest.sums(x.astype(np.float64)).tolist()


@compiled
@law
@given(seed=st.integers(0, 10**6), n=st.integers(0, 70), n_leaves=st.sampled_from([2, 9, 32, 33, 60]))
def test_few_rows_and_many_small_trees_and_large_ones_are_walked_alike(seed, n, n_leaves):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, (400, N_COLUMNS)).astype(np.float32)
    booster = lightgbm.train(
        {**ALWAYS, "objective": "l2", "num_leaves": n_leaves, "min_data_in_leaf": 2},
        lightgbm.Dataset(x, x.prod(axis=1)), 5,
    )  # fmt: skip
    forest = forest_of(booster.dump_model()["tree_info"])
    asked = random_rows(seed, forest, n) if n else np.empty((0, N_COLUMNS), np.float32)
    asked[rng.random(asked.shape) < 0.1] = np.nan
    expected = forest.walked(asked)
    assert np.array_equal(forest.sums(asked), expected)
    assert [float(forest.sums(row[None])[0]) for row in asked] == expected.tolist()
