"""Fit all relevance models on some votes, and weigh them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from engine.learner.gains import GainModel
from engine.learner.model import LearnerModel
from engine.learner.model import arrays_of as learner_arrays
from engine.learner.model import settings_of as learner_settings
from engine.learner.paths import PathForest
from engine.ranking.features import Features as RankFeatures
from engine.ranking.popularity import DAY_US
from engine.ranking.relevance import RelevanceModel, relevance_from, term_names
from engine.ranking.weights import ObjectiveWeights
from training.blend import Choices, choices_of, fitted_weights
from training.metrics import ranking_metrics
from training.pulses import pulse_arrays
from training.ranker import RankRows, fitted_ranker, rank_rows
from training.rehearsal import rehearsals_of
from training.relevance_models import (
    ModelSettings,
    course_day_arrays,
    ease_arrays,
    factor_arrays,
    popularity_arrays,
)
from training.slices import HORIZON_DAYS, Asked, Slice, apart_from_first, asked_in, matched_slices, slices_of
from training.votes import Votes
from training.work_models import work_arrays

Features = Mapping[str, tuple[str, ...]]
Report = Callable[[str, float], None]

# Weights settle well before this many queries a cut; more only cost time.
MAX_QUERIES = 800
# With fewer queries to judge it by the ranker is left out: nothing could show that it does harm.
LEAST_JUDGED = 30
MAX_QUERIES_UNTIMED = 2_500


@dataclass(frozen=True, slots=True)
class School:
    """What the models are fitted on: votes, and the features of resources and learners by id."""

    votes: Votes
    resource_features: Features
    learner_features: Features


@dataclass(frozen=True, slots=True)
class Fitted:
    """Arrays and ids as a bundle carries them, and the settings that say how to read them."""

    arrays: Mapping[str, NDArray[Any]]
    ids: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any]

    @property
    def model(self) -> RelevanceModel:
        """The model over these arrays."""
        return relevance_from(self.arrays, self.ids, self.settings)

    def beside(self, learner: LearnerModel, gains: GainModel, weights: ObjectiveWeights) -> "Fitted":
        """The same models and what is known of learning beside them."""
        told = {"learner": learner_settings(learner), "gain": gains.as_json(), "objective": weights.as_json()}
        return replace(
            self,
            arrays={**self.arrays, **learner_arrays(learner), **gains.arrays()},
            settings={**self.settings, **told},
        )

    @property
    def features(self) -> RankFeatures:
        """The columns of a ranker over these arrays."""
        n_by_day = 2 * len(self.settings["course_day_half_lives"])
        return RankFeatures(self.arrays, IdMap(self.ids["courses"]), len(self.ids["resources"]), n_by_day)

    def ranked_by(self, paths: PathForest | None) -> "Fitted":
        """The same models under a learned ranker."""
        return self if paths is None else replace(self, arrays={**self.arrays, **paths.arrays("ranker")})

    def weighted(self, *, guided: NDArray[np.float64], unguided: NDArray[np.float64]) -> "Fitted":
        """The same models under other weights."""
        learned = {"guided": [float(w) for w in guided], "unguided": [float(w) for w in unguided]}
        return replace(self, settings={**self.settings, "weights": {**self.settings["weights"], **learned}})


@dataclass(frozen=True, slots=True)
class Trained:
    """The models on all votes, and the same recipe on earlier votes with the later queries it had not seen."""

    final: Fitted
    earlier: Fitted
    later: Sequence[Asked]


def fit(school: School, settings: ModelSettings, *, seed: int) -> Fitted:
    """Every relevance model on these votes, under the prior weights."""
    votes = school.votes
    by_clock = settings.half_lives_days if votes.timed else ()
    factors, learner_features = factor_arrays(
        votes,
        resource_features=school.resource_features,
        learner_features=school.learner_features,
        settings=settings,
        seed=seed,
    )
    plain = replace(settings, half_lives_days=by_clock)
    arrays = {
        **popularity_arrays(votes, plain),
        **course_day_arrays(votes),
        **ease_arrays(votes, plain),
        **factors,
        **pulse_arrays(votes),
        **work_arrays(votes, plain),
        "resource_format": _formats(school),
    }
    names = term_names(by_clock, settings.course_day_half_lives)
    ids = {
        "resources": votes.resource_ids.ids,
        "courses": votes.course_ids.ids,
        "learner_features": learner_features.ids,
    }
    return Fitted(
        arrays,
        ids,
        {
            "half_lives_days": list(by_clock),
            "course_day_half_lives": list(settings.course_day_half_lives),
            "terms": list(names),
            "weights": _prior(names, by_clock, settings.course_day_half_lives),
        },
    )


def _prior(
    names: Sequence[str], half_lives_days: Sequence[float], course_day_half_lives: Sequence[float]
) -> dict[str, list[float]]:
    """What holds before anything is known: a resource is as likely as it is popular.

    Lately popular where there is a clock, and by the next days of the course where earlier cohorts can say.
    """
    recent = f"recent_{half_lives_days[len(half_lives_days) // 2]:g}d" if half_lives_days else "popularity"
    ahead = f"ahead_{course_day_half_lives[len(course_day_half_lives) // 2]:g}d"
    guided, unguided = ([float(name == one) for name in names] for one in (ahead, recent))
    # The learned weights lean on the learner's own work; who has none yet is answered by the prior alone.
    return {"guided": guided, "unguided": unguided, "cold_guided": guided, "cold_unguided": unguided}


def fit_and_weigh(school: School, settings: ModelSettings, *, seed: int, report: Report) -> Trained:
    """Fit on the past, weigh on what came later at several cuts, and keep the latest slice to be judged on.

    The models that are judged were weighed without anything of the latest slice; the final weights have seen it all.
    """
    slices = slices_of(school.votes, seed=seed)
    tried: list[_Tried] = []
    for n, cut in enumerate(slices):
        report(f"cut {n + 1} of {len(slices)}", 0.05 + 0.4 * n / len(slices))
        tried.append(_try(school, cut, settings, seed))
    report("rehearsing new cohorts", 0.45)
    staged = rehearsals_of(school.votes, seed=seed)
    rehearsed = [_try(replace(school, votes=r.votes), r.cut, settings, seed) for r in staged]
    others = [_try(school, cut, settings, seed) for cut in matched_slices(school.votes)]
    report("weighing the models", 0.6)
    apart = apart_from_first(slices)
    earlier = _weighed(tried[0].fitted, [tried[n] for n in apart], rehearsed)
    later = tried[0].asked
    report("fitting on everything", 0.65)
    final = _weighed(fit(school, settings, seed=seed), tried, rehearsed)
    # Without a clock nothing tells now from then, and trees fitted on thinner histories lost to the first stage.
    if not school.votes.timed:
        return Trained(final, earlier, later)
    report("growing the ranker", 0.7)
    rows = [_rows(one, earlier, seed) for one in (*tried, *others)]
    unseen = [rows[n] for n in (*apart, *range(len(tried), len(rows)))]
    ranked = earlier.ranked_by(fitted_ranker(unseen, earlier.features, seed=seed))
    if not _holds_up(ranked, earlier, _still_running(later, school.votes)):
        return Trained(final, earlier, later)
    return Trained(final.ranked_by(fitted_ranker(rows, final.features, seed=seed)), ranked, later)


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one cut teaches: the models before it, what was asked, and the choices of those asked."""

    fitted: Fitted
    asked: Sequence[Asked]
    guided: Choices
    unguided: Choices


