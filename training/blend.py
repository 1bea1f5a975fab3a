"""Weigh the models against each other, on what learners took up after the models were fitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from engine.ranking.relevance import RelevanceModel
from training.slices import Asked

# Strength, in queries, of the pull towards the prior, which is right where nothing is known yet. Queries of one week
# share its accidents, so with a clock they are worth fewer than they number.
PRIOR_QUERIES = 5.0
PRIOR_QUERIES_TIMED = 100.0
# Weights are for the top of the list, so only the best of each model contend; the long tail would drown them.
N_CONTENDERS = 100
# A term that varies less than this over all candidates says nothing, and no weight could be learned for it.
_STILL = 1e-4


@dataclass(frozen=True, slots=True)
class Choices:
    """The candidates of many queries, padded to the longest.

    `terms`: `(n_terms, n_queries, width)` float32, 0 where a model cannot say. `taken`: `(n_queries, width)` bool.
    `real`: `(n_queries, width)` bool, False in the padding.
    """

    terms: NDArray[np.float32]
    taken: NDArray[np.bool_]
    real: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.taken)

    def of(self, terms: NDArray[np.int64]) -> "Choices":
        """The same choices as seen by some of the terms."""
        return replace(self, terms=self.terms[terms])


def choices_of(asked: Sequence[Asked], model: RelevanceModel, *, guided: bool) -> Choices:
    """The choices of those queries for which earlier cohorts can say (`guided`) or cannot, by who took something up.

    Of each query the best `N_CONTENDERS` candidates of each model stay; one whose takings are not among them falls out.
    """
    said_of: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
    for one in asked:
        said = model.terms(one.query)
        if model.is_guided(said) == guided and not model.is_cold(said):
            offered = np.nan_to_num(said[:, one.candidates])
            rows = _contenders(offered)
            if one.taken[rows].any():
                said_of.append((offered[:, rows].astype(np.float32), one.taken[rows]))
    width = max((len(taken) for _, taken in said_of), default=0)
    terms = np.zeros((len(model.names), len(said_of), width), np.float32)
    taken, real = np.zeros(terms.shape[1:], bool), np.zeros(terms.shape[1:], bool)
    for row, (said_32, took) in enumerate(said_of):
        terms[:, row, : len(took)] = said_32
        taken[row, : len(took)] = took
        real[row, : len(took)] = True
    return Choices(terms, taken, real)


def _contenders(terms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Columns that are among the best of any term that tells candidates apart, ascending."""
    k = min(N_CONTENDERS, terms.shape[1])
    telling = terms[terms.max(axis=1) > terms.min(axis=1)]
    if len(telling) == 0:
        return np.arange(terms.shape[1])
    return np.unique(np.argpartition(-telling, k - 1, axis=1)[:, :k])


def fitted_weights(choices: Sequence[Choices], prior: NDArray[np.float64], *, timed: bool) -> NDArray[np.float64]:
    """Weights of a conditional logit (McFadden 1974) over the terms: `(n_terms,)`; without queries the prior stands.

    Each query counts once, however much was taken up in it. A pull towards `prior`, per standard deviation of a term,
    keeps the weights of terms that tell almost the same story from running apart on a short log; a term that never
    varies keeps its prior.
    """
    given = [c for c in choices if len(c)]
    if not given:
        return prior
    spread, strength = _spread(given), PRIOR_QUERIES_TIMED if timed else PRIOR_QUERIES
    scale = np.where(spread > _STILL, 1.0 / spread, 0.0).astype(np.float32)
    scaled = [c.terms * scale[:, None, None] for c in given]
    shares = [c.taken / c.taken.sum(axis=1, keepdims=True) for c in given]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        pull = weights - prior * spread
        value, slope = strength / 2 * pull @ pull, strength * pull
        for c, terms, share in zip(given, scaled, shares, strict=True):
            scores = np.where(c.real, np.tensordot(weights.astype(np.float32), terms, 1), -np.inf).astype(np.float64)
            scores -= scores.max(axis=1, keepdims=True)
            odds = np.exp(scores)
            totals = odds.sum(axis=1, keepdims=True)
            value += np.log(totals).sum() - (share * np.where(c.real, scores, 0.0)).sum()
            slope = slope + terms.reshape(len(weights), -1) @ (odds / totals - share).astype(np.float32).ravel()
        return float(value), slope.astype(np.float64)

    found = minimize(loss, prior * spread, jac=True, method="L-BFGS-B", options={"maxiter": 100})
    weights: NDArray[np.float64] = found.x / spread
    return weights


def _spread(given: Sequence[Choices]) -> NDArray[np.float64]:
    """The standard deviation of each term over real candidates: `(n_terms,)`."""
    rows = np.concatenate([c.terms[:, c.real] for c in given], axis=1)
    spread: NDArray[np.float64] = np.maximum(rows.std(axis=1, dtype=np.float64), 1e-6)
    return spread
