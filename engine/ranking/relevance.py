"""How likely this learner takes a resource up: a weighted sum of what each model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.beside import Scorer, added_by, beside_from
from engine.ranking.collaborative import Ease, Factors
from engine.ranking.features import Said
from engine.ranking.popularity import CourseDay, HalfLives, Popularity, votes_of
from engine.ranking.ranker import Ranker, best_of, ranker_from

# What others do, what the time of the course says, what the learner worked on, and the ways of working they take up.
FAMILIES = ("others", "course_time", "own_work", "format")
# How far the best that was not ranked stays below the last that was.
_BELOW = 1e-6
# Cohorts and days whose sums are kept.
KEPT_STANDINGS = 512


@dataclass(frozen=True, slots=True)
class Shared:
    """What is alike for all learners of a cohort on a day, over the rows of a catalogue, `(n_resources,)` each."""

    others: NDArray[np.float64]
    course_time: NDArray[np.float64]
    total: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStage:
    """What the cheap scorers say of every row of a catalogue, `(n_resources,)` each; `scores` add up the other three.

    `cold`: nothing the learner took up speaks. `guided`: earlier cohorts of the course can say what comes next, in
    `by_day` `(n_terms, n_known)`. `factors`: `(n_known,)`, None where LightFM cannot say or was not asked.
    """

    scores: NDArray[np.float64]
    others: NDArray[np.float64]
    course_time: NDArray[np.float64]
    own_work: NDArray[np.float64]
    cold: bool
    guided: bool
    by_day: NDArray[np.float64] | None
    factors: NDArray[np.float64] | None


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
    beside: tuple[Scorer, ...] = ()
    _kept: dict[tuple[object, ...], Shared] = field(default_factory=dict, repr=False, compare=False)

    def terms(self, query: Query) -> NDArray[np.float64]:
        """What each model says of each resource the bundle knows: `(n_terms, n_resources)`, NaN = cannot say."""
        seen = query.history.seen
        seen = seen[seen < self.n_resources]
        others = self.popularity.score(query)
        by_day = self.course_day.score(query)
        if by_day is None:
            by_day = np.full((self.course_day.n_terms, others.shape[1]), np.nan)
        beside = [scorer.score(query) for scorer in self.beside]
        return np.vstack([others, by_day, *beside, self.ease.score(seen), self.factors.score(seen, query.features)])

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

    def first(self, query: Query, n_resources: int) -> FirstStage:
        """What the scorers say of every row of a catalogue, as the sum of their terms."""
        return self.firsts([query], n_resources)[0]

    def firsts(self, queries: Sequence[Query], n_resources: int) -> list[FirstStage]:
        """The same for several learners, for each as on their own.

        What is alike for a cohort on a day is added up once and kept; the factors of resources are read once for all.
        """
        stages = [self._own(query, n_resources) for query in queries]
        asked = [(k, vector) for k, (_, vector, _) in enumerate(stages) if vector is not None]
        said = self.factors.said([vector for _, vector in asked]) if asked else np.empty((0, 0))
        for place, (k, _) in enumerate(asked):
            stage, _, weight = stages[k]
            stages[k] = (self._with_factors(stage, said[place], weight), None, weight)
        return [stage for stage, _, _ in stages]

    def _own(self, query: Query, n_resources: int) -> tuple[FirstStage, NDArray[np.float32] | None, float]:
        """All but the factors, with the learner's vector, None where they have no say, and the weight of that."""
        seen = query.history.seen
        seen = seen[: seen.searchsorted(self.n_resources)]
        by_day = self.course_day.score(query)
        guided = by_day is not None and not bool(np.isnan(by_day).any())
        situation = f"{'cold_' if not len(seen) else ''}{'guided' if guided else 'unguided'}"
        weights = self.weights[situation]
        shared = self._shared(query, situation, by_day if guided else None, n_resources)
        own = np.zeros(n_resources)
        if len(seen):
            for weight, scorer in zip(weights[-2 - len(self.beside) : -2], self.beside, strict=True):
                if weight:
                    added_by(scorer, query, weight, own[: self.n_resources])
            if weights[-2]:
                self.ease.add(own[: self.n_resources], seen, weights[-2])
        asked = weights[-1] or (self.ranker is not None and not guided)
        stage = FirstStage(
            scores=shared.total + own, others=shared.others, course_time=shared.course_time, own_work=own,
            cold=not len(seen), guided=guided, by_day=by_day if guided else None, factors=None,
        )  # fmt: skip
        return stage, self.factors.learner(seen, query.features) if asked else None, float(weights[-1])

    def _with_factors(self, stage: FirstStage, said: NDArray[np.float64], weight: float) -> FirstStage:
        if weight:
            own, known = stage.own_work, self.n_resources
            term = weight * said
            own[:known] += term
            stage.scores[:known] += term
            if len(own) > known:
                # Nothing is known of a resource newer than the bundle: it counts as the least that is said of any.
                own[known:] += weight * float(said.min(initial=0.0))
                stage.scores[known:] += own[known:]
        return FirstStage(
            scores=stage.scores, others=stage.others, course_time=stage.course_time, own_work=stage.own_work,
            cold=stage.cold, guided=stage.guided, by_day=stage.by_day, factors=said,
        )  # fmt: skip

    def _shared(self, query: Query, situation: str, by_day: NDArray[np.float64] | None, n_resources: int) -> Shared:
        key = (situation, self.popularity.course(query), self.course_day.key(query) if by_day is not None else None)
        kept = self._kept.get(key)
        if kept is not None and len(kept.total) == n_resources:
            return kept
        weights, n_votes = self.weights[situation], self.popularity.n_terms
        others, course_time = np.zeros(n_resources), np.zeros(n_resources)
        others[: self.n_resources] = added_up(weights[:n_votes, None] * self.popularity.score(query))
        if by_day is not None:
            by_term = weights[n_votes : n_votes + self.course_day.n_terms, None] * by_day
            course_time[: self.n_resources] = added_up(by_term)
        if len(self._kept) >= KEPT_STANDINGS:
            self._kept.clear()
        self._kept[key] = Shared(others, course_time, others + course_time)
        return self._kept[key]

    def families_of(self, query: Query, first: FirstStage, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What each family of terms adds to each of these rows of the catalogue: `(n_families, len(rows))`.

        The sum over families is the score. Where the bundle has a ranker, the best few hundred of the rows are put in
        order by its trees and the others stay in theirs, below them.
        """
        by_family = np.zeros((len(FAMILIES), len(rows)))
        by_family[0], by_family[1], by_family[2] = first.others[rows], first.course_time[rows], first.own_work[rows]
        # Where earlier cohorts went through the same course before, the trees have nothing to add.
        if self.ranker is None or first.guided:
            return by_family
        return self._ranked(query, first, rows, by_family)

    def scored(self, query: Query, candidates: NDArray[np.int32]) -> NDArray[np.float64]:
        """What each family of terms adds to each candidate's score: `(n_families, n_candidates)`.

        Candidates are rows of the catalogue, also newer than the bundle; the sum over families is the score.
        """
        first = self.first(query, max(self.n_resources, int(candidates.max(initial=-1)) + 1))
        return self.families_of(query, first, candidates.astype(np.int64))

    def said(self, terms: NDArray[np.float64]) -> Said:
        """What the ranker takes over from the first stage."""
        by_day = terms[self.popularity.n_terms : self.popularity.n_terms + self.course_day.n_terms]
        return Said(by_day if self.is_guided(terms) else None, terms[-1])

    def _ranked(
        self, query: Query, first: FirstStage, rows: NDArray[np.int64], linear: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert self.ranker is not None, "asked for only with a ranker"
        known = np.flatnonzero(rows < self.n_resources)
        if not len(known):
            return linear
        top = known[best_of(first.scores[rows[known]])]
        added = self.ranker.added(query, rows[top], Said(first.by_day, first.factors))
        # A split on what nobody can say of this learner is no reason of its own: it belongs to what is usual.
        silent = [1, 2, 3] if first.cold else [1]
        added[0] += added[silent].sum(axis=0)
        added[silent] = 0.0
        if len(top) == len(rows):
            return added
        rest = np.ones(len(rows), bool)
        rest[top] = False
        linear[:, top] = added
        linear[0, rest] += added.sum(axis=0).min() - first.scores[rows[rest]].max() - _BELOW
        return linear

    @property
    def families(self) -> tuple[str, ...]:
        """Terms that speak of the same thing: what others do, what the time of the course says, the learner's work."""
        return FAMILIES

    def votes(self, query: Query, rows: Sequence[int]) -> list[float]:
        """How many learners of the course took each of these resources up."""
        ever = self.popularity.ever(query)
        return [0.0 if row >= self.n_resources else votes_of(float(ever[row])) for row in rows]

    def cohort_votes(self, query: Query, rows: Sequence[int]) -> list[float | None]:
        """How many learners of earlier cohorts took each up in the four weeks after this day; None without cohorts."""
        ahead = self.course_day.votes_ahead(query)
        if ahead is None:
            return [None] * len(rows)
        return [float(ahead[row]) if row < self.n_resources else 0.0 for row in rows]


def added_up(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores, `(n_resources,)`, added term by term: a BLAS sum could differ in the last digit with the shape."""
    scores = np.zeros(contributions.shape[1])
    for term in contributions:
        scores += term
    return scores


def term_names(half_lives_days: Sequence[float], by_day: HalfLives, beside: Sequence[str] = ()) -> tuple[str, ...]:
    """The terms in the order of the rows of `RelevanceModel.terms`."""
    return (
        "popularity",
        *(f"recent_{h:g}d" for h in half_lives_days),
        *(f"ahead_{h:g}d" for h in by_day.around),
        *(f"behind_{h:g}d" for h in by_day.around),
        *(f"due_{h:g}d" for h in by_day.due),
        *beside,
        "ease",
        "factors",
    )


def half_lives_from(settings: Mapping[str, Any]) -> HalfLives:
    """How days of the course fade, as a bundle's settings tell."""
    return HalfLives(tuple(settings["course_day_half_lives"]), tuple(settings["due_half_lives"]))


def relevance_of(bundle: Bundle) -> RelevanceModel:
    """The relevance model a bundle carries."""
    return relevance_from(bundle.arrays, bundle.ids, bundle.settings)


def relevance_from(
    arrays: Mapping[str, NDArray[Any]], ids: Mapping[str, Sequence[str]], settings: Mapping[str, Any]
) -> RelevanceModel:
    """The relevance model over fitted arrays; `ids` names the resources, courses and learner features of their rows."""
    courses, n_resources = IdMap(ids["courses"]), len(ids["resources"])
    by_day, beside = half_lives_from(settings), settings["beside"]
    return RelevanceModel(
        names=term_names(settings["half_lives_days"], by_day, beside),
        weights={situation: np.array(weights) for situation, weights in settings["weights"].items()},
        popularity=Popularity(arrays, courses, n_resources),
        course_day=CourseDay(arrays, courses, n_resources, by_day),
        ease=Ease(arrays, n_resources),
        factors=Factors(arrays, IdMap(ids["learner_features"])),
        ranker=ranker_from(arrays, courses, n_resources, by_day.n_terms),
        beside=beside_from(arrays, beside, courses, n_resources),
    )