def _try(school: School, cut: Slice, settings: ModelSettings, seed: int) -> _Tried:
    votes = school.votes
    fitted = fit(replace(school, votes=votes.where(cut.before, cut.now_us)), settings, seed=seed)
    at_most = MAX_QUERIES if votes.timed else MAX_QUERIES_UNTIMED
    asked = list(asked_in(cut, votes, learner_features=school.learner_features, at_most=at_most, seed=seed))
    model, few = fitted.model, asked[:MAX_QUERIES]
    return _Tried(fitted, asked, choices_of(few, model, guided=True), choices_of(few, model, guided=False))


def _rows(tried: _Tried, weighed: Fitted, seed: int) -> RankRows:
    """What the ranker would have been asked at a cut, had the first stage been weighed like this."""
    weights = {name: np.array(w) for name, w in weighed.settings["weights"].items()}
    fitted = tried.fitted.weighted(guided=weights["guided"], unguided=weights["unguided"])
    return rank_rows(tried.asked, fitted.model, fitted.features, seed=seed)


def _formats(school: School) -> NDArray[np.int32]:
    """The format of each resource as a number, 0 where none is told of."""
    told = [
        next((f for f in school.resource_features.get(x_id, ()) if f.startswith("format:")), "")
        for x_id in school.votes.resource_ids
    ]
    places = {name: place for place, name in enumerate(sorted({"", *told}))}
    return np.array([places[name] for name in told], np.int32)


def _still_running(asked: Sequence[Asked], votes: Votes) -> list[Asked]:
    """The queries of classes that go on at the end of the log: finished ones will ask no more."""
    last_us = np.full(len(votes.class_ids), NO_TIME)
    np.maximum.at(last_us, votes.school_class, votes.at_us)
    runs = last_us >= last_us.max() - int(HORIZON_DAYS * DAY_US)
    return [one for one in asked if runs[votes.class_ids.row(one.query.class_id or "")]]


def _holds_up(ranked: Fitted, plain: Fitted, asked: Sequence[Asked]) -> bool:
    """Whether the ranker is no worse than its first stage by more than chance, two standard errors, over queries."""
    if len(asked) < LEAST_JUDGED:
        return False
    gains = _gains(ranked, asked) - _gains(plain, asked)
    return bool(gains.mean() >= -2.0 * gains.std() / np.sqrt(len(gains)))


def _gains(fitted: Fitted, asked: Sequence[Asked]) -> NDArray[np.float64]:
    """The NDCG@10 of each of these queries."""
    model, hits = fitted.model, np.zeros((len(asked), 10), bool)
    for row, one in enumerate(asked):
        best = np.argsort(-model.scored(one.query, one.candidates).sum(axis=0), kind="stable")[:10]
        hits[row, : len(best)] = one.taken[best]
    return ranking_metrics(hits, np.array([one.taken.sum() for one in asked], np.int64))["ndcg@10"]


def _weighed(fitted: Fitted, pairs: Sequence[_Tried], rehearsed: Sequence[_Tried]) -> Fitted:
    prior, timed = fitted.settings["weights"], bool(fitted.settings["half_lives_days"])
    return fitted.weighted(
        guided=fitted_weights(
            [*(p.guided for p in pairs), *(r.guided for r in rehearsed)], np.array(prior["guided"]), timed=timed
        ),
        unguided=fitted_weights([p.unguided for p in pairs], np.array(prior["unguided"]), timed=timed),
    )
