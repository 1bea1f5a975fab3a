"""The recipe: candidates → relevance → selection → reasons."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.catalogue import Catalogue, catalogue_of
from engine.domain.decision import Decision, NearTie, Option, Reason, Request
from engine.domain.history import History
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.explanations import reasons_of
from engine.ranking.candidates import candidates_of
from engine.ranking.relevance import RelevanceModel, relevance_of
from engine.ranking.selection import Slate, slate_of


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle beside a catalogue, ready to answer; without a bundle it answers in the planned order."""

    version: str
    catalogue: Catalogue
    model: RelevanceModel | None
    tie_break: NDArray[np.int64]


def recommender_of(bundle: Bundle | None, resources: Iterable[Resource]) -> Recommender:
    """The recommender for these resources; make it once per bundle and catalogue, it is read-only afterwards."""
    catalogue = catalogue_of(resources, bundle.resource_ids if bundle else ())
    ids = np.array(catalogue.resource_map.ids, dtype=object)
    tie_break = np.empty(len(ids), np.int64)
    tie_break[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return Recommender(
        version=bundle.version if bundle else "none",
        catalogue=catalogue,
        model=relevance_of(bundle) if bundle else None,
        tie_break=tie_break,
    )


def recommend(request: Request, query: Query, recommender: Recommender, *, decision_id: str, now: datetime) -> Decision:
    """The decision for one request, always: an unknown learner or an empty catalogue get a labelled answer."""
    mode = mode_of(request, query, recommender)
    candidates = candidates_of(request, query, recommender.catalogue)
    asked = replace(query, history=History.empty(), features=()) if request.non_personalised else query
    contributions = relevance(asked, recommender)[:, candidates]
    scores = added_up(contributions)
    slate = slate_of(
        scores,
        recommender.catalogue.format_index[candidates],
        recommender.tie_break[candidates],
        k=request.k,
        variety=request.objective == "learning",
    )
    return Decision(
        decision_id=decision_id,
        learner_id=request.learner_id,
        at=now,
        mode=mode,
        bundle=recommender.version,
        catalogue_hash=recommender.catalogue.hash,
        class_id=query.class_id,
        slate=_options(slate, candidates, scores, contributions, query=asked, recommender=recommender),
        message=None if len(candidates) else _nothing(recommender),
    )


def mode_of(request: Request, query: Query, recommender: Recommender) -> str:
    """The label of the answer: how much of the learner stands behind it."""
    if recommender.model is None:
        return "fallback"
    if request.non_personalised:
        return "non_personalised"
    return "personalised" if len(query.history.resource_index) else "cold"


def relevance(query: Query, recommender: Recommender) -> NDArray[np.float64]:
    """Contributions of each term to each resource of the catalogue: `(n_terms, n_resources)`."""
    if recommender.model is None:
        return _planned_order(recommender)
    return recommender.model.contributions(recommender.model.terms(query), len(recommender.catalogue))


def added_up(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores, `(n_resources,)`, added term by term: a BLAS sum could differ in the last digit with the shape."""
    scores = np.zeros(contributions.shape[1])
    for term in contributions:
        scores += term
    return scores


def _planned_order(recommender: Recommender) -> NDArray[np.float64]:
    """Without a model: minus the place in the teacher's plan, unplanned resources last."""
    resources = recommender.catalogue.resources
    last = float(len(resources))
    places = [last if r is None or r.position is None else float(r.position) for r in resources]
    return -np.array([places])


def _options(
    slate: Slate,
    candidates: NDArray[np.int32],
    scores: NDArray[np.float64],
    contributions: NDArray[np.float64],
    *,
    query: Query,
    recommender: Recommender,
) -> tuple[Option, ...]:
    chosen = np.array(slate.chosen, dtype=np.int64)
    reasons = _reasons(candidates[chosen], contributions[:, chosen], query, recommender)
    ids = recommender.catalogue.resource_map.ids
    considered = [
        tuple(
            NearTie(resource_id=ids[candidates[p]], score=float(scores[p]), propensity=float(p == position))
            for p in slate.considered(slot)
        )
        for slot, position in enumerate(slate.chosen)
    ]
    return tuple(
        _option(
            recommender.catalogue.resources[candidates[position]],
            rank=slot + 1,
            score=float(scores[position]),
            reasons=(*reasons[slot], _variety()) if position in slate.varied else reasons[slot],
            near_ties=considered[slot],
        )
        for slot, position in enumerate(slate.chosen)
    )


def _option(
    resource: Resource | None, *, rank: int, score: float, reasons: tuple[Reason, ...], near_ties: tuple[NearTie, ...]
) -> Option:
    assert resource is not None  # candidates are available, and only what the catalogue offers is
    return Option(
        resource_id=resource.resource_id,
        title=resource.title,
        format=resource.format,
        rank=rank,
        score=score,
        propensity=1.0,
        expected_minutes=resource.minutes,
        reasons=reasons,
        near_ties=near_ties,
    )


def _reasons(
    rows: NDArray[np.int32], contributions: NDArray[np.float64], query: Query, recommender: Recommender
) -> list[tuple[Reason, ...]]:
    if recommender.model is None:
        return [(_planned(float(terms.sum())),) for terms in contributions.T]
    return reasons_of(rows, contributions, query=query, model=recommender.model, catalogue=recommender.catalogue)


def _planned(contribution: float) -> Reason:
    return Reason(
        code="planned_order",
        contribution=contribution,
        text_learner="This is next in the plan of your course.",
        text_teacher="No model is served yet: options follow the planned order.",
    )


def _variety() -> Reason:
    return Reason(
        code="variety",
        contribution=0.0,
        text_learner="Here is another way to work, if you like a change.",
        text_teacher="Put in the last place so that the slate holds more than one format.",
    )


def _nothing(recommender: Recommender) -> str:
    if not any(recommender.catalogue.resources):
        return "The catalogue is empty: send resources with PUT /v1/resources."
    return (
        "Nothing is left that may be shown: all was seen, withdrawn, or does not meet the needs and limits asked for."
    )
