"""A bundle beside a catalogue, ready to answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.catalogue import Catalogue, catalogue_of
from engine.domain.resource import Resource
from engine.domain.skill import Skill, mended
from engine.learner.fold import Offer, offer_of
from engine.learner.gains import GainModel, gain_model_of
from engine.learner.menu import menu_of
from engine.learner.model import LearnerModel, learner_model_of
from engine.learner.rows import item_key, skill_key
from engine.ranking.learning import Teaching, teaching_of
from engine.ranking.newcomers import Newcomers, newcomers_of
from engine.ranking.plain import planned_order
from engine.ranking.pool import Offered
from engine.ranking.relevance import RelevanceModel, relevance_of
from engine.ranking.selection import INQUIRY_FORMATS
from engine.ranking.weights import ObjectiveWeights, weights_from

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle beside a catalogue, ready to answer; without a bundle it answers in the planned order.

    `planned`: `(n_resources,)` minus the place in the teacher's plan. `skill_rows` are the rows of the catalogue that
    teach each skill, `titles` the names of skills, `graph` the skills needed before each. `teaching` is what the bundle
    and the catalogue know of learning, None without a bundle. `newcomers` are what the bundle does not know, with what
    is like it.
    """

    version: str
    catalogue: Catalogue
    model: RelevanceModel | None
    learner: LearnerModel | None
    teaching: Teaching | None
    offer: Offer
    planned: NDArray[np.float64]
    offered: Offered
    keys: NDArray[np.uint64]
    skill_rows: Mapping[str, NDArray[np.int32]]
    skill_by_key: Mapping[int, str]
    graph: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str]
    weights: ObjectiveWeights
    newcomers: Newcomers | None = None


@dataclass(frozen=True, slots=True)
class _Models:
    """What a bundle knows whatever the catalogue."""

    relevance: RelevanceModel
    learner: LearnerModel
    gains: GainModel


# Made once for each bundle: schools share it, and processes that part later do too.
_MODELS: WeakKeyDictionary[Bundle, _Models] = WeakKeyDictionary()


def _models_of(bundle: Bundle) -> _Models:
    if bundle not in _MODELS:
        _MODELS[bundle] = _Models(relevance_of(bundle), learner_model_of(bundle), gain_model_of(bundle))
    return _MODELS[bundle]


def recommender_of(
    bundle: Bundle | None,
    resources: Iterable[Resource],
    *,
    withdrawn: Iterable[Resource] = (),
    skills: Iterable[Skill] = (),
) -> Recommender:
    """The recommender for these resources; make it once per bundle and catalogue, it is read-only afterwards.

    `withdrawn` resources are offered no more, but what learners did with them counts. Where no `skills` are given,
    those of the log that the bundle was trained on are taken.
    """
    offered, known = list(resources), list(skills) or _skills_of(bundle)
    catalogue = catalogue_of(offered, bundle.resource_ids if bundle else ())
    ids = np.array(catalogue.resource_map.ids, dtype=object)
    tie_break = np.empty(len(ids), np.int64)
    tie_break[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    graph, _ = mended({s.skill_id: s.prerequisites for s in known})
    inquiry = np.array([r is not None and r.format in INQUIRY_FORMATS for r in catalogue.resources], bool)
    weights = weights_from(bundle.settings) if bundle else ObjectiveWeights()
    skill_rows = _skill_rows(catalogue)
    models = _models_of(bundle) if bundle else None
    return Recommender(
        version=bundle.version if bundle else "none",
        catalogue=catalogue,
        model=models.relevance if models else None,
        learner=models.learner if models else None,
        teaching=_teaching(models, catalogue, graph, weights) if models else None,
        offer=offer_of([*withdrawn, *offered]),
        planned=planned_order(catalogue),
        offered=Offered(tie_break, catalogue.format_index, inquiry),
        keys=np.array([item_key(x) for x in ids.tolist()], np.uint64),
        skill_rows=skill_rows,
        skill_by_key={skill_key(s): s for s in sorted(skill_rows)},
        graph=graph,
        titles={s.skill_id: s.title for s in known},
        weights=weights,
        newcomers=newcomers_of(catalogue, len(bundle.resource_ids)) if bundle else None,
    )


def _skills_of(bundle: Bundle | None) -> list[Skill]:
    told = bundle.settings.get("skills", ()) if bundle else ()
    return [Skill(skill_id=s, title=title, prerequisites=tuple(needed)) for s, title, needed in told]


def _teaching(
    models: _Models, catalogue: Catalogue, graph: Mapping[str, tuple[str, ...]], weights: ObjectiveWeights
) -> Teaching:
    menu = menu_of(catalogue.resources, graph, models.learner)
    return teaching_of(menu, models.learner, models.gains, weights)


def _skill_rows(catalogue: Catalogue) -> dict[str, NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for row, resource in enumerate(catalogue.resources):
        for skill in set(resource.skills) if resource else ():
            rows.setdefault(skill, []).append(row)
    return {skill: np.array(found, np.int32) for skill, found in rows.items()}
