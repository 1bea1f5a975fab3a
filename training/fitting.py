"""Fit all relevance models on some votes, and weigh them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from training.slices import Asked, Slice, asked_in, slices_of
from training.votes import Votes

Features = Mapping[str, tuple[str, ...]]
Report = Callable[[str, float], None]

# Weights settle well before this many queries; more only cost time.
MAX_QUERIES = 1500


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

    def weighted(self, *, guided: NDArray[np.float64], unguided: NDArray[np.float64]) -> "Fitted":
        """The same models under other weights."""
        weights = {"guided": [float(w) for w in guided], "unguided": [float(w) for w in unguided]}
        return replace(self, settings={**self.settings, "weights": weights})


@dataclass(frozen=True, slots=True)
class Trained:
    """The models on all votes, and the same recipe on earlier votes with the later queries it had not seen."""

    final: Fitted
    earlier: Fitted
    later: Sequence[Asked]


def fit(school: School, settings: ModelSettings, *, seed: int) -> Fitted:
    """Every relevance model on these votes, under the prior weights: as likely as it is popular."""
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
    prior = [float(name == "popularity") for name in names]
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
            "weights": {"guided": prior, "unguided": prior},
        },
    )


def fit_and_weigh(school: School, settings: ModelSettings, *, seed: int, report: Report) -> Trained:
    """Fit on the past, weigh on what came later, and keep the latest slice to be judged on.

    The earlier models are weighed without the latest slice; the final weights have seen both slices.
    """
    blend_slice, test_slice = slices_of(school.votes, seed=seed)
    report("fitting on the early past", 0.05)
    first, _ = _choices(school, blend_slice, settings, seed)
    report("rehearsing new cohorts", 0.2)
    rehearsed = _rehearsed(school, settings, seed)
    report("fitting up to the last slice", 0.35)
    second, (earlier, later) = _choices(school, test_slice, settings, seed)
    report("weighing the models", 0.5)
    earlier = _weighed(earlier, [first], rehearsed)
    report("fitting on everything", 0.65)
    final = fit(school, settings, seed=seed)
    report("weighing the models", 0.8)
    return Trained(_weighed(final, [first, second], rehearsed), earlier, later)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The choices where earlier cohorts can say, and where they cannot."""

    guided: Choices
    unguided: Choices


def _choices(
    school: School, cut: Slice, settings: ModelSettings, seed: int
) -> tuple[_Pair, tuple[Fitted, Sequence[Asked]]]:
    votes = school.votes
    fitted = fit(replace(school, votes=votes.where(cut.before)), settings, seed=seed)
    asked = list(asked_in(cut, votes, learner_features=school.learner_features, at_most=MAX_QUERIES, seed=seed))
    model = fitted.model
    pair = _Pair(choices_of(asked, model, guided=True, seed=seed), choices_of(asked, model, guided=False, seed=seed))
    return pair, (fitted, asked)


def _rehearsed(school: School, settings: ModelSettings, seed: int) -> list[Choices]:
    staged = rehearsals_of(school.votes, seed=seed)
    return [_choices(replace(school, votes=r.votes), r.cut, settings, seed)[0].guided for r in staged]


def _weighed(fitted: Fitted, pairs: Sequence[_Pair], rehearsed: Sequence[Choices]) -> Fitted:
    prior = np.array(fitted.settings["weights"]["unguided"])
    return fitted.weighted(
        guided=fitted_weights([*(p.guided for p in pairs), *rehearsed], prior),
        unguided=fitted_weights([p.unguided for p in pairs], prior),
    )
