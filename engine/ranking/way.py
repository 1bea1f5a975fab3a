"""How long the way through a skill is expected to be, over the resources a learner will really take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.gains import LEAST_OPEN, GainModel
from engine.learner.menu import Known, Menu
from engine.learner.steps_left import LEAST_LEARNED, MOST_LEARNED, expected_steps
from engine.learner.tracing import MASTERED, Tracing
from engine.ranking.steps import steps_of

# Nothing takes less than a quarter of a minute.
_SHORTEST = 0.25

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What can be done for some skills, as pairs `(n_pairs,)` of a resource, its `row` of the catalogue, and a `skill`.

    `rate` is what a minute of it wins once what the skill waits for is known, `minutes` those of the resource. `learns`
    is the chance that a step on what is left teaches a skill to who does not know it, `known` `(n_skills,)` how surely
    skills are known, by the law `tracing`.
    """

    row: Ints
    skill: Ints
    rate: Floats
    minutes: Floats
    learns: float
    known: Floats
    tracing: Tracing


@dataclass(frozen=True, slots=True)
class Through:
    """The way through one skill: expected `steps`, `minutes` of each, and the `rows` of all there is, in turn."""

    steps: float
    minutes: float
    rows: list[int]


def shelf_of(menu: Menu, known: Known, gains: GainModel) -> Shelf:
    """What the rows in `known` do for their skills, done before or not.

    What a step teaches is told as the mean over all that is left: of one skill at one moment it says how long ago the
    last step on it was as much as how the next weeks will go, and a plan is about the weeks.
    """
    steps = steps_of(menu, known, gains)
    changes, n, skill = gains.gains(steps.facts, steps.keys), len(steps.place), steps.skill
    # A skill that waits for others is learned when they are known: so much is won then.
    gain = np.maximum(np.maximum(changes[:n], changes[n:]), 0.0)
    learned = gain / (gains.tracing.span * np.maximum(1.0 - known.known[skill], LEAST_OPEN))
    left = known.known[skill] < MASTERED
    minutes = np.maximum(known.takes.with_those(steps.place)[steps.place], _SHORTEST)
    rows = known.rows[steps.place]
    learns = np.clip(learned[left], LEAST_LEARNED, MOST_LEARNED).mean() if left.any() else gains.tracing.learns
    return Shelf(rows, skill, gain / minutes, minutes, float(learns), known.known, gains.tracing)


def way_through(skill: int, shelf: Shelf, usual_minutes: float) -> Through:
    """The way through a skill; where nothing teaches it, in the usual minutes.

    A learner takes one resource after the other, what wins most a minute first. So a step takes the mean of those that
    are gone through to the end; of all where they are few, for then they come again. Where another becomes the best,
    little changes.
    """
    steps = expected_steps(shelf.tracing, float(shelf.known[skill]), shelf.learns)
    own = np.flatnonzero(shelf.skill == skill)
    if not len(own):
        return Through(steps, usual_minutes, [])
    turn = own[np.lexsort((shelf.row[own], -shelf.rate[own]))]
    taken = turn[: max(int(np.ceil(steps)), 1)]
    return Through(steps, float(shelf.minutes[taken].mean()), shelf.row[turn].tolist())
