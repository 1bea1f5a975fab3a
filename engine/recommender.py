"""The recipe: candidates → relevance → learning → selection → reasons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.catalogue import Catalogue, catalogue_of
from engine.domain.decision import Decision, Flag, NearTie, Option, Reason, Request
from engine.domain.history import History
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.domain.skill import Skill, mended
from engine.emptiness import GOAL_MASTERED, Shop, why_no_gain, why_nothing
from engine.explanations import (
    Told,
    explored_reason,
    in_order,
    learning_reasons,
    loop_flag,
    planned_reason,
    reasons_of,
    variety_reason,
    voice_reasons,
    wish_reasons,
)
from engine.learner.fold import Offer, fresh, offer_of
from engine.learner.gains import gain_model_of
from engine.learner.mastery import ResourceOutlook, resource_outlooks
from engine.learner.menu import menu_of
from engine.learner.model import LearnerModel, learner_model_of
from engine.learner.preferences import Preferences, goal_of, preferences_of
from engine.learner.rows import item_key, skill_key
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken, standing
from engine.ranking.again import NOTHING, Again, added_by_again, again_of
from engine.ranking.candidates import candidates_of
from engine.ranking.exploration import NEAR
from engine.ranking.learning import TERMS as LEARNING_TERMS
from engine.ranking.learning import Learner, Learning, Teaching, learning_of, minutes_left, promise_of
from engine.ranking.needs import needs_of
from engine.ranking.objective import band_of
from engine.ranking.plain import planned, planned_order, wishes
from engine.ranking.relevance import RelevanceModel, relevance_of
from engine.ranking.said import added_by_voices, lift_of
from engine.ranking.selection import INQUIRY_FORMATS, Exploring, Slate, Variety, slate_of
from engine.ranking.weights import ObjectiveWeights, weights_from

_NO_SEED = 0x7472_6169_6C


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle beside a catalogue, ready to answer; without a bundle it answers in the planned order.

    `skill_rows` are the rows of the catalogue that teach each skill, `titles` the names of skills, `graph` the skills
    needed before each. `teaching` is what the bundle and the catalogue know of learning, None without a bundle.
    `inquiry`: `(n_resources,)` which resources are inquiry or project work.
    """

    version: str
    catalogue: Catalogue
    model: RelevanceModel | None
    learner: LearnerModel | None
    teaching: Teaching | None
    offer: Offer
    tie_break: NDArray[np.int64]
    keys: NDArray[np.uint64]
    inquiry: NDArray[np.bool_]
    skill_rows: Mapping[str, NDArray[np.int32]]
    skill_by_key: Mapping[int, str]
    graph: Mapping[str, tuple[str, ...]]
    titles: Mapping[str, str]
    weights: ObjectiveWeights


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
    weights = weights_from(bundle.settings) if bundle else ObjectiveWeights()
    skill_rows = _skill_rows(catalogue)
    return Recommender(
        version=bundle.version if bundle else "none",
        catalogue=catalogue,
        model=relevance_of(bundle) if bundle else None,
        learner=learner_model_of(bundle) if bundle else None,
        teaching=_teaching(bundle, catalogue, graph, skill_rows, weights) if bundle else None,
        offer=offer_of([*withdrawn, *offered]),
        tie_break=tie_break,
        keys=np.array([item_key(x) for x in ids.tolist()], np.uint64),
        inquiry=np.array([r is not None and r.format in INQUIRY_FORMATS for r in catalogue.resources], bool),
        skill_rows=skill_rows,
        skill_by_key={skill_key(s): s for s in sorted(skill_rows)},
        graph=graph,
        titles={s.skill_id: s.title for s in known},
        weights=weights,
    )


def _skills_of(bundle: Bundle | None) -> list[Skill]:
    told = bundle.settings.get("skills", ()) if bundle else ()
    return [Skill(skill_id=s, title=title, prerequisites=tuple(needed)) for s, title, needed in told]


