"""Weigh all relevance models on what was taken up later at several cuts, and grow the ranker over them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.ranking.popularity import DAY_US
from training.blend import Choices, choices_of
from training.fitting import Fitted, School, fit
from training.metrics import ranking_metrics
from training.pruning import Weighing, weights_of
from training.ranker import RankRows, fitted_ranker, rank_rows
from training.rehearsal import rehearsals_of
from training.relevance_models import ModelSettings
from training.slices import HORIZON_DAYS, Asked, Slice, apart_from_first, asked_in, matched_slices, slices_of
from training.votes import Votes

Report = Callable[[str, float], None]

# Weights settle well before this many queries a cut; more only cost time. Learners of a class share its weeks, so many
# cuts teach more than many learners: the more cuts, the fewer are asked at each but the first, which is judged on.
MAX_QUERIES, MAX_TIMED_QUERIES = 800, 4_800
# With fewer queries to judge it by the ranker is left out: nothing could show that it does harm.
LEAST_JUDGED = 30
MAX_QUERIES_UNTIMED = 2_500


@dataclass(frozen=True, slots=True)
class Trained:
    """The models on all votes, and the same recipe on earlier votes with the later queries it had not seen."""

    final: Fitted
    earlier: Fitted
    later: Sequence[Asked]


def fit_and_weigh(school: School, settings: ModelSettings, *, seed: int, report: Report) -> Trained:
    """Fit on the past, weigh on what came later at several cuts, and keep the latest slice to be judged on.

    The models that are judged were weighed without anything of the latest slice; the final weights have seen it all.
    """
    slices = slices_of(school.votes, seed=seed)
    tried: list[_Tried] = []
    for n, cut in enumerate(slices):
        report(f"cut {n + 1} of {len(slices)}", 0.05 + 0.4 * n / len(slices))
        at_most = MAX_QUERIES if n == 0 else min(MAX_QUERIES, MAX_TIMED_QUERIES // len(slices))
        # Other learners at each cut; without a clock cuts are shares of the same histories, and the learners the same.
        drawn = seed + n if school.votes.timed else seed
        tried.append(_try(school, cut, settings, drawn, at_most=at_most))
    report("rehearsing new cohorts", 0.45)
    staged = rehearsals_of(school.votes, seed=seed)
    rehearsed = [_try(replace(school, votes=r.votes), r.cut, settings, seed) for r in staged]
    others = [_try(school, cut, settings, seed) for cut in matched_slices(school.votes)]
    report("weighing the models", 0.6)
    apart = apart_from_first(slices)
    weighing = _Weighing(tried[0].fitted, [tried[n] for n in apart], rehearsed)
    kept = weighing.kept(tried[0])
    earlier = weighing.weighed(tried[0].fitted, kept)
    later = tried[0].asked
    report("fitting on everything", 0.65)
    final = replace(weighing, pairs=tried).weighed(fit(school, settings, seed=seed), kept)
    # Without a clock nothing tells now from then, and trees fitted on thinner histories lost to the first stage.
    if not school.votes.timed:
        return Trained(final.pruned(), earlier, later)
    report("growing the ranker", 0.7)
    rows = [_rows(one, earlier, seed) for one in (*tried, *others)]
    unseen = [rows[n] for n in (*apart, *range(len(tried), len(rows)))]
    ranked = earlier.ranked_by(fitted_ranker(unseen, earlier.features, seed=seed))
    if not _holds_up(ranked, earlier, later, _still_running(later, school.votes)):
        return Trained(final.pruned(), earlier, later)
    return Trained(final.ranked_by(fitted_ranker(rows, final.features, seed=seed)).pruned(), ranked, later)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one cut teaches: the models before it, what was asked, and the choices of those asked."""

    fitted: Fitted
    asked: Sequence[Asked]
    guided: Choices
    unguided: Choices


def _try(school: School, cut: Slice, settings: ModelSettings, seed: int, *, at_most: int = MAX_QUERIES) -> _Tried:
    votes = school.votes
    fitted = fit(replace(school, votes=votes.where(cut.before, cut.now_us)), settings, seed=seed)
    at_most = at_most if votes.timed else MAX_QUERIES_UNTIMED
    asked = list(asked_in(cut, votes, learner_features=school.learner_features, at_most=at_most, seed=seed))
    model, few = fitted.model, asked[:MAX_QUERIES]
    return _Tried(fitted, asked, choices_of(few, model, guided=True), choices_of(few, model, guided=False))


