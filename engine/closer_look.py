"""A closer look at the best candidates: relevance, and what they are worth to a learner."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.assembly import Recommender
from engine.domain.decision import Reason, Request
from engine.domain.query import Query
from engine.last_stage import LastStage
from engine.learner.fold import fresh
from engine.learner.menu import chances_expected
from engine.learner.preferences import Preferences, goal_of, preferences_of
from engine.learner.state import LearnerState
from engine.learner.voices import Spoken
from engine.options import Ranked
from engine.ranking.again import Again, added_by_again
from engine.ranking.best import best_rows
from engine.ranking.in_time import InTime, picked_in_time
from engine.ranking.learning import TERMS as LEARNING_TERMS
from engine.ranking.learning import (
    Learner,
    Teaching,
    added_by_words,
    aims_of,
    alike_to,
    learning_of,
    minutes_left,
    rows_of_words,
)
from engine.ranking.needs import Needs, needs_of
from engine.ranking.plain import wishes
from engine.ranking.pool import N_LEARNING, N_UPTAKE, due_rows, pool_of, way_rows
from engine.ranking.relevance import FirstStage, added_up
from engine.ranking.said import added_by_voices, lift_of
from engine.ranking.selection import N_CONSIDERED

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
_NO_ROWS = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request with who it is for; `learner` is None where nothing but relevance is asked for, or no state is there.

    `wished` is what they asked for where no model is served; `again` what was done before and may come back; `limit`
    what fits into the minutes of the request, None where it names none; `state` what is known of them. `conditions` are
    all that says which candidates there are and how relevant, beside rules.
    """

    request: Request
    query: Query
    recommender: Recommender
    learner: Learner | None
    voices: tuple[Spoken, ...]
    wished: Preferences | None
    again: Again
    limit: InTime | None
    state: LearnerState | None
    conditions: tuple[object, ...]

    @property
    def n(self) -> int:
        """How many candidates are usually looked at."""
        return max(N_UPTAKE if self.learner is None else N_LEARNING, self.request.k + N_CONSIDERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What may be `shown` `(n_resources,)` under the rules of a `stage`, and how many `times` as many are looked at.

    `first` is what the cheap scorers say, where that is known already.
    """

    shown: Callable[[], Mask]
    stage: LastStage | None
    times: int
    first: FirstStage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The candidates looked at, with what each family of relevance adds: `rows` `(n,)`, `relevant` `(n_families, n)`.

    `plain` `(n,)` adds it up and `span` says how far it reaches, `usual` `(n_families,)` is what each comes to on
    average. `told` are reasons by row, as they come to be said.
    """

    rows: Ints
    relevant: Floats
    plain: Floats
    span: float
    usual: Floats
    told: dict[int, tuple[Reason, ...]]

    @property
    def n_bytes(self) -> int:
        """About how much memory it takes."""
        return self.rows.nbytes + self.relevant.nbytes + self.plain.nbytes + 2_000


def looked_at(asking: Asking, look: Look) -> Ranked:
    """A closer look at the best of what is shown to it."""
    if asking.learner is not None:
        return _worthwhile_for(asking, asking.learner, look)
    return _planned(asking, look) if asking.recommender.model is None else _relevant_to(asking, look)


def conditions_of(
    request: Request,
    query: Query,
    learner: Learner | None,
    voices: tuple[Spoken, ...],
    recommender: Recommender,
) -> tuple[object, ...]:
    """What the candidates and their relevance follow from, beside the history, what comes back, and rules."""
    course_day = recommender.model.course_day.key(query) if recommender.model is not None else ()
    needs = () if learner is None else (learner.goal, tuple(learner.needs.checks), tuple(learner.needs.reviews))
    return (
        recommender, recommender.catalogue.available(query.now_us), request.k, request.candidates, request.exclude,
        request.formats, request.minutes, query.access_needs, query.languages, query.features, query.course_id,
        course_day, query.starts_us, query.hour_us, voices, needs,
    )  # fmt: skip


def forget_pool(asking: Asking) -> None:
    """Keep no pool for what is asked any more."""
    asking.query.history.forget(_pool_name(asking))


def _pool_name(asking: Asking) -> str:
    return f"pool for {asking.request.objective}"


def _pool(asking: Asking, look: Look) -> Pool:
    """The pool, kept with the learner's history until anything that it follows from is another."""
    return asking.query.history.kept(
        _pool_name(asking),
        _made_of(asking, look.stage, look.times),
        lambda: _made(asking, look),
        lambda pool: len(pool.rows) <= asking.n,
    )


def is_kept(asking: Asking, stage: LastStage | None) -> bool:
    """Whether a usual look needs nothing of the cheap scorers any more."""
    return asking.query.history.recalled(_pool_name(asking), _made_of(asking, stage, 1)) is not None


def _made_of(asking: Asking, stage: LastStage | None, times: int) -> tuple[object, ...]:
    return (*asking.conditions, times, None if stage is None else stage.plan)


def _made(asking: Asking, look: Look) -> Pool:
    model, query = asking.recommender.model, asking.query
    assert model is not None
    first = look.first or model.first(query, len(asking.recommender.catalogue))
    newcomers = asking.recommender.newcomers
    if newcomers is None:
        rows = _rows(asking, look, first.scores)
        relevant = model.families_of(query, first, rows)
    else:
        first = newcomers.stood_for(first)
        rows = _rows(asking, look, first.scores)
        relevant = newcomers.families_of(model, query, first, rows)
    plain = added_up(relevant)
    span = float(np.ptp(plain)) if len(plain) else 0.0
    usual = relevant.sum(axis=1) / max(len(rows), 1)
    return Pool(rows=rows, relevant=relevant, plain=plain, span=span, usual=usual, told={})


def _rows(asking: Asking, look: Look, scores: Floats) -> Ints:
    """The rows of the catalogue that are looked at closely, ascending; everything where it is few.

    With minutes in the request those alone that fit, and what teachers put in.
    """
    if asking.limit is None:
        return _best_of(look.shown(), asking, look, scores)
    return picked_in_time(
        partial(_best_of, asking=asking, look=look, scores=scores),
        look.shown(),
        asking.limit,
        put_in=look.stage.put_in if look.stage is not None else _NO_ROWS,
        best=partial(best_rows, scores, tie_break=asking.recommender.offered.tie_break),
    )


def _best_of(shown: Mask, asking: Asking, look: Look, scores: Floats) -> Ints:
    recommender, n = asking.recommender, look.times * asking.n
    wanted: list[int] = []
    if np.count_nonzero(shown) > n:
        if look.stage is not None:
            wanted += look.stage.wanted(scores, shown, recommender.offered)
        wanted += accepted_rows(asking.voices, recommender).tolist()
        if asking.learner is not None and recommender.teaching is not None:
            wanted += _due(asking.learner, recommender.teaching, shown, n)
    return pool_of(scores, shown, recommender.offered, n=n, wanted=wanted)


def _due(learner: Learner, teaching: Teaching, shown: Mask, n: int) -> list[int]:
    """What a learner needs a close look at, however relevant it is."""
    menu, promising = teaching.menu, teaching.promising
    due = [*learner.needs.checks, *learner.needs.reviews]
    way = menu.closure(aims_of(learner.goal, menu).tolist())
    return [*due_rows(due, menu, promising, shown), *way_rows(way, promising, shown, n)]


def _relevant_to(asking: Asking, look: Look) -> Ranked:
    """Relevance and the learner's words alone."""
    pool = _pool(asking, look)
    span = pool.span or 1.0
    voice, scores = _with_voices(asking, pool.rows, pool.plain, span)
    return Ranked(pool.rows, pool.relevant, None, voice, scores, span, told=pool.told, usual=pool.usual)


def _planned(asking: Asking, look: Look) -> Ranked:
    """The plan, and what the learner asked for, where no model is served."""
    recommender, added = asking.recommender, None
    scores = recommender.planned
    if asking.wished is not None:
        plain, weights, catalogue = scores[look.shown()], recommender.weights, recommender.catalogue
        added = wishes(asking.wished, asking.query, catalogue=catalogue, plain=plain, weights=weights)
        scores = added_up(np.vstack([scores, added]))
    rows = _rows(asking, look, scores)
    planned = recommender.planned[rows]
    span = (float(np.ptp(planned)) if len(planned) else 0.0) or 1.0
    if added is not None:
        added = added[:, rows]
        plain = added_up(np.vstack([planned, added]))
    else:
        plain = planned
    voice, scores = _with_voices(asking, rows, plain, span)
    return Ranked(rows, planned[None], None, voice, scores, span, wishes=added)


def _with_voices(asking: Asking, rows: Ints, plain: Floats, span: float) -> tuple[Floats, Floats]:
    """What the learner's words add to each row, and the scores with it: `(n,)` both."""
    voices, recommender = asking.voices, asking.recommender
    if not voices:
        return np.zeros(len(rows)), plain
    voice = _said_of(asking, rows, weight=recommender.weights.voice * span)
    voice += lift_of(plain + voice, voice, _accepted_places(voices, recommender, rows), asking.request.k)
    return voice, plain + voice


def _said_of(asking: Asking, rows: Ints, *, weight: float) -> Floats:
    """What the learner's words add to each row beside relevance: `(n,)`.

    The learner model is asked only where a word on difficulty stands, and of what is alike; without one nobody can say
    what is as easy or as hard, and a word moves what it was said of.
    """
    voices, recommender = asking.voices, asking.recommender
    teaching, keys = recommender.teaching, recommender.keys[rows]
    words = rows_of_words(voices, teaching) if teaching is not None else _NO_ROWS
    if teaching is None or not len(words):
        return added_by_voices(voices, keys, weight=weight)
    state = asking.state or fresh(teaching.model, recommender.offer)
    places = np.flatnonzero(alike_to(words, rows, teaching.menu).any(axis=0))
    asked = np.concatenate([rows[places], words])
    said = chances_expected(teaching.menu, asked, state=state, model=teaching.model, now_us=asking.query.minute_us)
    p = np.full(len(rows), np.nan)
    p[places] = said[: len(places)]
    return added_by_words(voices, teaching, (rows, p), (words, said[len(places) :]), weight=weight)


def _worthwhile_for(asking: Asking, learner: Learner, look: Look) -> Ranked:
    """Relevance as one term beside those of learning; it counts from what is usual among the candidates."""
    recommender, again, weights = asking.recommender, asking.again, asking.recommender.weights
    assert recommender.teaching is not None
    pool = _pool(asking, look)
    rows = pool.rows
    learning = learning_of(rows, learner, recommender.teaching)
    if len(again.rows):
        repeat = added_by_again(again, rows, asking.query.history, weight=weights.repeat)
        learning.terms[LEARNING_TERMS.index("repeat")] += repeat
    share = weights.relevance if learning.has_goal else weights.relevance_without_goal
    relevant = (pool.relevant - pool.usual[:, None]) * (share / pool.span if pool.span else 0.0)
    scores = added_up(np.vstack([relevant, learning.terms]))
    if accepted := _accepted_places(learner.spoken, recommender, rows):
        learning.voice[:] += lift_of(scores, learning.voice, accepted, asking.request.k)
        scores = added_up(np.vstack([relevant, learning.terms]))
    done_before = frozenset(again.rows.tolist())
    return Ranked(rows, relevant, learning, learning.voice, scores, 1.0, again=done_before, told=pool.told)


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
    goal, now_us = goal_of(state.goal), query.minute_us
    preferences = preferences_of(state.preferences)

    def needs() -> Needs:
        known = [s for key in state.memories if (s := recommender.skill_by_key.get(key)) is not None]
        return needs_of(state, preferences, teaching.model.format_mix, known, now_us)

    return Learner(
        state=state,
        goal=request.goal if request.goal is not None else goal.skills if goal else (),
        needs=query.history.kept("needs", (recommender, state, now_us), needs),
        spoken=voices,
        history=query.history,
        minutes_left=minutes_left(preferences.minutes_per_day, query.history, teaching.menu, now_us),
        now_us=now_us,
        minutes_ahead=np.inf if request.minutes_ahead is None else request.minutes_ahead,
    )


def accepted_rows(voices: tuple[Spoken, ...], recommender: Recommender) -> Ints:
    """Rows of what the learner accepted and has not worked on yet: it stays on the list."""
    accepted = [v.key for v in voices if v.kind == "accepted"]
    if not accepted:
        return _NO_ROWS
    return np.flatnonzero(np.isin(recommender.keys, np.array(accepted, np.uint64)))


def _accepted_places(voices: tuple[Spoken, ...], recommender: Recommender, rows: Ints) -> list[int]:
    """Places among these rows of the same, in the order it was said."""
    keys = recommender.keys[rows]
    accepted = [np.uint64(v.key) for v in voices if v.kind == "accepted"]
    return [place for key in accepted for place in np.flatnonzero(keys == key).tolist()]
