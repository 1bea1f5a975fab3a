"""What is compiled says what numpy says: the columns of the ranker, lists gathered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.history import History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.learner.kernels import library
from engine.learner.spans import spans_of
from engine.ranking.features import READINGS, Features, Said
from engine.ranking.neighbours import work_of
from engine.ranking.pulse import N_COUNTS, QUANTILES

N, N_BY_DAY, DAY_US = 40, 3, 86_400_000_000

pytestmark = pytest.mark.skipif(library() is None, reason="nothing was compiled: there is only numpy")


def _features(rng: np.random.Generator) -> Features:
    """Any models over a catalogue of forty, one cohort, three formats."""
    arrays = {"resource_format": rng.integers(0, 3, N)}
    for name in READINGS:
        starts = np.concatenate([[0], np.cumsum(rng.integers(0, 6, N))])
        arrays[f"{name}_starts"] = starts.astype(np.int64)
        arrays[f"{name}_neighbour"] = rng.integers(0, N, starts[-1]).astype(np.int32)
        # Some are level, so that equals must keep their order.
        arrays[f"{name}_weight"] = np.round(rng.normal(size=starts[-1]), 1).astype(np.float32)
    told = rng.permutation(N)[:30]
    ages = rng.uniform(0, 60, (30, len(QUANTILES))).astype(np.float32)
    arrays |= {
        "pulse_course": np.array([-1]), "pulse_starts_us": np.array([0]), "pulse_entries": np.array([0, 30]),
        "pulse_learners": np.array([[20.0, 9.0]]), "pulse_resource": told,
        "pulse_counts": rng.integers(0, 4, (30, N_COUNTS)).astype(np.float32),
        "pulse_ages": np.where(rng.random((30, 1)) < 0.2, -1.0, ages).astype(np.float32),
    }  # fmt: skip
    return Features(arrays, IdMap([]), N, N_BY_DAY)


@given(
    seed=st.integers(0, 2**32),
    n_work=st.integers(0, 12),
    n_rows=st.integers(0, N),
    timed=st.booleans(),
    said=st.sampled_from(["all", "factors", "nothing"]),
)
def test_compiled_columns_are_those_of_numpy(seed: int, n_work: int, n_rows: int, timed: bool, said: str) -> None:
    rng = np.random.default_rng(seed)
    features = _features(rng)
    now_us = 100 * DAY_US
    at_us = np.sort(rng.integers(0, now_us, n_work)) if timed else np.full(n_work, np.iinfo(np.int64).min)
    history = History(rng.integers(0, N + 3, n_work).astype(np.int32), at_us)
    query = Query(learner_id="x", known=True, history=history, now_us=now_us)
    rows = np.sort(rng.permutation(N)[:n_rows]).astype(np.int64)
    factors = np.where(rng.random(N) < 0.1, np.nan, np.round(rng.normal(size=N), 1))
    told = Said(
        rng.normal(size=(N_BY_DAY, N)) if said == "all" else None, factors if said in ("all", "factors") else None
    )
    found = features.of(query, rows, told)
    by_hand = features.listed(work_of(query, N), features._cohort(query), rows, told)
    np.testing.assert_allclose(found, by_hand, rtol=1e-5, atol=1e-6)
    # What is counted is exact: a place, the level of a cohort, how much was seen.
    whole = [k for k, name in enumerate(features.names) if name.startswith(("place_", "n_seen", "share", "votes"))]
    np.testing.assert_array_equal(found[:, whole], by_hand[:, whole])


@given(
    lists=st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=9),
    of=st.lists(st.integers(0, 8), max_size=12),
)
def test_lists_are_gathered_as_numpy_does(lists: list[list[int]], of: list[int]) -> None:
    spans, asked = spans_of(lists), np.array([k % len(lists) for k in of], np.int64)
    for compiled, by_hand in zip(spans.gathered(asked), spans.listed(asked), strict=True):
        np.testing.assert_array_equal(compiled, by_hand)
