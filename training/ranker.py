"""Fit the learned ranker on what learners took up after several earlier cuts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.learner.paths import PathForest
from engine.ranking.features import FAMILY_OF_BLOCK, Features
from engine.ranking.relevance import RelevanceModel
from training.slices import Asked
from training.trees import grow_paths, mean_of_paths

# The best of any model by place: what the first stage may let through, whatever its weights come to.
N_ROWS = 150
# One query in so many is asked once more as if the learner had done next to nothing, so that short histories count.
_SHORTENED_EVERY, _SHORT = 4, 5
PARAMETERS: Mapping[str, Any] = {
    "num_leaves": 16,
    "learning_rate": 0.12,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "max_bin": 127,
    "lambdarank_truncation_level": 15,
}
N_TREES, N_SEEDS = 60, 2


@dataclass(frozen=True, slots=True)
class RankRows:
    """The contenders of many queries, one below the other.

    `x`: `(n, n_columns)`. `terms`: `(n, n_terms)`, 0 where a model cannot say. `taken`: `(n,)`. `sizes`: rows of each
    query. `situations`: the name of each query's weights.
    """

    x: NDArray[np.float32]
    terms: NDArray[np.float32]
    taken: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    situations: tuple[str, ...]


def rank_rows(asked: Iterable[Asked], model: RelevanceModel, features: Features, *, seed: int) -> RankRows:
    """The rows of these queries; one whose takings are not among the contenders falls out."""
    x, terms, taken, situations = [], [], [], []
    for one in _with_short(asked, seed):
        said = model.terms(one.query)
        offered = np.nan_to_num(said[:, one.candidates])
        top = _contenders(offered)
        if not one.taken[top].any():
            continue
        x.append(features.of(one.query, one.candidates[top].astype(np.int64), model.said(said)))
        terms.append(offered[:, top].T.astype(np.float32))
        taken.append(one.taken[top])
        situations.append(model.situation(said))
    if not x:
        nothing = np.zeros((0, len(features.names)), np.float32), np.zeros((0, len(model.names)), np.float32)
        return RankRows(*nothing, np.zeros(0, bool), np.zeros(0, np.int64), ())
    sizes = np.array([len(t) for t in taken], np.int64)
    return RankRows(np.concatenate(x), np.concatenate(terms), np.concatenate(taken), sizes, tuple(situations))


def fitted_ranker(
    rows: Sequence[RankRows],
    features: Features,
    weights: Mapping[str, NDArray[np.float64]],
    *,
    seed: int,
) -> PathForest | None:
    """Trees that add to the weighted terms; None where there is nothing to learn from."""
    rows = [r for r in rows if len(r.sizes)]
    if not rows:
        return None
    x, taken = np.concatenate([r.x for r in rows]), np.concatenate([r.taken for r in rows]).astype(np.float64)
    offset = np.concatenate([_offset(r, weights) for r in rows])
    sizes = np.concatenate([r.sizes for r in rows])
    grown = [
        grow_paths(
            x, taken, sizes,
            families=features.families, n_families=len(FAMILY_OF_BLOCK), n_trees=N_TREES, parameters=PARAMETERS,
            seed=seed + n, offset=offset,
        )
        for n in range(N_SEEDS)
    ]  # fmt: skip
    return mean_of_paths(grown)


def _offset(rows: RankRows, weights: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    by_query = np.stack([weights[s] for s in rows.situations])
    result: NDArray[np.float64] = (rows.terms * np.repeat(by_query, rows.sizes, axis=0)).sum(axis=1)
    return result


def _with_short(asked: Iterable[Asked], seed: int) -> Iterator[Asked]:
    rng = np.random.default_rng(seed)
    for n, one in enumerate(asked):
        yield one
        if n % _SHORTENED_EVERY == 0:
            keep = int(rng.integers(0, _SHORT + 1))
            history = one.query.history
            short = History(history.resource_index[:keep], history.at_us[:keep])
            yield replace(one, query=replace(one.query, history=short))


def _contenders(terms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Columns best by their best place in any term that tells candidates apart, ascending."""
    n = terms.shape[1]
    telling = terms[terms.max(axis=1) > terms.min(axis=1)]
    if n <= N_ROWS or not len(telling):
        return np.arange(min(n, N_ROWS))
    places = np.argsort(np.argsort(-telling, axis=1, kind="stable"), axis=1, kind="stable").min(axis=0)
    return np.sort(np.argsort(places, kind="stable")[:N_ROWS])
