"""What a learner does next: one utility for each resource, whether picked alone or from a slate."""

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.chance import Channel, uniform
from experiments.simulation.curriculum import N_WEEKS, Course
from experiments.simulation.learning import State, readiness, recall
from experiments.simulation.traits import Traits

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_WEEK_US = 7 * 86_400 * 1_000_000
_WEEKS_AHEAD = 2


def utilities(course: Course, traits: Traits, state: State, *, at_us: Rows, step: int, seed: int) -> Floats:
    """How much each learner wants each resource right now: `(n, R)`, −inf where access needs forbid it.

    A random utility model (McFadden 1974): plan, assignment, taste, readiness, novelty, and a Gumbel-distributed
    whim, so that the largest utility is a draw from the multinomial logit.
    """
    known = recall(state, at_us)
    main = course.skill_index[:, 0]
    week = week_of(traits, at_us)
    away = course.week - week[:, None]
    wanted = (
        1.5 * (assigned_now(traits, at_us)[:, None] == np.arange(len(course.resources)))
        + traits.taste[:, course.format_index]
        + 1.5 * readiness(course, known)[:, main]
        - 1.0 * known[:, main]
        - 1.2 * np.minimum(state.n_done, 3)
        - np.where(away > 0, 0.7, 0.3) * np.abs(away)
    )
    whim = uniform(seed, traits.learner[:, None], step=step, channel=Channel.CHOICE + np.arange(len(course.resources)))
    return np.where(traits.followable, wanted - np.log(-np.log(whim)), -np.inf)


def chosen_alone(course: Course, traits: Traits, wanted: Floats, *, at_us: Rows) -> Rows:
    """The row of the resource each learner picks from all that their class has reached: `(n,)`."""
    reached = course.week <= week_of(traits, at_us)[:, None] + _WEEKS_AHEAD
    chosen: Rows = np.argmax(np.where(reached, wanted, -np.inf), axis=1)
    return chosen


def chosen_from(slate: Rows, wanted: Floats) -> int:
    """The row one learner picks from a slate of rows, by the same utilities: `wanted` is `(R,)`."""
    return int(slate[np.argmax(wanted[slate])])


def week_of(traits: Traits, at_us: Rows) -> Rows:
    """The week of each learner's class, from 0; the last week of the plan goes on: `(n,)`."""
    week: Rows = np.clip((at_us - traits.starts_us) // _WEEK_US, 0, N_WEEKS - 1)
    return week


def assigned_now(traits: Traits, at_us: Rows) -> Rows:
    """The row of the resource that the teacher assigned for this week: `(n,)`."""
    row: Rows = traits.assigned[np.arange(len(at_us)), week_of(traits, at_us)]
    return row
