"""Leave out of a bundle what held-out data has no use for: scorers that do not help, and arrays nobody reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ranking.beside import arrays_of, names_in
from engine.ranking.features import READINGS
from training.blend import Choices, fitted_weights
from training.metrics import ranking_metrics

# A scorer costs every request its time, so it must help by more than chance: so many standard errors over queries.
_BEYOND_CHANCE = 2.0
# With fewer queries nothing could be told from chance.
_LEAST_QUERIES = 30


@dataclass(frozen=True, slots=True)
class Weighing:
    """The choices of one situation: those weights are fitted on, and later ones that share no vote with them.

    `prior`: the weights before anything is known, `(n_terms,)`. `optional`: the places of terms that may stay out.
    """

    fitted_on: Sequence[Choices]
    judged_on: Choices
    prior: NDArray[np.float64]
    optional: tuple[int, ...]
    timed: bool

    def helpful(self) -> tuple[int, ...]:
        """The places of the optional terms that each help, beside all that are not optional."""
        if len(self.judged_on) < _LEAST_QUERIES or not any(len(c) for c in self.fitted_on):
            return ()
        always = tuple(n for n in range(len(self.prior)) if n not in self.optional)
        plain = self._gains(always)
        found = []
        for place in self.optional:
            more = self._gains((*always, place)) - plain
            if more.mean() > _BEYOND_CHANCE * more.std() / np.sqrt(len(more)):
                found.append(place)
        return tuple(found)

    def _gains(self, places: tuple[int, ...]) -> NDArray[np.float64]:
        """The NDCG@10 of each judged choice under weights for some of the terms."""
        weights = weights_of(self.fitted_on, self.prior, places, timed=self.timed).astype(np.float32)
        judged = self.judged_on
        scores = np.where(judged.real, np.tensordot(weights, judged.terms, 1), -np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        hits = np.take_along_axis(judged.taken, best, axis=1)
        hits = np.pad(hits, ((0, 0), (0, 10 - hits.shape[1])))
        return ranking_metrics(hits, judged.taken.sum(axis=1))["ndcg@10"]


def weights_of(
    choices: Sequence[Choices], prior: NDArray[np.float64], places: Sequence[int], *, timed: bool
) -> NDArray[np.float64]:
    """Weights fitted for some of the terms, 0 for the others: `(n_terms,)`."""
    rows, weights = np.array(sorted(places), np.int64), np.zeros(len(prior))
    weights[rows] = fitted_weights([c.of(rows) for c in choices], prior[rows], timed=timed)
    return weights


def unread(arrays: Mapping[str, NDArray[Any]], kept: Sequence[str]) -> set[str]:
    """The names of arrays that only left out scorers, or a ranker that is not there, would read."""
    out = [name for name in (*names_in(arrays), *READINGS) if name not in kept and name != "ease"]
    if "ranker_value" in arrays:
        out = [name for name in out if name not in READINGS]
        return {a for name in out for a in arrays_of(name)} & arrays.keys()
    of_ranker = {a for a in arrays if a.startswith("pulse_") or a == "resource_format"}
    return ({a for name in out for a in arrays_of(name)} & arrays.keys()) | of_ranker
