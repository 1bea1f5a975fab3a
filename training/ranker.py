"""Fit the learned ranker on what learners took up after several earlier cuts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.learner.paths import PathForest
from engine.ranking.features import FAMILY_OF_BLOCK, Features
from engine.ranking.ranker import best_of
from engine.ranking.relevance import RelevanceModel
from training.slices import Asked
from training.trees import grow_paths, mean_of_paths

# One query in so many is asked once more as if the learner had done next to nothing, so that short histories count.
_SHORTENED_EVERY, _SHORT = 4, 5
PARAMETERS: Mapping[str, Any] = {
    "num_leaves": 16,
    "learning_rate": 0.12,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    # Every tree sees every column: with half of them, NDCG hung on the seed (.54 to .57).
    "feature_fraction": 1.0,
    "bagging_fraction": 0.7,
    "max_bin": 63,
    "lambdarank_truncation_level": 15,
}
N_TREES, N_SEEDS = 60, 2


@dataclass(frozen=True, slots=True)
class RankRows:
    """The best of the first stage of many queries, one below the other.

    `x`: `(n, n_columns)`. `taken`: `(n,)`. `sizes`: rows of each query.
    """

    x: NDArray[np.float32]
    taken: NDArray[np.bool_]
    sizes: NDArray[np.int64]


def rank_rows(asked: Iterable[Asked], model: RelevanceModel, features: Features, *, seed: int) -> RankRows:
    """What the ranker would be asked in these queries; one whose takings the first stage lets fall falls out."""
    x, taken = [np.zeros((0, len(features.names)), np.float32)], [np.zeros(0, bool)]
    for one in _with_short(asked, seed):
        terms = model.terms(one.query)
        if model.is_guided(terms):
            continue
        scores = model.contributions(terms, terms.shape[1]).sum(axis=0)[one.candidates]
        top = best_of(scores)
        if one.taken[top].any():
            x.append(features.of(one.query, one.candidates[top].astype(np.int64), model.said(terms)))
            taken.append(one.taken[top])
    sizes = np.array([len(t) for t in taken[1:]], np.int64)
    return RankRows(np.concatenate(x), np.concatenate(taken), sizes)


def fitted_ranker(rows: Sequence[RankRows], features: Features, *, seed: int) -> PathForest | None:
    """Trees that put the best of the first stage in order; None where there is nothing to learn from.

    They start from nothing: started from the scores of the first stage they were worse, and no steadier.
    """
    rows = [r for r in rows if len(r.sizes)]
    if not rows:
        return None
    x, taken = np.concatenate([r.x for r in rows]), np.concatenate([r.taken for r in rows]).astype(np.float64)
    sizes = np.concatenate([r.sizes for r in rows])
    grown = [
        grow_paths(
            x, taken, sizes,
            families=features.families, n_families=len(FAMILY_OF_BLOCK), n_trees=N_TREES, parameters=PARAMETERS,
            seed=seed + n,
        )
        for n in range(N_SEEDS)
    ]  # fmt: skip
    return mean_of_paths(grown)


def _with_short(asked: Iterable[Asked], seed: int) -> Iterator[Asked]:
    rng = np.random.default_rng(seed)
    for n, one in enumerate(asked):
        yield one
        if n % _SHORTENED_EVERY == 0:
            keep = int(rng.integers(0, _SHORT + 1))
            history = one.query.history
            short = History(history.resource_index[:keep], history.at_us[:keep])
            yield replace(one, query=replace(one.query, history=short))
