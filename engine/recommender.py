"""The recipe: candidates → relevance → a closer look at the best → learning → selection → reasons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.bundle import Bundle
from engine.domain.catalogue import Catalogue, catalogue_of
from engine.domain.decision import Decision, Request
from engine.domain.history import History
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.domain.skill import Skill, mended
from engine.emptiness import GOAL_MASTERED, Gained, why_no_gain, why_nothing
from engine.learner.fold import Offer, offer_of
from engine.learner.gains import gain_model_of
from engine.learner.menu import menu_of
from engine.learner.model import LearnerModel, learner_model_of
from engine.learner.preferences import Preferences, goal_of, preferences_of
from engine.learner.rows import item_key, skill_key
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken, standing
from engine.options import Answered, Ranked, flags_of, options_of
from engine.ranking.again import NOTHING, Again, added_by_again, again_of
from engine.ranking.candidates import candidates_of
from engine.ranking.exploration import NEAR
from engine.ranking.learning import TERMS as LEARNING_TERMS
from engine.ranking.learning import Learner, Teaching, aims_of, learning_of, minutes_left, teaching_of
from engine.ranking.needs import needs_of
from engine.ranking.objective import band_of
from engine.ranking.plain import planned_order, wishes
from engine.ranking.pool import N_LEARNING, N_UPTAKE, Offered, due_rows, pool_of, way_rows
from engine.ranking.relevance import FirstStage, RelevanceModel, added_up, relevance_of
from engine.ranking.said import added_by_voices, lift_of
from engine.ranking.selection import INQUIRY_FORMATS, N_CONSIDERED, Exploring, Variety, slate_of
from engine.ranking.weights import ObjectiveWeights, weights_from

_NO_SEED = 0x7472_6169_6C

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recommender:
    """A bundle beside a catalogue, ready to answer; without a bundle it answers in the planned order.

    `planned`: `(n_resources,)` minus the place in the teacher's plan. `skill_rows` are the rows of the catalogue that
    teach each skill, `titles` the names of skills, `graph` the skills needed before each. `teaching` is what the bundle
    and the catalogue know of learning, None without a bundle.
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
    return Recommender(
        version=bundle.version if bundle else "none",
        catalogue=catalogue,
        model=relevance_of(bundle) if bundle else None,
        learner=learner_model_of(bundle) if bundle else None,
        teaching=_teaching(bundle, catalogue, graph, weights) if bundle else None,
        offer=offer_of([*withdrawn, *offered]),
        planned=planned_order(catalogue),
        offered=Offered(tie_break, catalogue.format_index, inquiry),
        keys=np.array([item_key(x) for x in ids.tolist()], np.uint64),
        skill_rows=skill_rows,
        skill_by_key={skill_key(s): s for s in sorted(skill_rows)},
        graph=graph,
        titles={s.skill_id: s.title for s in known},
        weights=weights,
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
    allowed, again = _allowed(request, query, learner, voices, recommender)
    if learner is None:
        wished = None if anybody or request.objective != "learning" else preferences
        ranked = _relevant(request, asked, allowed, voices, wished, recommender)
    else:
        ranked = _worthwhile(request, asked, allowed, again, learner, recommender)
    slate = slate_of(
        ranked.scores,
        recommender.offered.formats[ranked.rows],
        recommender.offered.tie_break[ranked.rows],
        k=request.k,
        variety=_variety(request, ranked, recommender),
        exploring=_exploring(request, decision_id, ranked, state),
    )
    answered = Answered(
        model=recommender.model,
        learner=recommender.learner,
        teaching=recommender.teaching,
        catalogue=recommender.catalogue,
        offer=recommender.offer,
        titles=recommender.titles,
        inquiry=recommender.offered.inquiry,
        query=asked,
        state=None if anybody else state,
        words=_words(voices, recommender),
    )
    return Decision(
        decision_id=decision_id,
        learner_id=request.learner_id,
        at=now,
        mode=mode_of(request, query, recommender),
        bundle=recommender.version,
        catalogue_hash=recommender.catalogue.hash,
        class_id=query.class_id,
        slate=options_of(slate, ranked, answered),
        flags=flags_of(ranked, answered),
        message=_message(request, query, ranked, learner, again, recommender),
    )


def _allowed(
    request: Request, query: Query, learner: Learner | None, voices: tuple[Spoken, ...], recommender: Recommender
) -> tuple[NDArray[np.bool_], Again]:
    """What may be shown, `(n_resources,)`: what is new, what was accepted, and what comes back for a need or a goal."""
    catalogue, welcome = recommender.catalogue, _accepted(voices, recommender)
    allowed = candidates_of(request, query, catalogue, welcome=welcome)
    if learner is None or recommender.teaching is None or request.candidates is not None or not request.again:
        return allowed, NOTHING
    again = again_of(allowed, learner, recommender.teaching)
    if len(again.rows):
        welcome = np.concatenate([welcome, again.rows])
        allowed = candidates_of(request, query, catalogue, welcome=welcome)
    return allowed, again


def _families(query: Query, first: FirstStage | None, rows: Ints, recommender: Recommender) -> NDArray[np.float64]:
    """What each family of relevance adds to each of these rows: `(n_families, n_rows)`."""
    if recommender.model is None or first is None:
        return recommender.planned[rows][None]
    return recommender.model.families_of(query, first, rows)


def _relevant(
    request: Request,
    query: Query,
    allowed: NDArray[np.bool_],
    voices: tuple[Spoken, ...],
    preferences: Preferences | None,
    recommender: Recommender,
) -> Ranked:
    """Relevance and the learner's words alone; without a model the plan, and what the learner asked for."""
    model, added = recommender.model, None
    first = model.first(query, len(recommender.catalogue)) if model else None
    scores = first.scores if first else recommender.planned
    if model is None and preferences is not None:
        added = wishes(
            preferences, query, catalogue=recommender.catalogue, plain=scores[allowed], weights=recommender.weights
        )
        scores = added_up(np.vstack([scores, added]))
    n = max(N_UPTAKE, request.k + N_CONSIDERED)
    rows = pool_of(scores, allowed, recommender.offered, n=n, wanted=_accepted(voices, recommender).tolist())
    relevant = _families(query, first, rows, recommender)
    plain = added_up(relevant)
    span = (float(np.ptp(plain)) if len(plain) else 0.0) or 1.0
    if added is not None:
        added = added[:, rows]
        plain = added_up(np.vstack([plain, added]))
    voice = np.zeros(len(rows))
    if voices:
        voice = added_by_voices(voices, recommender.keys[rows], weight=recommender.weights.voice * span)
        voice += lift_of(plain + voice, voice, _accepted(voices, recommender, rows))
    return Ranked(rows, relevant, None, voice, plain + voice, span, wishes=added)


def _worthwhile(
    request: Request,
    query: Query,
    allowed: NDArray[np.bool_],
    again: Again,
    learner: Learner,
    recommender: Recommender,
) -> Ranked:
    """Relevance as one term beside those of learning."""
    model, teaching, weights = recommender.model, recommender.teaching, recommender.weights
    assert model is not None
    assert teaching is not None
    first = model.first(query, len(recommender.catalogue))
    n = max(N_LEARNING, request.k + N_CONSIDERED)
    wanted = _wanted(learner, allowed, recommender, n)
    rows = pool_of(first.scores, allowed, recommender.offered, n=n, wanted=wanted)
    relevant = _families(query, first, rows, recommender)
    plain = added_up(relevant)
    span = float(np.ptp(plain)) if len(plain) else 0.0
    learning = learning_of(rows, learner, teaching)
    if len(again.rows):
        repeat = added_by_again(again, rows, query.history, weight=weights.repeat)
        learning.terms[LEARNING_TERMS.index("repeat")] += repeat
    share = weights.relevance if learning.has_goal else weights.relevance_without_goal
    relevant = relevant * (share / span if span else 0.0)
    scores = added_up(np.vstack([relevant, learning.terms]))
    if len(accepted := _accepted(learner.spoken, recommender, rows)):
        learning.voice[:] += lift_of(scores, learning.voice, accepted)
        scores = added_up(np.vstack([relevant, learning.terms]))
    return Ranked(rows, relevant, learning, learning.voice, scores, 1.0, again=frozenset(again.rows.tolist()))


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


def _wanted(learner: Learner, allowed: NDArray[np.bool_], recommender: Recommender, n: int) -> list[int]:
    """What a learner needs a close look at, however relevant it is; nothing where everything is looked at."""
    teaching = recommender.teaching
    if teaching is None or np.count_nonzero(allowed) <= n:
        return []
    menu, promising = teaching.menu, teaching.promising
    way = menu.closure(aims_of(learner.goal, menu).tolist())
    return [
        *_accepted(learner.spoken, recommender).tolist(),
        *due_rows([*learner.needs.checks, *learner.needs.reviews], menu, promising, allowed),
        *way_rows(way, promising, allowed, n),
    ]


def _accepted(voices: tuple[Spoken, ...], recommender: Recommender, rows: Ints | None = None) -> Ints:
    """Places among these rows, or all, of what the learner accepted and has not worked on yet: it stays on the list."""
    keys = np.array([v.key for v in voices if v.kind == "accepted"], np.uint64)
    if not len(keys):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(recommender.keys if rows is None else recommender.keys[rows], keys))


