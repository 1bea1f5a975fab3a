"""Fit all relevance models on some votes, and weigh them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.model import LearnerModel
from engine.learner.model import arrays_of as learner_arrays
from engine.learner.model import settings_of as learner_settings
from engine.ranking.relevance import RelevanceModel, relevance_from, term_names
from training.blend import Choices, choices_of, fitted_weights
from training.rehearsal import rehearsals_of
from training.relevance_models import (
    ModelSettings,
    course_day_arrays,
    ease_arrays,
    factor_arrays,
    popularity_arrays,
)
from training.slices import Asked, Slice, apart_from_first, asked_in, slices_of
from training.votes import Votes

Features = Mapping[str, tuple[str, ...]]
Report = Callable[[str, float], None]

# Weights settle well before this many queries a cut; more only cost time.
MAX_QUERIES = 800


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

    def beside(self, learner: LearnerModel) -> "Fitted":
        """The same models and the learner model beside them."""
        return replace(
            self,
            arrays={**self.arrays, **learner_arrays(learner)},
            settings={**self.settings, "learner": learner_settings(learner)},
        )

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
    pairs: list[_Pair] = []
    for n, cut in enumerate(slices):
        report(f"cut {n + 1} of {len(slices)}", 0.05 + 0.5 * n / len(slices))
        pair, fitted, asked = _choices(school, cut, settings, seed)
        pairs.append(pair)
        if n == 0:
            earlier, later = fitted, asked
    report("rehearsing new cohorts", 0.55)
    rehearsed = _rehearsed(school, settings, seed)
    report("weighing the models", 0.65)
    apart = [pairs[n] for n in apart_from_first(slices)]
    earlier = _weighed(earlier, apart, rehearsed)
    report("fitting on everything", 0.75)
    final = _weighed(fit(school, settings, seed=seed), pairs, rehearsed)
    return Trained(final, earlier, later)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The choices where earlier cohorts can say, and where they cannot."""

    guided: Choices
    unguided: Choices


def _choices(school: School, cut: Slice, settings: ModelSettings, seed: int) -> tuple[_Pair, Fitted, Sequence[Asked]]:
    votes = school.votes
    fitted = fit(replace(school, votes=votes.where(cut.before)), settings, seed=seed)
    asked = list(asked_in(cut, votes, learner_features=school.learner_features, at_most=MAX_QUERIES, seed=seed))
    model = fitted.model
    pair = _Pair(choices_of(asked, model, guided=True), choices_of(asked, model, guided=False))
    return pair, fitted, asked


def _rehearsed(school: School, settings: ModelSettings, seed: int) -> list[Choices]:
    staged = rehearsals_of(school.votes, seed=seed)
    return [_choices(replace(school, votes=r.votes), r.cut, settings, seed)[0].guided for r in staged]


def _weighed(fitted: Fitted, pairs: Sequence[_Pair], rehearsed: Sequence[Choices]) -> Fitted:
    prior, timed = fitted.settings["weights"], bool(fitted.settings["half_lives_days"])
    return fitted.weighted(
        guided=fitted_weights([*(p.guided for p in pairs), *rehearsed], np.array(prior["guided"]), timed=timed),
        unguided=fitted_weights([p.unguided for p in pairs], np.array(prior["unguided"]), timed=timed),
    )
