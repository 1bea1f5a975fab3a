"""Judge a relevance model on what learners took up later, all candidates ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ranking.relevance import RelevanceModel
from training.metrics import ranking_metrics, summary
from training.slices import Asked

CUTOFF = 10


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of what is served, of its first stage, and of each of its models alone, on the same queries.

    `metrics[model][metric]` is `{mean, low, high}`; `coverage[model]` the share of all candidates in any top ten.
    """

    n_learners: int
    metrics: dict[str, dict[str, dict[str, float]]]
    coverage: dict[str, float]

    def flat(self) -> dict[str, float]:
        """One number per name, for a tracker."""
        means = {f"{model}.{name}": m["mean"] for model, ms in self.metrics.items() for name, m in ms.items()}
        return {**means, **{f"{model}.coverage": share for model, share in self.coverage.items()}}

    def as_json(self) -> dict[str, Any]:
        """The whole table."""
        return {"learners": self.n_learners, "metrics": self.metrics, "coverage": self.coverage}


def evaluate(asked: Sequence[Asked], model: RelevanceModel, *, seed: int) -> Evaluation:
    """NDCG, recall, MRR (each cut at ten) and coverage, with 95 % bootstrap intervals over learners.

    A model that cannot say anything of a learner finds nothing for them; one that never can is left out.
    """
    if not asked:
        return Evaluation(0, {}, {})
    hits, shown, n_relevant = _rankings(asked, model)
    offered = len(np.unique(np.concatenate([a.candidates for a in asked])))
    able = [name for name, rows in shown.items() if rows]
    return Evaluation(
        n_learners=len(asked),
        metrics={name: summary(ranking_metrics(hits[name], n_relevant), seed=seed) for name in able},
        coverage={name: len(shown[name]) / offered for name in able},
    )


def _rankings(
    asked: Sequence[Asked], model: RelevanceModel
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, set[int]], NDArray[np.int64]]:
    """By model: the hits `(n_learners, 10)` and all resources shown; and how many were there to be found."""
    names = ["ranked", "blend", *model.names]
    hits = {name: np.zeros((len(asked), CUTOFF), bool) for name in names}
    shown: dict[str, set[int]] = {name: set() for name in names}
    for row, one in enumerate(asked):
        terms = model.terms(one.query)
        blend = model.contributions(terms, terms.shape[1]).sum(axis=0, keepdims=True)
        ranked = model.scored(one.query, one.candidates).sum(axis=0, keepdims=True)
        scores = np.vstack([ranked, np.vstack([blend, terms])[:, one.candidates]])
        top = np.argsort(-scores, axis=1, kind="stable")[:, :CUTOFF]
        for name, best, said in zip(names, top, scores, strict=True):
            if not np.isnan(said).all():
                hits[name][row, : len(best)] = one.taken[best]
                shown[name].update(one.candidates[best].tolist())
    return hits, shown, np.array([one.taken.sum() for one in asked])
