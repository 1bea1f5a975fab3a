"""All terms of the learning objective for one learner, over the few candidates that are looked at closely."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History
from engine.learner.gains import GainModel, step_facts
from engine.learner.menu import Known, Menu, known_of
from engine.learner.model import LearnerModel
from engine.learner.spans import Spans, spans_of
from engine.learner.state import LearnerState
from engine.learner.voices import DAY_US, Spoken
from engine.ranking import needs as of_needs
from engine.ranking.loops import stands, tried_on
from engine.ranking.needs import Needs
from engine.ranking.objective import TERMS as OF_LEARNING
from engine.ranking.objective import added_by_approach, added_by_learning, loops_of
from engine.ranking.said import OF_DIFFICULTY, added_by_voices
from engine.ranking.weights import ObjectiveWeights
from engine.ranking.worth import Worth, worth_of

TERMS = (*OF_LEARNING, *of_needs.TERMS, "voice", "minutes", "repeat")
_PLACE = {name: place for place, name in enumerate(TERMS)}
# A resource counts as repeated for so many of the learner's events.
REPEATED_WITHIN = 10

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learning:
    """What stands behind an answer: `terms` `(n_terms, n_rows)` as `TERMS`, and what they were made from.

    `known` and `worth` speak of the same rows; `aims` are skills of the menu, `has_goal` whether the learner or the
    request named them.
    """

    terms: Floats
    known: Known
    worth: Worth
    aims: Ints
    has_goal: bool
    loops: tuple[int, ...]
    needs: Needs

    @property
    def voice(self) -> Floats:
        """What the learner's words add: `(n_rows,)`."""
        voice: Floats = self.terms[_PLACE["voice"]]
        return voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """What a bundle and a catalogue know of learning, made once.

    `promising`: for each skill of the menu the resources that teach it, the most promising first. `row_of_key` finds a
    resource by its key.
    """

    menu: Menu
    model: LearnerModel
    gains: GainModel
    weights: ObjectiveWeights
    promising: Spans
    row_of_key: Mapping[int, int]


def teaching_of(menu: Menu, model: LearnerModel, gains: GainModel, weights: ObjectiveWeights) -> Teaching:
    """What is known of learning with this menu."""
    promise = promise_of(menu, gains)
    return Teaching(
        menu=menu,
        model=model,
        gains=gains,
        weights=weights,
        promising=spans_of(
            [rows[np.lexsort((rows, -promise[rows]))] for rows in map(menu.teaching.of, range(len(menu.skills)))]
        ),
        row_of_key={key: row for row, key in reversed(list(enumerate(menu.item_keys.tolist())))},
    )


def promise_of(menu: Menu, gains: GainModel) -> Floats:
    """What a step on each resource is worth per minute to somebody in the middle of everything: `(n_resources,)`."""
    n = len(menu.minutes)
    middle, minutes = np.full(n, 0.5), menu.usual_minutes
    facts = step_facts(
        mastery=middle,
        known=middle,
        readiness=(middle, middle),
        p=middle,
        of_skill=np.ones((n, 4), np.float32),
        own=np.zeros((n, 5), np.float32),
        log_minutes=np.log(minutes),
        formats=np.array([gains.format_number(name) for name in menu.formats]),
    )
    promise: Floats = gains.gains(facts, menu.item_keys) / minutes
    return promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """Who is answered: their state, the skills aimed at, what is due, what was said, and the minutes left, today and
    `minutes_ahead` for the goal.
    """

    state: LearnerState
    goal: tuple[str, ...]
    needs: Needs
    spoken: tuple[Spoken, ...]
    history: History
    minutes_left: float | None
    now_us: int
    minutes_ahead: float = np.inf


def aims_of(goal: tuple[str, ...], menu: Menu) -> Ints:
    """The skills of a goal that the menu knows, ascending."""
    return np.array(sorted({menu.number[s] for s in goal if s in menu.number}), np.int64)


