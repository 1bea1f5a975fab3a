"""Whole school years as a log, many learners at a time, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.domain.errors import BadInput
from experiments.simulation.curriculum import Course
from experiments.simulation.school import School
from experiments.simulation.tables import (
    SOURCE,
    assignments_of,
    classes_of,
    interactions_of,
    learners_of,
    resources_of,
    skills_of,
)
from experiments.simulation.traits import Traits, traits_of
from experiments.simulation.year import Step, year
from training.log_add import ImportReport, add_to_log

_LEARNERS_AT_ONCE = 2_000
_LEARNER_STEPS_A_FRAME = 50_000


@dataclass(frozen=True, slots=True)
class SimulatedLog:
    """The tables of a log; `interactions` come in frames of bounded size and can be walked through once."""

    interactions: Iterator[pl.DataFrame]
    resources: pl.DataFrame
    skills: pl.DataFrame
    classes: pl.DataFrame
    learners: pl.DataFrame


def simulate_log(school: School, *, n_steps: int) -> SimulatedLog:
    """The log of a school whose learners each have `n_steps` chances over a year to choose something for themselves.

    Raises `BadInput` for fewer than one step.
    """
    if n_steps < 1:
        raise BadInput("A simulated year needs at least one step; give a larger number of steps.")
    return SimulatedLog(
        interactions=_interactions(school, n_steps),
        resources=resources_of(school),
        skills=skills_of(school),
        classes=classes_of(school),
        learners=learners_of(school),
    )


def write_log(school: School, *, n_steps: int, into: Path) -> ImportReport:
    """Add the simulated log to the log in this folder, all of it or nothing.

    Raises `BadInput` for fewer than one step, `Unavailable` where another import is writing to it.
    """
    log = simulate_log(school, n_steps=n_steps)
    return add_to_log(
        into,
        interactions=log.interactions,
        resources=log.resources,
        skills=log.skills,
        classes=log.classes,
        learners=log.learners,
        source=SOURCE,
        now=school.now,
        report=lambda _what, _share: None,
    )


def _interactions(school: School, n_steps: int) -> Iterator[pl.DataFrame]:
    for course_index, course in enumerate(school.courses):
        members = school.members(course_index)
        for first in range(0, len(members), _LEARNERS_AT_ONCE):
            traits = traits_of(school, course, members[first : first + _LEARNERS_AT_ONCE])
            yield assignments_of(school, course, traits)
            yield from _frames(school, course, traits, n_steps)


def _frames(school: School, course: Course, traits: Traits, n_steps: int) -> Iterator[pl.DataFrame]:
    steps: list[Step] = []
    for step, _ in year(school, course, traits, n_steps=n_steps):
        steps.append(step)
        if len(steps) * len(traits.learner) >= _LEARNER_STEPS_A_FRAME:
            yield interactions_of(school, course, traits, steps)
            steps = []
    if steps:
        yield interactions_of(school, course, traits, steps)
