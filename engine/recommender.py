"""The recipe: candidates → relevance → needs → selection → reasons."""

from collections.abc import Iterable, Mapping
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
from engine.domain.skill import Skill
from engine.explanations import in_order, need_reasons, planned_reason, reasons_of, variety_reason
from engine.learner.fold import Offer, fresh, offer_of
from engine.learner.mastery import ResourceOutlook, resource_outlooks
from engine.learner.model import LearnerModel, learner_model_of
from engine.learner.preferences import preferences_of
from engine.learner.state import LearnerState
from engine.ranking.candidates import candidates_of
from engine.ranking.needs import Needs, needs_of
from engine.ranking.needs import contributions as contributions_of
from engine.ranking.relevance import RelevanceModel, relevance_of
from engine.ranking.selection import Slate, slate_of


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle beside a catalogue, ready to answer; without a bundle it answers in the planned order.

    `skill_rows` are the rows of the catalogue that teach each skill, `titles` the names of skills.
    """

    version: str
    catalogue: Catalogue
    model: RelevanceModel | None
    learner: LearnerModel | None
    offer: Offer
    tie_break: NDArray[np.int64]
    skill_rows: Mapping[str, NDArray[np.int32]]
    titles: Mapping[str, str]


def recommender_of(
    bundle: Bundle | None,
    resources: Iterable[Resource],
    *,
    withdrawn: Iterable[Resource] = (),
    skills: Iterable[Skill] = (),
) -> Recommender:
    """The recommender for these resources; make it once per bundle and catalogue, it is read-only afterwards.

    `withdrawn` resources are offered no more, but what learners did with them counts.
    """
    offered = list(resources)
    catalogue = catalogue_of(offered, bundle.resource_ids if bundle else ())
    ids = np.array(catalogue.resource_map.ids, dtype=object)
    tie_break = np.empty(len(ids), np.int64)
    tie_break[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    return Recommender(
        version=bundle.version if bundle else "none",
        catalogue=catalogue,
        model=relevance_of(bundle) if bundle else None,
        learner=learner_model_of(bundle) if bundle else None,
        offer=offer_of([*withdrawn, *offered]),
        tie_break=tie_break,
        skill_rows=_skill_rows(catalogue),
        titles={s.skill_id: s.title for s in skills},
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """What the answer is about: who asks, what is due to them, and what is known of them."""

    query: Query
    needs: Needs | None
    state: LearnerState | None


def recommend(
    request: Request,
    query: Query,
    recommender: Recommender,
    *,
    decision_id: str,
    now: datetime,
    state: LearnerState | None = None,
) -> Decision:
    """The decision for one request, always: an unknown learner or an empty catalogue get a labelled answer."""
    mode = mode_of(request, query, recommender)
    candidates = candidates_of(request, query, recommender.catalogue)
    asked = replace(query, history=History.empty(), features=()) if request.non_personalised else query
    contributions = relevance(asked, recommender)[:, candidates]
    needs = _needs(request, query, recommender, state)
    if needs is not None:
        contributions = np.vstack([contributions, _added(needs, candidates, contributions, recommender)])
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
        slate=_options(
            slate,
            candidates,
            scores,
            contributions,
            said=_Said(asked, needs, None if request.non_personalised else state),
            recommender=recommender,
        ),
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


def _needs(request: Request, query: Query, recommender: Recommender, state: LearnerState | None) -> Needs | None:
    """What this learner's state adds; None where nothing personal, or nothing but relevance, is asked for."""
    if recommender.learner is None or request.non_personalised or request.objective != "learning" or state is None:
        return None
    preferences = preferences_of(state.preferences)
    skills = sorted(recommender.skill_rows)
    return needs_of(state, preferences, recommender.learner.format_mix, skills, query.now_us)


def _added(
    needs: Needs, candidates: NDArray[np.int32], relevant: NDArray[np.float64], recommender: Recommender
) -> NDArray[np.float64]:
    scores = added_up(relevant)
    span = float(np.ptp(scores)) if len(scores) else 0.0
    return contributions_of(
        needs,
        candidates,
        catalogue=recommender.catalogue,
        skill_rows=recommender.skill_rows,
        span=span or 1.0,
    )


def _skill_rows(catalogue: Catalogue) -> dict[str, NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for row, resource in enumerate(catalogue.resources):
        for skill in set(resource.skills) if resource else ():
            rows.setdefault(skill, []).append(row)
    return {skill: np.array(found, np.int32) for skill, found in rows.items()}


def _options(
    slate: Slate,
    candidates: NDArray[np.int32],
    scores: NDArray[np.float64],
    contributions: NDArray[np.float64],
    *,
    said: _Said,
    recommender: Recommender,
) -> tuple[Option, ...]:
    chosen = np.array(slate.chosen, dtype=np.int64)
    rows = candidates[chosen]
    reasons = _reasons(rows, contributions[:, chosen], said, recommender)
    resources = [resource for row in rows if (resource := recommender.catalogue.resources[row]) is not None]
    outlooks = _outlooks(resources, said, recommender)
    return tuple(
        Option(
            resource_id=resource.resource_id,
            title=resource.title,
            format=resource.format,
            rank=slot + 1,
            score=float(scores[position]),
            propensity=1.0,
            p_success=outlook.p,
            expected_minutes=outlook.minutes,
            reasons=(*reasons[slot], variety_reason()) if position in slate.varied else reasons[slot],
            near_ties=_considered(slate, slot, candidates, scores, recommender),
        )
        for slot, (position, resource, outlook) in enumerate(zip(slate.chosen, resources, outlooks, strict=True))
    )


def _considered(
    slate: Slate,
    slot: int,
    candidates: NDArray[np.int32],
    scores: NDArray[np.float64],
    recommender: Recommender,
) -> tuple[NearTie, ...]:
    ids = recommender.catalogue.resource_map.ids
    chosen = slate.chosen[slot]
    return tuple(
        NearTie(resource_id=ids[candidates[p]], score=float(scores[p]), propensity=float(p == chosen))
        for p in slate.considered(slot)
    )


def _outlooks(resources: list[Resource], said: _Said, recommender: Recommender) -> list[ResourceOutlook]:
    """Chance and minutes of what was chosen; for nobody in particular, those of who is not known yet."""
    if recommender.learner is None:
        return [ResourceOutlook(None, r.minutes) for r in resources]
    state = said.state or fresh(recommender.learner, recommender.offer)
    return resource_outlooks(state, resources, recommender.learner, said.query.now_us)


def _reasons(
    rows: NDArray[np.int32], contributions: NDArray[np.float64], said: _Said, recommender: Recommender
) -> list[tuple[Reason, ...]]:
    if recommender.model is None:
        return [(planned_reason(float(terms.sum())),) for terms in contributions.T]
    n_terms = len(recommender.model.names)
    relevant = reasons_of(
        rows, contributions[:n_terms], query=said.query, model=recommender.model, catalogue=recommender.catalogue
    )
    if said.needs is None or said.state is None:
        return relevant
    own = [
        need_reasons(terms, recommender.catalogue.resources[row], said.needs, said.state,
                     titles=recommender.titles, now_us=said.query.now_us)
        for row, terms in zip(rows, contributions[n_terms:].T, strict=True)
    ]  # fmt: skip
    return [in_order(*first, *then) for first, then in zip(relevant, own, strict=True)]


def _nothing(recommender: Recommender) -> str:
    if not any(recommender.catalogue.resources):
        return "The catalogue is empty: send resources with PUT /v1/resources."
    return (
        "Nothing is left that may be shown: all was seen, withdrawn, or does not meet the needs and limits asked for."
    )
