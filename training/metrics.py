"""How good rankings are: pure functions of ranks, with bootstrap intervals over learners."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def ideal_gain(n_relevant: NDArray[np.int64], k: int) -> Values:
    """The discounted gain of a perfect ranking cut at `k`: `(n,)`."""
    steps = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    result: Values = steps[np.minimum(n_relevant, k)]
    return result


def ranking_metrics(hits: NDArray[np.bool_], n_relevant: NDArray[np.int64]) -> dict[str, Values]:
    """NDCG, recall and reciprocal rank per learner, binary relevance, all candidates ranked.

    `hits`: `(n_learners, k)`, whether the resource at each rank was taken up. `n_relevant`: `(n_learners,)`, > 0.
    """
    k = hits.shape[1]
    gain = (hits / np.log2(np.arange(2, k + 2))).sum(axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)
    return {
        f"ndcg@{k}": gain / ideal_gain(n_relevant, k),
        f"recall@{k}": hits.sum(axis=1) / n_relevant,
        "mrr": 1.0 / first,
    }


def interval(values: Values, *, seed: int, n_draws: int = 1000) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean."""
    if len(values) == 0:
        return (float("nan"), float("nan"))
    draws = np.random.default_rng(seed).integers(0, len(values), (n_draws, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return (float(low), float(high))


def summary(metrics: Mapping[str, Values], *, seed: int) -> dict[str, dict[str, float]]:
    """Mean and interval of each metric."""
    result = {}
    for name, values in metrics.items():
        low, high = interval(values, seed=seed)
        result[name] = {"mean": float(values.mean()) if len(values) else float("nan"), "low": low, "high": high}
    return result
