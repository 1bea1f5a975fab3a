"""One picture of a simulated school, for people who rather look."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.simulation.choosing import week_of
from experiments.simulation.curriculum import FORMATS, N_WEEKS
from experiments.simulation.learning import recall
from experiments.simulation.school import School
from experiments.simulation.traits import traits_of
from experiments.simulation.year import year

_FIGURE_INCHES = (13.0, 4.4)


@dataclass(frozen=True, slots=True)
class Portrait:
    """What the picture shows.

    `mastery`: `(n_classes, N_WEEKS)`, mean over learners and skills, NaN where a week had no steps. `formats`:
    `(n_courses, n_formats)`, how often taken. `first`, `last`: `(n_learners,)` mean mastery on the first and last day.
    """

    mastery: NDArray[np.float64]
    formats: NDArray[np.int64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]


def portrait_of(school: School, *, n_steps: int) -> Portrait:
    """Walk through the year once more and count."""
    total = np.zeros((len(school.classes), N_WEEKS))
    count = np.zeros((len(school.classes), N_WEEKS))
    formats = np.zeros((len(school.courses), len(FORMATS)), dtype=np.int64)
    first, last = np.zeros(school.n_learners), np.zeros(school.n_learners)
    for i, course in enumerate(school.courses):
        traits = traits_of(school, course, school.members(i))
        first[traits.learner] = last[traits.learner] = traits.start.mean(axis=1)
        for step, state in year(school, course, traits, n_steps=n_steps):
            here, at_us = step.active, step.ends_us
            known = recall(state, at_us).mean(axis=1)
            last[traits.learner[here]] = known[here]
            place = (traits.class_index[here], week_of(traits, at_us)[here])
            np.add.at(total, place, known[here])
            np.add.at(count, place, 1.0)
            formats[i] += np.bincount(course.format_index[step.chosen[here]], minlength=len(FORMATS))
    mastery = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return Portrait(mastery=mastery, formats=formats, first=first, last=last)


def draw_school(school: School, *, n_steps: int, into: Path) -> None:
    """Write a PNG: mastery growing in each class, the formats taken, and mastery on the first and the last day."""
    from matplotlib.figure import Figure

    portrait = portrait_of(school, n_steps=n_steps)
    # A Figure of its own needs no display and leaves no global state behind.
    figure = Figure(figsize=_FIGURE_INCHES, layout="constrained")
    growth, formats, spread = figure.subplots(1, 3)
    _draw_growth(growth, school, portrait)
    _draw_formats(formats, school, portrait)
    _draw_spread(spread, portrait)
    figure.savefig(into, dpi=110, metadata={"Software": None})


def _draw_growth(axes: Any, school: School, portrait: Portrait) -> None:
    place = {course.course_id: i for i, course in enumerate(school.courses)}
    named: set[str | None] = set()
    for school_class, mastery in zip(school.classes, portrait.mastery, strict=True):
        course = school.courses[place[school_class.course_id or ""]]
        label = "_" if course.course_id in named else course.title
        named.add(course.course_id)
        axes.plot(np.arange(N_WEEKS) + 1, mastery, color=f"C{place[course.course_id]}", alpha=0.8, label=label)
    axes.set(title="Mastery grows, one line a class", xlabel="week of the class", ylabel="mean mastery", ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left")


def _draw_formats(axes: Any, school: School, portrait: Portrait) -> None:
    bottom = np.zeros(len(FORMATS))
    for course, taken in zip(school.courses, portrait.formats, strict=True):
        axes.bar(FORMATS, taken, bottom=bottom, label=course.title)
        bottom = bottom + taken
    axes.set(title="Formats taken", ylabel="times")
    axes.tick_params(axis="x", rotation=20)


def _draw_spread(axes: Any, portrait: Portrait) -> None:
    bins = np.linspace(0, 1, 26)
    axes.hist(portrait.first, bins=bins, alpha=0.6, color="0.6", label="first day")
    axes.hist(portrait.last, bins=bins, alpha=0.6, color="C0", label="last day")
    axes.set(title="Where learners stand", xlabel="mean mastery of the course", ylabel="learners")
    axes.legend(frameon=False)