def learning_of(rows: Ints, learner: Learner, teaching: Teaching) -> Learning:
    """The learning terms of these rows of the catalogue, all of them looked at closely."""
    menu, weights, state, spoken = teaching.menu, teaching.weights, learner.state, learner.spoken
    aims = aims_of(learner.goal, menu)
    has_goal = len(aims) > 0
    place, skill = menu.pairs(rows)
    if not has_goal:
        aims = np.unique(skill)
    words = rows_of_words(spoken, teaching)
    known = known_of(
        menu,
        np.concatenate([rows, words]) if len(words) else rows,
        _asked_about(menu, aims, has_goal),
        state=state,
        model=teaching.model,
        now_us=learner.now_us,
    )
    p_spoken = known.p[len(rows) :]
    if len(words):
        known = _without(known, len(rows))
    worth = worth_of(menu, known, teaching.gains, aims, ahead=learner.minutes_ahead)
    terms = np.zeros((len(TERMS), len(rows)))
    terms[: len(OF_LEARNING) - 1] = added_by_learning(
        menu, known, worth, state, model=teaching.model, weights=weights, has_goal=has_goal
    )
    loops = [k for k in loops_of(menu, state) if stands(k, state, menu, learner.now_us)]
    if loops:
        tried = {k: tried_on(k, state, learner.history.resource_index, menu) for k in loops}
        terms[_PLACE["approach"]] = added_by_approach(menu, known, tried, weight=weights.approach)
    first = _PLACE["review"]
    terms[first : first + len(of_needs.TERMS)] = of_needs.contributions(
        learner.needs, menu, rows, (place, skill), weights=weights
    )
    if spoken:
        terms[_PLACE["voice"]] = added_by_words(
            spoken, teaching, (rows, known.p), (words, p_spoken), weight=weights.voice
        )
    terms[_PLACE["repeat"]] = _repeated(rows, learner.history, weight=weights.repeat)
    if learner.minutes_left is not None:
        minutes = known.minutes
        over = np.maximum(minutes - learner.minutes_left, 0.0) / np.maximum(minutes, 1.0)
        terms[_PLACE["minutes"]] = -weights.minutes * over
    return Learning(terms, known, worth, aims, has_goal, tuple(loops), learner.needs)


def rows_of_words(spoken: Iterable[Spoken], teaching: Teaching) -> Ints:
    """The rows of the catalogue of which words on difficulty stand: `(n_words,)`."""
    rows = teaching.row_of_key
    return np.array([rows[w.key] for w in spoken if w.kind in OF_DIFFICULTY and w.key in rows], np.int64)


def alike_to(words: Ints, rows: Ints, menu: Menu) -> NDArray[np.bool_]:
    """Which of some rows share a skill with each of the rows of words: `(n_words, n_rows)`."""
    shares = np.zeros((len(words), len(rows)), bool)
    place, skill = menu.pairs(rows)
    for k, row in enumerate(words.tolist()):
        shares[k, place[np.isin(skill, menu.skills_of(row))]] = True
    return shares


def added_by_words(
    spoken: Sequence[Spoken],
    teaching: Teaching,
    rows: tuple[Ints, Floats],
    words: tuple[Ints, Floats],
    *,
    weight: float,
) -> Floats:
    """What was said adds to rows of the catalogue, given with their chances of success: `(n_rows,)`.

    `words` are the rows of `rows_of_words` with theirs; a chance that is NaN moves nothing that is only alike.
    """
    keys, place_of = teaching.menu.item_keys, {row: k for k, row in enumerate(words[0].tolist())}
    places = [place_of.get(teaching.row_of_key.get(w.key, -1)) for w in spoken]
    alike, p_words = alike_to(words[0], rows[0], teaching.menu), words[1]
    nothing = np.zeros(len(rows[0]), bool)
    return added_by_voices(
        spoken,
        keys[rows[0]],
        weight=weight,
        p=rows[1],
        shares_skill=np.array([nothing if k is None else alike[k] for k in places]),
        p_spoken=np.array([np.nan if k is None else p_words[k] for k in places]),
    )


def minutes_left(minutes_per_day: float | None, history: History, menu: Menu, now_us: int) -> float | None:
    """What is left of the minutes a learner wants to give today (UTC), by the usual minutes of what they took up."""
    if minutes_per_day is None or now_us == NO_TIME:
        return minutes_per_day
    today = now_us - now_us % DAY_US
    rows = history.resource_index[(history.at_us >= today) & (history.at_us <= now_us)]
    return max(minutes_per_day - float(np.nan_to_num(menu.minutes[np.unique(rows)]).sum()), 0.0)


def _asked_about(menu: Menu, aims: Ints, has_goal: bool) -> Ints:
    """The skills that can matter: what is aimed at, and what is needed before it; for a goal all the way down."""
    if has_goal:
        return np.array(menu.closure(aims.tolist()), np.int64)
    return np.unique(np.concatenate([aims, menu.needed.gathered(aims)[1]]))


def _without(known: Known, n: int) -> Known:
    """Only the first `n` rows."""
    return replace(known, rows=known.rows[:n], p=known.p[:n], takes=known.takes.first(n), own=known.own[:n])


def _repeated(rows: Ints, history: History, *, weight: float) -> Floats:
    """Taken off for each time but the first that a row was done lately: `(n_rows,)`."""
    added = np.zeros(len(rows))
    for row, n in Counter(history.resource_index[-REPEATED_WITHIN:].tolist()).items():
        if n > 1:
            added[rows == row] = -weight * (n - 1)
    return added
