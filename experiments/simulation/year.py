"""A school year, step by step: when learners come, what they pick, what comes of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import microseconds
from experiments.simulation.chance import Channel, uniform
from experiments.simulation.choosing import chosen_alone, utilities
from experiments.simulation.curriculum import N_WEEKS, Course
from experiments.simulation.learning import State, first_state, take, updated_where
from experiments.simulation.school import School
from experiments.simulation.traits import Traits

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

SECOND_US = 1_000_000
_DAY_US = 86_400 * SECOND_US
_SCHOOL_DAYS = 5
# From eight in the morning, when the class starts, to six in the evening.
_HOURS_A_DAY = 10
_TOO_HARD, _TOO_EASY = 0.3, 0.95
_SPEAKS_UP = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """One step of n learners: who took part, when, what they were shown, what they chose and what came of it.

    `active`: `(n,)` bool. `at_us`, `ends_us`: `(n,)`. `shown`, `chosen`: `(n,)` rows of the course. `outcome`: `(n,)`,
    NaN where nothing is scored. `seconds`: `(n,)`. `voice`: `(n,)`, 1 says too hard, −1 too easy, 0 nothing.
    """

    number: int
    active: NDArray[np.bool_]
    at_us: Rows
    ends_us: Rows
    shown: Rows
    chosen: Rows
    outcome: Floats
    seconds: Floats
    voice: NDArray[np.int8]


def year(school: School, course: Course, traits: Traits, *, n_steps: int) -> Iterator[tuple[Step, State]]:
    """Every step of these learners with the state after it; all of them choose for themselves."""
    state = first_state(course, traits)
    for number in range(n_steps):
        at_us = moments(traits, step=number, n_steps=n_steps, seed=school.seed)
        wanted = utilities(course, traits, state, at_us=at_us, step=number, seed=school.seed)
        chosen = chosen_alone(course, traits, wanted, at_us=at_us)
        step, state = taken_step(school, course, traits, state, chosen=chosen, at_us=at_us, number=number)
        yield step, state


def taken_step(
    school: School, course: Course, traits: Traits, state: State, *, chosen: Rows, at_us: Rows, number: int
) -> tuple[Step, State]:
    """One step with the choices made, and the state after it; who stays away, or would end after now, stays as is."""
    after, taken = take(course, traits, state, chosen=chosen, at_us=at_us, step=number, seed=school.seed)
    ends_us = at_us + (taken.seconds * 10).round().astype(np.int64) * (SECOND_US // 10)
    active = comes(traits, step=number, seed=school.seed) & (ends_us <= microseconds(school.now))
    step = Step(
        number=number,
        active=active,
        at_us=at_us,
        ends_us=ends_us,
        shown=np.argmin(state.n_done > 0, axis=1),
        chosen=chosen,
        outcome=taken.outcome,
        seconds=taken.seconds,
        voice=_voice(school.seed, traits, taken.outcome, number=number),
    )
    return step, updated_where(active, after, state)


def comes(traits: Traits, *, step: int, seed: int) -> NDArray[np.bool_]:
    """Who takes part in this step: `(n,)`."""
    return uniform(seed, traits.learner, step=step, channel=Channel.ATTENDS) < traits.diligence


def moments(traits: Traits, *, step: int, n_steps: int, seed: int) -> Rows:
    """When each learner takes this step: `(n,)` microseconds; whole seconds of school days spread over the plan."""
    drawn = uniform(seed, traits.learner, step=step, channel=Channel.MOMENT)
    day, share = np.divmod((step + drawn) * (N_WEEKS * _SCHOOL_DAYS / n_steps), 1.0)
    week, weekday = np.divmod(day.astype(np.int64), _SCHOOL_DAYS)
    seconds = (share * (_HOURS_A_DAY * 3600)).astype(np.int64)
    result: Rows = traits.starts_us + (7 * week + weekday) * _DAY_US + seconds * SECOND_US
    return result


def _voice(seed: int, traits: Traits, outcome: Floats, *, number: int) -> NDArray[np.int8]:
    speaks = uniform(seed, traits.learner, step=number, channel=Channel.VOICE) < _SPEAKS_UP
    # Comparisons with NaN are false: nobody calls a film too hard.
    said = (outcome <= _TOO_HARD).astype(np.int8) - (outcome >= _TOO_EASY).astype(np.int8)
    return np.where(speaks, said, np.int8(0))