def _variety(request: Request, ranked: Ranked, recommender: Recommender) -> Variety | None:
    """Learning is varied; what others take up is shown as it is."""
    if request.objective != "learning":
        return None
    return Variety(inquiry=recommender.offered.inquiry[ranked.rows], refused=ranked.voice < 0)


def _exploring(request: Request, decision_id: str, ranked: Ranked, state: LearnerState | None) -> Exploring | None:
    """Who may take turns: with a state, what is no further outside the success band than the best; the seed is given or
    the decision's own.
    """
    if not request.explore:
        return None
    outside = np.zeros(len(ranked.scores))
    if ranked.learning is not None and state is not None:
        low, high = band_of(state)
        p = ranked.learning.known.p
        outside = np.maximum(low - p, 0.0) - np.maximum(p - high, 0.0)
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


def _skills_of(bundle: Bundle | None) -> list[Skill]:
    told = bundle.settings.get("skills", ()) if bundle else ()
    return [Skill(skill_id=s, title=title, prerequisites=tuple(needed)) for s, title, needed in told]


def _teaching(
    bundle: Bundle, catalogue: Catalogue, graph: Mapping[str, tuple[str, ...]], weights: ObjectiveWeights
) -> Teaching:
    model = learner_model_of(bundle)
    return teaching_of(menu_of(catalogue.resources, graph, model), model, gain_model_of(bundle), weights)


