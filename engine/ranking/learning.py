"""All terms of the learning objective for one learner: which candidates are looked at closely, and what they get."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.history import NO_TIME, History
from engine.learner.gains import GainModel, step_facts, usual_minutes
from engine.learner.menu import Known, Menu, known_of
from engine.learner.model import LearnerModel
from engine.learner.state import LearnerState
from engine.learner.voices import DAY_US, Spoken
from engine.ranking import needs as of_needs
from engine.ranking.needs import Needs
from engine.ranking.objective import TERMS as OF_LEARNING
from engine.ranking.objective import added_by_approach, added_by_learning, loops_of
from engine.ranking.said import added_by_voices
from engine.ranking.weights import ObjectiveWeights
from engine.ranking.worth import Worth, worth_of

# What is looked at closely; of a large catalogue what serves the goal, then what others take up.
SHORTLIST = 200
TERMS = (*OF_LEARNING, *of_needs.TERMS, "voice", "minutes", "repeat")
_LAST = 3
# A resource counts as repeated for so many of the learner's events.
REPEATED_WITHIN = 10
_NOBODY = np.empty(0, np.int64)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learning:
    """What stands behind an answer: `terms` `(n_terms, n_candidates)` as `TERMS`, and what they were made from.

    `known` and `worth` speak of the shortlist, whose places among the candidates are `places`; `aims` are skills of the
    menu, `has_goal` whether the learner or the request named them.
    """

    terms: Floats
    places: Ints
    known: Known
    worth: Worth
    aims: Ints
    has_goal: bool
    loops: tuple[int, ...]
    needs: Needs

    @property
    def voice(self) -> Floats:
        """What the learner's words add: `(n_candidates,)`."""
        voice: Floats = self.terms[TERMS.index("voice")]
        return voice


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """What a bundle and a catalogue know of learning, made once.

    `skill_rows` are the rows that teach each skill, `answer_rows` those of them of which an answer may be expected.
    """

    menu: Menu
    model: LearnerModel
    gains: GainModel
    weights: ObjectiveWeights
    catalogue: Catalogue
    skill_rows: Mapping[str, NDArray[np.int32]]
    answer_rows: Mapping[str, NDArray[np.int32]]
    promise: Floats

    def review_rows(self, skill: str) -> NDArray[np.int32] | None:
        """The rows a review of this skill falls on: those that show what is remembered, where there are any."""
        return self.answer_rows.get(skill, self.skill_rows.get(skill))


def promise_of(menu: Menu, gains: GainModel) -> Floats:
    """What a step on each resource is worth per minute to somebody in the middle of everything: `(n_resources,)`."""
    n = len(menu.minutes)
    middle, minutes = np.full(n, 0.5), usual_minutes(menu.minutes)
    facts = step_facts(
        mastery=middle,
        readiness=middle,
        readiness_mean=middle,
        p=middle,
        of_skill=np.ones((n, 4), np.float32),
        own=np.zeros((n, 5), np.float32),
        log_minutes=np.log(minutes),
        formats=np.array([gains.format_number(name) for name in menu.formats]),
    )
    promise: Floats = gains.gains(facts, menu.resources.item_key) / minutes
    return promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """Who is answered: their state, the skills aimed at, what is due, what was said, and the minutes left today."""

    state: LearnerState
    goal: tuple[str, ...]
    needs: Needs
    spoken: tuple[Spoken, ...]
    history: History
    minutes_left: float | None
    now_us: int