def _teaching(
    bundle: Bundle,
    catalogue: Catalogue,
    graph: Mapping[str, tuple[str, ...]],
    skill_rows: Mapping[str, NDArray[np.int32]],
    weights: ObjectiveWeights,
) -> Teaching:
    model, gains = learner_model_of(bundle), gain_model_of(bundle)
    menu = menu_of(catalogue.resources, graph, model)
    return Teaching(
        menu=menu,
        model=model,
        gains=gains,
        weights=weights,
        catalogue=catalogue,
        skill_rows=skill_rows,
        answer_rows={s: told for s, rows in skill_rows.items() if len(told := rows[menu.answerable[rows]])},
        promise=promise_of(menu, gains),
    )


def recommend(
    request: Request,
    query: Query,
    recommender: Recommender,
    *,
    decision_id: str,
    now: datetime,
    state: LearnerState | None = None,
    spoken: Sequence[Spoken] | None = None,
    preferences: Preferences | None = None,
) -> Decision:
    """The decision for one request, always: an unknown learner or an empty catalogue get a labelled answer.

    `spoken` and `preferences` are what the learner said, where no state says it.
    """
    anybody = request.non_personalised
    asked = replace(query, history=History.empty(), features=()) if anybody else query
    voices = () if anybody else standing(state.spoken if state is not None else spoken or (), query.now_us)
    learner = None if anybody else _learner(request, asked, state, voices, recommender)
    candidates, again = _candidates(request, query, learner, voices, recommender)
    wished = None if anybody or request.objective != "learning" else preferences
    ranked = _ranked(asked, candidates, learner, again, voices, wished, recommender)
    slate = slate_of(
        ranked.scores,
        recommender.catalogue.format_index[candidates],
        recommender.tie_break[candidates],
        k=request.k,
        variety=_variety(request, candidates, ranked, recommender),
        exploring=_exploring(request, decision_id, ranked, state),
    )
    return Decision(
        decision_id=decision_id,
        learner_id=request.learner_id,
        at=now,
        mode=mode_of(request, query, recommender),
        bundle=recommender.version,
        catalogue_hash=recommender.catalogue.hash,
        class_id=query.class_id,
        slate=_options(
            slate, candidates, ranked, query=asked, state=None if anybody else state, recommender=recommender
        ),
        flags=_flags(ranked, recommender),
        message=_message(request, query, candidates, ranked, learner, recommender),
    )


def _learner(
    request: Request,
    query: Query,
    state: LearnerState | None,
    voices: tuple[Spoken, ...],
    recommender: Recommender,
) -> Learner | None:
    """Who is led on; None where nothing but relevance is asked for, or no state says what they know."""
    teaching = recommender.teaching
    if teaching is None or state is None or request.objective != "learning":
        return None
    goal = goal_of(state.goal)
    preferences = preferences_of(state.preferences)
    known = [s for key in state.memories if (s := recommender.skill_by_key.get(key)) is not None]
    return Learner(
        state=state,
        goal=request.goal if request.goal is not None else goal.skills if goal else (),
        needs=needs_of(state, preferences, teaching.model.format_mix, known, query.now_us),
        spoken=voices,
        history=query.history,
        minutes_left=minutes_left(preferences.minutes_per_day, query.history, teaching.menu, query.now_us),
        now_us=query.now_us,
    )


