"""The rebuilt peers rank what they may, by what they say, and their scores are counted as the judge counts."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from experiments.bench.peers import Seen, ease, hits, ranked, recent_ease, scores_of


@pytest.fixture
def seen():
    """Even learners take up even resources of course 0, odd ones odd; learner 9 and resource 9 are of course 1."""
    rows = [(u, r, float(r)) for u in range(9) for r in range(8) if u % 2 == r % 2 and r != u]
    learner, resource, day = np.array([*rows, (9, 9, 1.0)]).T
    return Seen(
        [f"u{i}" for i in range(10)], [f"r{i}" for i in range(10)], learner.astype(int), resource.astype(int), day,
        np.array([2, 3]), np.array([8.0, 8.0]), np.array([0] * 9 + [1]), np.array([0] * 9 + [1]), np.zeros(10, int),
    )  # fmt: skip


@pytest.mark.parametrize("model", [lambda s: ease(s, l2=1.0), lambda s: recent_ease(s, l2=1.0, half_life=3.0)])
def test_the_missing_resource_of_the_own_colour_comes_first(seen, model):
    recs = ranked(seen, model(seen))
    best = recs.filter(pl.col("rank") == 1)
    assert dict(zip(best["learner_id"], best["resource_id"], strict=True)) == {"u2": "r2", "u3": "r3"}


def test_nothing_seen_and_nothing_of_another_course_is_ranked(seen):
    recs = ranked(seen, lambda _: np.ones(10))
    assert "r9" not in recs["resource_id"]
    own = pl.DataFrame({"learner_id": ["u2", "u2", "u2"], "resource_id": ["r0", "r4", "r6"]})
    assert recs.join(own, on=["learner_id", "resource_id"]).is_empty()


def test_learned_columns_stand_for_what_is_offered(seen):
    offered, columns = next(scores_of(replace(seen, asked=np.array([2]), asked_day=np.array([8.0]))))
    assert offered.tolist() == [1, 2, 3, 5, 7, 8]
    assert len(columns) == len(offered)
    assert np.isfinite(columns).all()


def test_gains_are_shares_of_what_could_be_had_at_most():
    truth = pl.DataFrame({"learner_id": ["a", "a", "b"], "resource_id": ["x", "y", "x"]})
    recs = pl.DataFrame({"learner_id": ["a", "a", "a"], "resource_id": ["x", "z", "y"], "rank": [1, 2, 3]})
    assert hits(recs, truth) == pytest.approx([(1.0 + 0.5) / (1.0 + 1.0 / np.log2(3)), 0.0])