def learning_of(candidates: NDArray[np.int32], relevance: Floats, learner: Learner, teaching: Teaching) -> Learning:
    """The learning terms of candidates, whose relevance `(n_candidates,)` says which of many are looked at closely."""
    menu, weights, state, spoken = teaching.menu, teaching.weights, learner.state, learner.spoken
    aims = np.array(sorted({menu.number[s] for s in learner.goal if s in menu.number}), np.int64)
    has_goal = len(aims) > 0
    places = _shortlist(candidates, relevance, teaching, menu.closure(aims.tolist()) if has_goal else [])
    rows = candidates[places].astype(np.int64)
    taught = np.unique(menu.pairs(rows)[1])
    if not has_goal:
        aims = taught
    words = [row for word in spoken for row in np.flatnonzero(menu.resources.item_key == np.uint64(word.key))[:1]]
    asked = np.concatenate([rows, np.array(words, np.int64)])
    skills = _asked_about(menu, np.union1d(taught, aims), has_goal)
    known = known_of(menu, asked, skills, state=state, model=teaching.model, now_us=learner.now_us)
    known, p_spoken = _without(known, len(rows)), known.p[len(rows) :]
    worth = worth_of(menu, known, teaching.gains, aims)
    terms = np.zeros((len(TERMS), len(candidates)))
    terms[: len(OF_LEARNING) - 1, places] = added_by_learning(
        menu, known, worth, state, model=teaching.model, weights=weights, has_goal=has_goal
    )
    loops = loops_of(menu, state)
    if loops:
        recent = learner.history.resource_index[-_LAST:]
        terms[TERMS.index("approach"), places] = added_by_approach(menu, known, loops, recent, weight=weights.approach)
    first = TERMS.index("review")
    terms[first : first + len(of_needs.TERMS)] = of_needs.contributions(
        learner.needs, candidates, teaching=teaching, weights=weights
    )
    terms[TERMS.index("voice")] = _voice(spoken, candidates, places, known, p_spoken, words, menu, weights.voice)
    lately = np.bincount(learner.history.resource_index[-REPEATED_WITHIN:], minlength=len(menu.minutes))
    terms[TERMS.index("repeat")] = -weights.repeat * np.maximum(lately[candidates] - 1, 0)
    if learner.minutes_left is not None:
        over = np.maximum(known.minutes - learner.minutes_left, 0.0) / np.maximum(known.minutes, 1.0)
        terms[TERMS.index("minutes"), places] = -weights.minutes * over
    return Learning(terms, places, known, worth, aims, has_goal, tuple(loops), learner.needs)


def minutes_left(minutes_per_day: float | None, history: History, menu: Menu, now_us: int) -> float | None:
    """What is left of the minutes a learner wants to give today (UTC), by the usual minutes of what they took up."""
    if minutes_per_day is None or now_us == NO_TIME:
        return minutes_per_day
    today = now_us - now_us % DAY_US
    rows = history.resource_index[(history.at_us >= today) & (history.at_us <= now_us)]
    return max(minutes_per_day - float(np.nan_to_num(menu.minutes[np.unique(rows)]).sum()), 0.0)


def _shortlist(candidates: NDArray[np.int32], relevance: Floats, teaching: Teaching, wanted: list[int]) -> Ints:
    """Places of the candidates that are looked at closely, ascending.

    First the most promising of each wanted skill, then the second of each, and so on; then what is most relevant.
    """
    if len(candidates) <= SHORTLIST:
        return np.arange(len(candidates))
    turn = np.full(len(candidates), len(candidates))
    if wanted:
        place, skill = teaching.menu.pairs(candidates.astype(np.int64))
        mine = np.isin(skill, wanted)
        place, skill = place[mine], skill[mine]
        order = np.lexsort((place, -teaching.promise[candidates[place]], skill))
        first = np.searchsorted(skill[order], skill[order])
        np.minimum.at(turn, place[order], np.arange(len(order)) - first)
    return np.sort(np.lexsort((-relevance, turn))[:SHORTLIST])


def _asked_about(menu: Menu, skills: Ints, has_goal: bool) -> Ints:
    """These skills and what is needed before them: for a goal all the way down, else the next before."""
    if has_goal:
        return np.array(menu.closure(skills.tolist()), np.int64)
    return np.unique(np.concatenate([skills, *(menu.needed_by(int(s)) for s in skills)])).astype(np.int64)


def _without(known: Known, n: int) -> Known:
    """Only the first `n` rows."""
    return Known(known.rows[:n], known.p[:n], known.minutes[:n], known.own[:n], known.mastery, known.facts)


def _voice(
    spoken: tuple[Spoken, ...], candidates: NDArray[np.int32], places: Ints, known: Known, p_words: Floats,
    words: list[int], menu: Menu, weight: float,
) -> Floats:  # fmt: skip
    """What was said adds to all candidates: `(n_candidates,)`."""
    if not spoken:
        return np.zeros(len(candidates))
    keys = menu.resources.item_key
    row_of = {int(keys[row]): k for k, row in enumerate(words)}
    p_spoken = np.array([p_words[row_of[w.key]] if w.key in row_of else np.nan for w in spoken])
    shares = np.zeros((len(spoken), len(candidates)), bool)
    place, skill = menu.pairs(candidates.astype(np.int64))
    for k, word in enumerate(spoken):
        if word.key in row_of:
            shares[k, place[np.isin(skill, menu.skills_of(words[row_of[word.key]]))]] = True
    p = np.full(len(candidates), np.nan)
    p[places] = known.p
    return added_by_voices(spoken, keys[candidates], weight=weight, p=p, shares_skill=shares, p_spoken=p_spoken)
