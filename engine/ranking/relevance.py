"""How likely this learner takes a resource up: a weighted sum of what each model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.collaborative import Ease, Factors
from engine.ranking.features import Said
from engine.ranking.popularity import CourseDay, Popularity
from engine.ranking.ranker import Ranker, best_of, ranker_from

# What others do, what the time of the course says, what the learner worked on, and the ways of working they take up.
FAMILIES = ("others", "course_time", "own_work", "format")
# How far the best that was not ranked stays below the last that was.
_BELOW = 1e-6


@dataclass(frozen=True, slots=True)
class RelevanceModel:
    """The scorers of a bundle and the weights of their terms.

    `names`: the terms in order. `weights`: by situation, one weight per term: `guided` where earlier cohorts of the
    course can say what comes next, `unguided` elsewhere, and `cold_…` for who has taken up nothing yet.
    """

    names: tuple[str, ...]
    weights: Mapping[str, NDArray[np.float64]]
    popularity: Popularity
    course_day: CourseDay
    ease: Ease
    factors: Factors
    ranker: Ranker | None = None

    def terms(self, query: Query) -> NDArray[np.float64]:
        """What each model says of each resource the bundle knows: `(n_terms, n_resources)`, NaN = cannot say."""
        seen = query.history.seen
        seen = seen[seen < self.n_resources]
        others = self.popularity.score(query)
        by_day = self.course_day.score(query)
        if by_day is None:
            by_day = np.full((self.course_day.n_terms, others.shape[1]), np.nan)
        return np.vstack([others, by_day, self.ease.score(seen), self.factors.score(seen, query.features)])

    def contributions(self, terms: NDArray[np.float64], n_resources: int) -> NDArray[np.float64]:
        """Weight times term, `(n_terms, n_resources)`, also for resources newer than the bundle; columns sum to scores.

        A model that cannot say adds nothing, and nothing is known of a resource newer than the bundle but that nobody
        took it up yet; LightFM's factors, which may be negative, count there as the least they say of any.
        """
        known = terms.shape[1]
        filled = np.zeros((len(self.names), n_resources))
        filled[:, :known] = np.where(np.isnan(terms), 0.0, terms)
        filled[-1, known:] = filled[-1, :known].min(initial=0.0)
        return filled * self.weights_for(terms)[:, None]

    def weights_for(self, terms: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weights for what these terms can say: `(n_terms,)`."""
        return self.weights[self.situation(terms)]

    def situation(self, terms: NDArray[np.float64]) -> str:
        """The name of the weights for what these terms can say."""
        guidance = "guided" if self.is_guided(terms) else "unguided"
        return f"cold_{guidance}" if self.is_cold(terms) else guidance

    def is_cold(self, terms: NDArray[np.float64]) -> bool:
        """Whether nothing the learner took up speaks in these terms."""
        return bool(np.isnan(terms[-2]).all())

    def is_guided(self, terms: NDArray[np.float64]) -> bool:
        """Whether earlier cohorts of the course could say something in these terms."""
        by_day = terms[self.popularity.n_terms : self.popularity.n_terms + self.course_day.n_terms]
        return not bool(np.isnan(by_day).any())

    @property
    def n_resources(self) -> int:
        """How many resources the bundle knows."""
        return self.popularity.n_resources

    def scored(self, query: Query, candidates: NDArray[np.int32]) -> NDArray[np.float64]:
        """What each family of terms adds to each candidate's score: `(n_families, n_candidates)`.

        Candidates are rows of the catalogue, also newer than the bundle; the sum over families is the score.
        """
        n_resources = max(self.n_resources, int(candidates.max(initial=-1)) + 1)
        terms = self.terms(query)
        by_term = self.contributions(terms, n_resources)[:, candidates]
        bounds = (0, self.popularity.n_terms, self.popularity.n_terms + self.course_day.n_terms)
        added = np.add.reduceat(by_term, bounds, axis=0)
        linear = np.vstack([added, np.zeros((len(FAMILIES) - len(added), len(candidates)))])
        # Where earlier cohorts went through the same course before, the trees have nothing to add.
        if self.ranker is None or self.is_guided(terms):
            return linear
        return self._ranked(query, candidates, linear, terms)

    def said(self, terms: NDArray[np.float64]) -> Said:
        """What the ranker takes over from the first stage."""
        by_day = terms[self.popularity.n_terms : self.popularity.n_terms + self.course_day.n_terms]
        return Said(by_day if self.is_guided(terms) else None, terms[-1])

    def _ranked(
        self, query: Query, candidates: NDArray[np.int32], linear: NDArray[np.float64], terms: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The trees' word on the best of the first stage; the rest stays in its order, below them."""
        assert self.ranker is not None, "asked for only with a ranker"
        known = np.flatnonzero(candidates < self.n_resources)
        if not len(known):
            return linear
        top = known[best_of(linear[:, known].sum(axis=0))]
        added = self.ranker.added(query, candidates[top].astype(np.int64), self.said(terms))
        # A split on what nobody can say of this learner is no reason of its own: it belongs to what is usual.
        silent = [1, 2, 3] if self.is_cold(terms) else [1]
        added[0] += added[silent].sum(axis=0)
        added[silent] = 0.0
        rest = np.ones(len(candidates), bool)
        rest[top] = False
        result = linear.copy()
        result[:, top] = added
        if rest.any():
            result[0, rest] += added.sum(axis=0).min() - linear[:, rest].sum(axis=0).max() - _BELOW
        return result

    @property
    def families(self) -> tuple[str, ...]:
        """Terms that speak of the same thing: what others do, what the time of the course says, the learner's work."""
        return FAMILIES

    def votes(self, query: Query, row: int) -> float:
        """How many learners of the course took a resource up."""
        return 0.0 if row >= self.n_resources else self.popularity.votes(query, row)

    def cohort_votes(self, query: Query, row: int) -> float | None:
        """How many learners of earlier cohorts took it up in the four weeks after this day; None without cohorts."""
        return self.course_day.votes_ahead(query, row, days=28)


def term_names(half_lives_days: Sequence[float], course_day_half_lives: Sequence[float]) -> tuple[str, ...]:
    """The terms in the order of the rows of `RelevanceModel.terms`."""
    return (
        "popularity",
        *(f"recent_{h:g}d" for h in half_lives_days),
        *(f"ahead_{h:g}d" for h in course_day_half_lives),
        *(f"behind_{h:g}d" for h in course_day_half_lives),
        "ease",
        "factors",
    )


def relevance_of(bundle: Bundle) -> RelevanceModel:
    """The relevance model a bundle carries."""
    return relevance_from(bundle.arrays, bundle.ids, bundle.settings)


def relevance_from(
    arrays: Mapping[str, NDArray[Any]], ids: Mapping[str, Sequence[str]], settings: Mapping[str, Any]
) -> RelevanceModel:
    """The relevance model over fitted arrays; `ids` names the resources, courses and learner features of their rows."""
    courses, n_resources = IdMap(ids["courses"]), len(ids["resources"])
    by_day = tuple(settings["course_day_half_lives"])
    return RelevanceModel(
        names=term_names(settings["half_lives_days"], by_day),
        weights={situation: np.array(weights) for situation, weights in settings["weights"].items()},
        popularity=Popularity(arrays, courses, n_resources),
        course_day=CourseDay(arrays, courses, n_resources, by_day),
        ease=Ease(arrays, n_resources),
        factors=Factors(arrays, IdMap(ids["learner_features"])),
        ranker=ranker_from(arrays, courses, n_resources, 2 * len(by_day)),
    )
