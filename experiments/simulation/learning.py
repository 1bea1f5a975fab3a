"""How one use of a resource changes a learner: success, learning, forgetting, time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.chance import Channel, normal, uniform
from experiments.simulation.curriculum import Course
from experiments.simulation.traits import Traits

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

N_QUESTIONS = 10
GUESS, SLIP = 0.15, 0.06
_DAY_US = 86_400e6
_FIRST_HALF_LIFE_DAYS = 90.0
_LONGEST_HALF_LIFE_DAYS = 400.0
_KEPT = 0.5
_USED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class State:
    """The hidden state of n learners in one course.

    `mastery`: `(n, S)` in [0, 1], as it was when last practised. `half_life`: `(n, S)` days. `practised_us`: `(n, S)`.
    `n_done`: `(n, R)` how often each resource was taken.
    """

    mastery: Floats
    half_life: Floats
    practised_us: Rows
    n_done: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Taken:
    """What one step showed: `outcome` `(n,)` in [0, 1], NaN where nothing is scored; `seconds` `(n,)`."""

    outcome: Floats
    seconds: Floats


def first_state(course: Course, traits: Traits) -> State:
    """The first day of class."""
    shape = traits.start.shape
    return State(
        mastery=traits.start,
        half_life=np.full(shape, _FIRST_HALF_LIFE_DAYS),
        practised_us=np.repeat(traits.starts_us[:, None], shape[1], axis=1),
        n_done=np.zeros((shape[0], len(course.resources)), dtype=np.int32),
    )


def recall(state: State, at_us: Rows) -> Floats:
    """Mastery now: `(n, S)`; half of it fades with a half-life (Settles & Meeder 2016), half is kept (savings)."""
    days = np.maximum(at_us[:, None] - state.practised_us, 0) / _DAY_US
    left: Floats = state.mastery * (_KEPT + (1.0 - _KEPT) * np.exp2(-days / state.half_life))
    return left


def readiness(course: Course, known: Floats) -> Floats:
    """How well the prerequisites of each skill are known, the weakest counts: `(n, S)`; 1 where there are none."""
    padded = np.concatenate([known, np.ones((len(known), 1))], axis=1)
    weakest: Floats = np.minimum(padded[:, course.needs[:, 0]], padded[:, course.needs[:, 1]])
    return weakest


def p_success(course: Course, known: Floats) -> Floats:
    """The chance to answer right: `(n, R)`, NaN where nothing is scored; guess and slip (Corbett & Anderson 1994)."""
    main, other = course.skill_index.T
    able = 0.5 * (known[:, main] + known[:, other]) * (1.0 - course.difficulty)
    return GUESS + (1.0 - GUESS - SLIP) * able


def take(
    course: Course, traits: Traits, state: State, *, chosen: Rows, at_us: Rows, step: int, seed: int
) -> tuple[State, Taken]:
    """Each learner takes the chosen resource: the state after it and what it showed.

    `chosen`, `at_us`: `(n,)`. The outcome is the share of `N_QUESTIONS` questions answered right. The time is
    log-normal around the usual minutes and the learner's own pace (van der Linden 2006), in tenths of a second.
    """
    who = np.arange(len(chosen))
    known = recall(state, at_us)
    p = p_success(course, known)[who, chosen]
    questions = Channel.ANSWER + np.arange(N_QUESTIONS)
    right = uniform(seed, traits.learner[:, None], step=step, channel=questions) < p[:, None]
    outcome = np.where(np.isnan(p), np.nan, right.sum(axis=1) / N_QUESTIONS)
    noise = 0.35 * normal(seed, traits.learner, step=step, channel=Channel.DURATION)
    seconds = np.round(60.0 * course.minutes[chosen] * np.exp(traits.pace + noise), 1)
    return _practised(course, traits, state, known=known, chosen=chosen, at_us=at_us), Taken(outcome, seconds)


def _practised(course: Course, traits: Traits, state: State, *, known: Floats, chosen: Rows, at_us: Rows) -> State:
    """Learning closes a share of what is missing (exponential law of practice, Heathcote, Brown & Mewhort 2000).

    The share shrinks where the prerequisites are not known, and is halved for a skill that is only used.
    Every practice makes what is known last longer.
    """
    who = np.arange(len(chosen))
    ready = 0.2 + 0.8 * readiness(course, known)
    state = State(state.mastery.copy(), state.half_life.copy(), state.practised_us.copy(), state.n_done.copy())
    main, other = course.skill_index[chosen].T
    for skill, weight in ((other, np.where(other == main, 0.0, _USED_SHARE)), (main, np.ones(len(who)))):
        now = known[who, skill]
        gain = np.minimum(course.gain[chosen] * traits.rate * ready[who, skill] * weight, 1.0)
        state.mastery[who, skill] = now + gain * (1.0 - now)
        longer = state.half_life[who, skill] * (1.0 + 0.6 * weight)
        state.half_life[who, skill] = np.minimum(longer, _LONGEST_HALF_LIFE_DAYS)
        state.practised_us[who, skill] = at_us
    state.n_done[who, chosen] += 1
    return state


def updated_where(active: NDArray[np.bool_], after: State, before: State) -> State:
    """The state after the step for those who took part, the one before for the others. `active`: `(n,)`."""
    rows = active[:, None]
    return State(
        mastery=np.where(rows, after.mastery, before.mastery),
        half_life=np.where(rows, after.half_life, before.half_life),
        practised_us=np.where(rows, after.practised_us, before.practised_us),
        n_done=np.where(rows, after.n_done, before.n_done),
    )