def _rows(tried: _Tried, weighed: Fitted, seed: int) -> RankRows:
    """What the ranker would have been asked at a cut, had the first stage been weighed like this."""
    weights = {name: np.array(w) for name, w in weighed.settings["weights"].items()}
    fitted = tried.fitted.weighted(guided=weights["guided"], unguided=weights["unguided"])
    return rank_rows(tried.asked, fitted.model, fitted.features, seed=seed)


def _still_running(asked: Sequence[Asked], votes: Votes) -> NDArray[np.bool_]:
    """Which queries are of classes that go on at the end of the log: finished ones will ask no more."""
    last_us = np.full(len(votes.class_ids), NO_TIME)
    np.maximum.at(last_us, votes.school_class, votes.at_us)
    runs = last_us >= last_us.max() - int(HORIZON_DAYS * DAY_US)
    return np.array([runs[votes.class_ids.row(one.query.class_id or "")] for one in asked], bool)


def _holds_up(ranked: Fitted, plain: Fitted, asked: Sequence[Asked], running: NDArray[np.bool_]) -> bool:
    """Whether the ranker is no worse than its first stage, by more than chance, where classes are running."""
    if running.sum() < LEAST_JUDGED:
        return False
    classes = np.array([one.query.class_id or "" for one in asked])
    return no_worse(_gains(ranked, asked) - _gains(plain, asked), classes, running)


def no_worse(gains: NDArray[np.float64], classes: NDArray[np.str_], running: NDArray[np.bool_]) -> bool:
    """Whether the mean gain of the running is not below nothing by more than two standard errors.

    The learners of a class share its weeks, so that a class is one observation and not as many as it has learners: how
    far the means of all classes lie apart is part of the error, where there are several to tell.
    """
    judged = gains[running]
    means = np.array([gains[classes == c].mean() for c in np.unique(classes)])
    between = means.var(ddof=1) / len(np.unique(classes[running])) if len(means) > 1 else 0.0
    return bool(judged.mean() >= -2.0 * np.sqrt(judged.var() / len(judged) + between))


def _gains(fitted: Fitted, asked: Sequence[Asked]) -> NDArray[np.float64]:
    """The NDCG@10 of each of these queries."""
    model, hits = fitted.model, np.zeros((len(asked), 10), bool)
    for row, one in enumerate(asked):
        best = np.argsort(-model.scored(one.query, one.candidates).sum(axis=0), kind="stable")[:10]
        hits[row, : len(best)] = one.taken[best]
    return ranking_metrics(hits, np.array([one.taken.sum() for one in asked], np.int64))["ndcg@10"]


@dataclass(frozen=True, slots=True)
class _Weighing:
    """What weights are learned from: cuts in time and rehearsals of new cohorts; `like` tells the terms."""

    like: Fitted
    pairs: Sequence[_Tried]
    rehearsed: Sequence[_Tried]

    def kept(self, judged: _Tried) -> Mapping[str, tuple[int, ...]]:
        """By situation, the places of the terms that earn a weight on queries the weights have not seen."""
        terms, optional = self.like.settings["terms"], self.like.settings["beside"]
        places = tuple(n for n, name in enumerate(terms) if name in optional)
        always = tuple(n for n in range(len(terms)) if n not in places)
        guided = self._guided()
        told = {
            "guided": (guided[1:], guided[0]) if self.rehearsed else (guided, judged.guided),
            "unguided": ([p.unguided for p in self.pairs], judged.unguided),
        }
        return {
            situation: (*always, *Weighing(fitted_on, judged_on, self._prior(situation), places, self._timed).helpful())
            for situation, (fitted_on, judged_on) in told.items()
        }

    def weighed(self, fitted: Fitted, kept: Mapping[str, tuple[int, ...]]) -> Fitted:
        """The models under weights for the terms that are kept."""
        choices = {"guided": self._guided(), "unguided": [p.unguided for p in self.pairs]}
        weights = {s: weights_of(c, self._prior(s), kept[s], timed=self._timed) for s, c in choices.items()}
        return fitted.weighted(guided=weights["guided"], unguided=weights["unguided"])

    def _guided(self) -> list[Choices]:
        """Rehearsals where there are any: classes that have just begun can be asked only of the next few days."""
        return [r.guided for r in self.rehearsed] or [p.guided for p in self.pairs]

    @property
    def _timed(self) -> bool:
        return bool(self.like.settings["half_lives_days"])

    def _prior(self, situation: str) -> NDArray[np.float64]:
        return np.array(self.like.settings["weights"][situation])