def _skill_rows(catalogue: Catalogue) -> dict[str, NDArray[np.int32]]:
    rows: dict[str, list[int]] = {}
    for row, resource in enumerate(catalogue.resources):
        for skill in set(resource.skills) if resource else ():
            rows.setdefault(skill, []).append(row)
    return {skill: np.array(found, np.int32) for skill, found in rows.items()}


def _words(voices: tuple[Spoken, ...], recommender: Recommender) -> dict[int, str]:
    """The kind of word that stands of a resource, by its row."""
    said = {v.key: v.kind for v in voices}
    if not said:
        return {}
    rows = np.flatnonzero(np.isin(recommender.keys, np.array(list(said), np.uint64))).tolist()
    return {row: said[int(recommender.keys[row])] for row in rows}


def _message(
    request: Request,
    query: Query,
    ranked: Ranked,
    learner: Learner | None,
    again: Again,
    recommender: Recommender,
) -> str | None:
    """Why there is nothing, or nothing for the goal; None where all is as hoped."""
    for_goal = None
    if ranked.learning is not None and learner is not None and recommender.teaching is not None:
        menu, titles = recommender.teaching.menu, recommender.titles
        gained = Gained(learner.goal, again.spent, ranked.learning, menu, titles)
        for_goal = why_no_gain(request, query, gained, recommender.catalogue)
    if len(ranked.rows) or for_goal == GOAL_MASTERED:
        return for_goal
    return why_nothing(request, query, recommender.catalogue)