def _candidates(
    request: Request, query: Query, learner: Learner | None, voices: tuple[Spoken, ...], recommender: Recommender
) -> tuple[NDArray[np.int32], Again]:
    """What may be shown: what is new, what was accepted, and what comes back for a need or a goal."""
    catalogue, welcome = recommender.catalogue, _accepted(voices, recommender)
    candidates = candidates_of(request, query, catalogue, welcome=welcome)
    if learner is None or recommender.teaching is None or request.candidates is not None or not request.again:
        return candidates, NOTHING
    again = again_of(candidates, learner, recommender.teaching)
    if len(again.rows):
        welcome = np.concatenate([welcome, again.rows])
        candidates = candidates_of(request, query, catalogue, welcome=welcome)
    return candidates, again


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Candidates with what each family of relevance, each term of learning and the learner's words add to them.

    `relevant`: `(n_families, n)`. `learning` is None where nothing but relevance was asked for; `voice` `(n,)` then
    says what the learner's words add, and `wishes` `(2, n)` what they asked for where no model is served. `scores`
    `(n,)` add up all of it.
    """

    relevant: NDArray[np.float64]
    learning: Learning | None
    voice: NDArray[np.float64]
    scores: NDArray[np.float64]
    span: float
    spoken: tuple[Spoken, ...] = ()
    wishes: NDArray[np.float64] | None = None
    again: Again = NOTHING


def _wishes(
    preferences: Preferences | None,
    query: Query,
    candidates: NDArray[np.int32],
    plain: NDArray[np.float64],
    recommender: Recommender,
) -> NDArray[np.float64]:
    """What the learner asked for adds to the teacher's plan: `(2, n)`; nothing where a model is served."""
    if recommender.model is not None or preferences is None:
        return np.zeros((2, len(candidates)))
    catalogue, weights = recommender.catalogue, recommender.weights
    return wishes(preferences, query, catalogue=catalogue, plain=plain, weights=weights)[:, candidates]


def _ranked(
    query: Query,
    candidates: NDArray[np.int32],
    learner: Learner | None,
    again: Again,
    voices: tuple[Spoken, ...],
    preferences: Preferences | None,
    recommender: Recommender,
) -> _Ranked:
    relevant = relevance(query, candidates, recommender)
    plain = added_up(relevant)
    span = float(np.ptp(plain)) if len(plain) else 0.0
    weights, teaching = recommender.weights, recommender.teaching
    if teaching is None or learner is None:
        added = _wishes(preferences, query, candidates, plain, recommender)
        plain = added_up(np.vstack([plain[None], added]))
        voice = added_by_voices(voices, recommender.keys[candidates], weight=weights.voice * (span or 1.0))
        voice += lift_of(plain + voice, voice, _accepted(voices, recommender, candidates))
        return _Ranked(relevant, None, voice, plain + voice, span or 1.0, voices, added)
    learning = learning_of(candidates, plain, learner, teaching)
    repeat = added_by_again(again, candidates, query.history, weight=weights.repeat)
    learning.terms[LEARNING_TERMS.index("repeat")] += repeat
    share = weights.relevance if learning.has_goal else weights.relevance_without_goal
    relevant = relevant * (share / span if span else 0.0)
    scores = added_up(np.vstack([relevant, learning.terms]))
    if len(accepted := _accepted(voices, recommender, candidates)):
        learning.voice[:] += lift_of(scores, learning.voice, accepted)
        scores = added_up(np.vstack([relevant, learning.terms]))
    return _Ranked(relevant, learning, np.zeros(len(candidates)), scores, 1.0, voices, again=again)


def _accepted(
    voices: tuple[Spoken, ...], recommender: Recommender, rows: NDArray[np.int32] | None = None
) -> NDArray[np.int64]:
    """Places among these rows, or all, of what the learner accepted and has not worked on yet: it stays on the list."""
    keys = np.array([v.key for v in voices if v.kind == "accepted"], np.uint64)
    if not len(keys):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(recommender.keys if rows is None else recommender.keys[rows], keys))


def _variety(
    request: Request, candidates: NDArray[np.int32], ranked: _Ranked, recommender: Recommender
) -> Variety | None:
    """Learning is varied; what others take up is shown as it is."""
    if request.objective != "learning":
        return None
    voice = ranked.voice
    if ranked.learning is not None:
        voice = ranked.learning.voice
    return Variety(inquiry=recommender.inquiry[candidates], refused=voice < 0)


def _exploring(request: Request, decision_id: str, ranked: _Ranked, state: LearnerState | None) -> Exploring | None:
    """Who may take turns: with a state, what is no further outside the success band than the best; the seed is given or
    the decision's own.
    """
    if not request.explore:
        return None
    outside = np.zeros(len(ranked.scores))
    if ranked.learning is not None and state is not None:
        low, high = band_of(state)
        outside[:] = np.nan
        p = ranked.learning.known.p
        outside[ranked.learning.places] = np.maximum(low - p, 0.0) - np.maximum(p - high, 0.0)
    seed = request.seed if request.seed is not None else int.from_bytes(decision_id.encode()[:16].ljust(1, b"0"))
    rng = np.random.default_rng([_NO_SEED, abs(seed)])
    return Exploring(outside=outside, near=NEAR * ranked.span, rng=rng)


