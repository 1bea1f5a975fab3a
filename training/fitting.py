"""Fit all relevance models on some votes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.learner.gains import GainModel
from engine.learner.model import LearnerModel
from engine.learner.model import arrays_of as learner_arrays
from engine.learner.model import settings_of as learner_settings
from engine.learner.paths import PathForest
from engine.ranking.beside import names_in
from engine.ranking.features import Features as RankFeatures
from engine.ranking.popularity import HalfLives
from engine.ranking.relevance import RelevanceModel, half_lives_from, relevance_from, term_names
from engine.ranking.weights import ObjectiveWeights
from training.least_squares import least_squares_arrays
from training.likewise import likewise_arrays
from training.pruning import unread
from training.pulses import pulse_arrays
from training.relevance_models import (
    ModelSettings,
    course_day_arrays,
    ease_arrays,
    factor_arrays,
    popularity_arrays,
)
from training.usual_order import usual_order_arrays
from training.votes import Votes
from training.work_models import work_arrays

Features = Mapping[str, tuple[str, ...]]


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
        n_by_day = half_lives_from(self.settings).n_terms
        return RankFeatures(self.arrays, IdMap(self.ids["courses"]), len(self.ids["resources"]), n_by_day)

    def ranked_by(self, paths: PathForest | None) -> "Fitted":
        """The same models under a learned ranker."""
        return self if paths is None else replace(self, arrays={**self.arrays, **paths.arrays("ranker")})

    def pruned(self) -> "Fitted":
        """The same answers without scorers that weigh nothing in any situation, and without arrays nobody reads."""
        weights, beside = self.settings["weights"], self.settings["beside"]
        place = {name: n for n, name in enumerate(self.settings["terms"])}
        kept = [name for name in beside if any(w[place[name]] for w in weights.values())]
        terms = [name for name in place if name in kept or name not in beside]
        told = {situation: [w[place[name]] for name in terms] for situation, w in weights.items()}
        out = unread(self.arrays, kept)
        return replace(
            self,
            arrays={name: array for name, array in self.arrays.items() if name not in out},
            settings={**self.settings, "beside": kept, "terms": terms, "weights": told},
        )

    def weighted(self, *, guided: NDArray[np.float64], unguided: NDArray[np.float64]) -> "Fitted":
        """The same models under other weights."""
        learned = {"guided": [float(w) for w in guided], "unguided": [float(w) for w in unguided]}
        return replace(self, settings={**self.settings, "weights": {**self.settings["weights"], **learned}})


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
        **usual_order_arrays(votes),
        **likewise_arrays(votes, plain),
        **least_squares_arrays(votes, plain, seed=seed),
        "resource_format": _formats(school),
    }
    beside = names_in(arrays)
    by_day = HalfLives(settings.course_day_half_lives, settings.due_half_lives)
    names = term_names(by_clock, by_day, beside)
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
            "course_day_half_lives": list(by_day.around),
            "due_half_lives": list(by_day.due),
            "beside": list(beside),
            "terms": list(names),
            "weights": _prior(names, by_clock, by_day),
        },
    )


def _prior(names: Sequence[str], half_lives_days: Sequence[float], by_day: HalfLives) -> dict[str, list[float]]:
    """What holds before anything is known: a resource is as likely as it is popular.

    Lately popular where there is a clock, and by what falls due in the course where earlier cohorts can say.
    """
    recent = f"recent_{half_lives_days[len(half_lives_days) // 2]:g}d" if half_lives_days else "popularity"
    due = f"due_{by_day.due[len(by_day.due) // 2]:g}d"
    guided, unguided = ([float(name == one) for name in names] for one in (due, recent))
    # The learned weights lean on the learner's own work; who has none yet is answered by the prior alone.
    return {"guided": guided, "unguided": unguided, "cold_guided": guided, "cold_unguided": unguided}


def _formats(school: School) -> NDArray[np.int32]:
    """The format of each resource as a number, 0 where none is told of."""
    told = [
        next((f for f in school.resource_features.get(x_id, ()) if f.startswith("format:")), "")
        for x_id in school.votes.resource_ids
    ]
    places = {name: place for place, name in enumerate(sorted({"", *told}))}
    return np.array([places[name] for name in told], np.int32)
