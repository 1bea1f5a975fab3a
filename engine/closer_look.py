"""A closer look at the best candidates: relevance, and what they are worth to a learner."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.assembly import Recommender
from engine.domain.decision import Request
from engine.domain.query import Query
from engine.last_stage import LastStage
from engine.learner.preferences import Preferences, goal_of, preferences_of
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken
from engine.options import Ranked
from engine.ranking.again import Again, added_by_again
from engine.ranking.learning import TERMS as LEARNING_TERMS
from engine.ranking.learning import Learner, aims_of, learning_of, minutes_left
from engine.ranking.needs import needs_of
from engine.ranking.plain import wishes
from engine.ranking.pool import N_LEARNING, N_UPTAKE, due_rows, pool_of, way_rows
from engine.ranking.relevance import FirstStage, added_up
from engine.ranking.said import added_by_voices, lift_of
from engine.ranking.selection import N_CONSIDERED

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def _families(query: Query, first: FirstStage | None, rows: Ints, recommender: Recommender) -> NDArray[np.float64]:
    """What each family of relevance adds to each of these rows: `(n_families, n_rows)`."""
    if recommender.model is None or first is None:
        return recommender.planned[rows][None]
    if recommender.newcomers is None:
        return recommender.model.families_of(query, first, rows)
    return recommender.newcomers.families_of(recommender.model, query, first, rows)


def relevant_to(  # noqa: PLR0913 - who asks for what, and all that was found so far
    request: Request,
    query: Query,
    allowed: NDArray[np.bool_],
    voices: tuple[Spoken, ...],
    preferences: Preferences | None,
    recommender: Recommender,
    *,
    first: FirstStage | None,
    stages: Sequence[LastStage],
    times: int,
) -> Ranked:
    """Relevance and the learner's words alone; without a model the plan, and what the learner asked for."""
    model, added = recommender.model, None
    scores = first.scores if first else recommender.planned
    if model is None and preferences is not None:
        added = wishes(
            preferences, query, catalogue=recommender.catalogue, plain=scores[allowed], weights=recommender.weights
        )
        scores = added_up(np.vstack([scores, added]))
    n = times * max(N_UPTAKE, request.k + N_CONSIDERED)
    wanted = [*_by_rules(stages, scores, allowed, recommender, n), *accepted_rows(voices, recommender).tolist()]
    rows = pool_of(scores, allowed, recommender.offered, n=n, wanted=wanted)
    relevant = _families(query, first, rows, recommender)
    plain = added_up(relevant)
    span = (float(np.ptp(plain)) if len(plain) else 0.0) or 1.0
    if added is not None:
        added = added[:, rows]
        plain = added_up(np.vstack([plain, added]))
    voice = np.zeros(len(rows))
    if voices:
        voice = added_by_voices(voices, recommender.keys[rows], weight=recommender.weights.voice * span)
        voice += lift_of(plain + voice, voice, accepted_rows(voices, recommender, rows))
    return Ranked(rows, relevant, None, voice, plain + voice, span, wishes=added)


def worthwhile_for(  # noqa: PLR0913 - who asks for what, and all that was found so far
    request: Request,
    query: Query,
    allowed: NDArray[np.bool_],
    again: Again,
    learner: Learner,
    recommender: Recommender,
    *,
    first: FirstStage,
    stages: Sequence[LastStage],
    times: int,
) -> Ranked:
    """Relevance as one term beside those of learning."""
    teaching, weights = recommender.teaching, recommender.weights
    assert teaching is not None
    n = times * max(N_LEARNING, request.k + N_CONSIDERED)
    wanted = [*_by_rules(stages, first.scores, allowed, recommender, n), *_wanted(learner, allowed, recommender, n)]
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
    if len(accepted := accepted_rows(learner.spoken, recommender, rows)):
        learning.voice[:] += lift_of(scores, learning.voice, accepted)
        scores = added_up(np.vstack([relevant, learning.terms]))
    return Ranked(rows, relevant, learning, learning.voice, scores, 1.0, again=frozenset(again.rows.tolist()))


def learner_led(
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
        *accepted_rows(learner.spoken, recommender).tolist(),
        *due_rows([*learner.needs.checks, *learner.needs.reviews], menu, promising, allowed),
        *way_rows(way, promising, allowed, n),
    ]


def _by_rules(
    stages: Sequence[LastStage],
    scores: NDArray[np.float64],
    allowed: NDArray[np.bool_],
    recommender: Recommender,
    n: int,
) -> list[int]:
    """What rules need a close look at; nothing where everything is looked at."""
    if not stages or np.count_nonzero(allowed) <= n:
        return []
    return [row for stage in stages for row in stage.wanted(scores, recommender.offered)]


def accepted_rows(voices: tuple[Spoken, ...], recommender: Recommender, rows: Ints | None = None) -> Ints:
    """Places among these rows, or all, of what the learner accepted and has not worked on yet: it stays on the list."""
    keys = np.array([v.key for v in voices if v.kind == "accepted"], np.uint64)
    if not len(keys):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(recommender.keys if rows is None else recommender.keys[rows], keys))