def mode_of(request: Request, query: Query, recommender: Recommender) -> str:
    """The label of the answer: how much of the learner stands behind it."""
    if recommender.model is None:
        return "fallback"
    if request.non_personalised:
        return "non_personalised"
    return "personalised" if len(query.history.resource_index) else "cold"


def relevance(query: Query, candidates: NDArray[np.int32], recommender: Recommender) -> NDArray[np.float64]:
    """What each family of terms adds to each candidate: `(n_families, n_candidates)`."""
    if recommender.model is None:
        return planned_order(recommender.catalogue)[None, candidates]
    return recommender.model.scored(query, candidates)


def added_up(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores, `(n_resources,)`, added term by term: a BLAS sum could differ in the last digit with the shape."""
    scores = np.zeros(contributions.shape[1])
    for term in contributions:
        scores += term
    return scores


def _skill_rows(catalogue: Catalogue) -> dict[str, NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for row, resource in enumerate(catalogue.resources):
        for skill in set(resource.skills) if resource else ():
            rows.setdefault(skill, []).append(row)
    return {skill: np.array(found, np.int32) for skill, found in rows.items()}


def _options(
    slate: Slate,
    candidates: NDArray[np.int32],
    ranked: _Ranked,
    *,
    query: Query,
    state: LearnerState | None,
    recommender: Recommender,
) -> tuple[Option, ...]:
    chosen = np.array(slate.chosen, dtype=np.int64)
    rows = candidates[chosen]
    reasons = _reasons(rows, chosen, ranked, query, state, recommender)
    resources = [resource for row in rows if (resource := recommender.catalogue.resources[row]) is not None]
    outlooks = _known_outlooks(chosen, ranked, recommender) or _outlooks(resources, query, state, recommender)
    return tuple(
        Option(
            resource_id=resource.resource_id,
            title=resource.title,
            format=resource.format,
            rank=slot + 1,
            score=float(ranked.scores[position]),
            propensity=slate.chances[slot][position],
            p_success=outlook.p,
            expected_minutes=outlook.minutes,
            reasons=(*reasons[slot], *_placed(slate, slot, recommender, int(rows[slot]))),
            near_ties=_considered(slate, slot, candidates, ranked.scores, recommender),
        )
        for slot, (position, resource, outlook) in enumerate(zip(slate.chosen, resources, outlooks, strict=True))
    )


def _placed(slate: Slate, slot: int, recommender: Recommender, row: int) -> tuple[Reason, ...]:
    """Why it stands in this slot and not another, where its score alone does not say so."""
    position = slate.chosen[slot]
    if position in slate.varied:
        return (variety_reason(inquiry=bool(recommender.inquiry[row])),)
    chances = slate.chances[slot]
    return (explored_reason(chances[position]),) if chances[position] < max(chances.values()) else ()


def _considered(
    slate: Slate,
    slot: int,
    candidates: NDArray[np.int32],
    scores: NDArray[np.float64],
    recommender: Recommender,
) -> tuple[NearTie, ...]:
    ids = recommender.catalogue.resource_map.ids
    return tuple(
        NearTie(
            resource_id=ids[candidates[p]], score=float(scores[p]), propensity=float(slate.chances[slot].get(p, 0.0))
        )
        for p in slate.considered(slot)
    )


def _known_outlooks(chosen: NDArray[np.int64], ranked: _Ranked, recommender: Recommender) -> list[ResourceOutlook]:
    """What was looked at closely already; nothing where anything of it was not."""
    if ranked.learning is None or recommender.teaching is None:
        return []
    menu = recommender.teaching.menu
    known, places = ranked.learning.known, ranked.learning.places
    at = np.searchsorted(places, chosen)
    if (at >= len(places)).any() or (places[at] != chosen).any():
        return []
    told = menu.timed[known.rows] | ~np.isnan(menu.minutes[known.rows])
    return [ResourceOutlook(float(known.p[k]), float(known.minutes[k]) if told[k] else None) for k in at]


def _outlooks(
    resources: list[Resource], query: Query, state: LearnerState | None, recommender: Recommender
) -> list[ResourceOutlook]:
    """Chance and minutes of what was chosen; for nobody in particular, those of who is not known yet."""
    if recommender.learner is None:
        return [ResourceOutlook(None, r.minutes) for r in resources]
    known = state or fresh(recommender.learner, recommender.offer)
    return resource_outlooks(known, resources, recommender.learner, query.now_us)


def _reasons(
    rows: NDArray[np.int32],
    chosen: NDArray[np.int64],
    ranked: _Ranked,
    query: Query,
    state: LearnerState | None,
    recommender: Recommender,
) -> list[tuple[Reason, ...]]:
    said = {v.key: v.kind for v in ranked.spoken}
    words = [said.get(int(recommender.keys[row])) for row in rows]
    voices = voice_reasons(ranked.voice[chosen], words)
    if recommender.model is None:
        return _planned_reasons(rows, chosen, ranked, voices, recommender)
    relevant = reasons_of(
        rows, ranked.relevant[:, chosen], query=query, model=recommender.model, catalogue=recommender.catalogue
    )
    if ranked.learning is None or state is None or recommender.teaching is None:
        return [in_order(*one, voice) for one, voice in zip(relevant, voices, strict=True)]
    told = Told(
        learning=ranked.learning,
        menu=recommender.teaching.menu,
        state=state,
        titles=recommender.titles,
        resources=recommender.catalogue.resources,
        words={int(row): word for row, word in zip(rows, words, strict=True) if word},
        again=frozenset(ranked.again.rows.tolist()),
        lately=query.history.resource_index,
        now_us=query.now_us,
    )
    return [
        in_order(*first, *learning_reasons(int(row), int(position), told))
        for row, position, first in zip(rows, chosen, relevant, strict=True)
    ]


def _planned_reasons(
    rows: NDArray[np.int32],
    chosen: NDArray[np.int64],
    ranked: _Ranked,
    voices: Sequence[Reason | None],
    recommender: Recommender,
) -> list[tuple[Reason, ...]]:
    """Why these, where no model is served."""
    has_place, catalogue = planned(recommender.catalogue), recommender.catalogue
    assert ranked.wishes is not None
    wished = ranked.wishes[:, chosen].T
    return [
        in_order(
            planned_reason(float(ranked.relevant[:, position].sum()), planned=bool(has_place[row])),
            *wish_reasons(float(style), float(minutes), catalogue.formats[catalogue.format_index[row]]),
            voice,
        )
        for row, position, (style, minutes), voice in zip(rows, chosen, wished, voices, strict=True)
    ]


def _flags(ranked: _Ranked, recommender: Recommender) -> tuple[Flag, ...]:
    if ranked.learning is None or recommender.teaching is None:
        return ()
    skills = [recommender.teaching.menu.skills[k] for k in ranked.learning.loops]
    return tuple(loop_flag(s, recommender.titles.get(s, s)) for s in skills)


def _message(
    request: Request,
    query: Query,
    candidates: NDArray[np.int32],
    ranked: _Ranked,
    learner: Learner | None,
    recommender: Recommender,
) -> str | None:
    """Why there is nothing, or nothing for the goal; None where all is as hoped."""
    shop = Shop(recommender.catalogue, recommender.skill_rows, recommender.titles)
    for_goal = None
    if ranked.learning is not None and learner is not None:
        for_goal = why_no_gain(request, query, ranked.learning, goal=learner.goal, again=ranked.again, shop=shop)
    if len(candidates):
        return for_goal
    return for_goal if for_goal == GOAL_MASTERED else why_nothing(request, query, shop)
