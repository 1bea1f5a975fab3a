"""The simulated school as tables in the format of the log."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.history import microseconds
from experiments.simulation.curriculum import FORMS, N_WEEKS, Course
from experiments.simulation.school import School
from experiments.simulation.traits import Traits
from experiments.simulation.year import SECOND_US, Step
from training.log_schema import (
    classes_schema,
    interactions_schema,
    learners_schema,
    resources_schema,
    skills_schema,
)

SOURCE = "simulation"

# What the school fills in; the other columns of the log stay empty.
_FILLED = (
    "event_id", "learner_id", "resource_id", "at", "order", "kind", "outcome", "duration_s", "class_id", "source",
)  # fmt: skip
_WEEK_US = 7 * 86_400 * SECOND_US
_KIND_OF_FORM = [form.kind for form in FORMS]


def interactions_of(school: School, course: Course, traits: Traits, steps: Sequence[Step]) -> pl.DataFrame:
    """The events of these steps: what the class page showed, what was chosen, what came of it, what was said of it."""
    parts = []
    for step in steps:
        kinds = pl.Series(_KIND_OF_FORM).gather(course.form_index[step.chosen])
        voices = pl.Series(["too_easy", "", "too_hard"]).gather(step.voice.astype(np.int64) + 1)
        speaks = step.active & (step.voice != 0)
        parts += [
            _rows(step, traits, kind="shown", resource=step.shown, at_us=step.at_us),
            _rows(step, traits, kind="chosen", resource=step.chosen, at_us=step.at_us, order=1),
            _rows(step, traits, kind=kinds, resource=step.chosen, at_us=step.ends_us, order=2, finished=True),
            _rows(step, traits, kind=voices, resource=step.chosen, at_us=step.ends_us, order=3, only=speaks),
        ]
    return _named(school, course, pl.concat(parts))


def assignments_of(school: School, course: Course, traits: Traits) -> pl.DataFrame:
    """What the teachers assigned to these learners, each Monday up to now."""
    n = len(traits.learner)
    week = np.tile(np.arange(N_WEEKS), n)
    frame = pl.DataFrame(
        {
            "learner": np.repeat(traits.learner, N_WEEKS),
            "class": np.repeat(traits.class_index, N_WEEKS),
            "step": week,
            "kind": pl.Series(["assigned"]).new_from_index(0, n * N_WEEKS),
            "resource": traits.assigned.reshape(-1),
            "at_us": np.repeat(traits.starts_us, N_WEEKS) + week * _WEEK_US,
            "order": np.zeros(n * N_WEEKS, dtype=np.int64),
            "outcome": np.full(n * N_WEEKS, np.nan),
            "seconds": np.full(n * N_WEEKS, np.nan),
        }
    ).filter(pl.col("at_us") <= microseconds(school.now))
    return _named(school, course, frame)


def resources_of(school: School) -> pl.DataFrame:
    """All resources."""
    rows = [asdict(resource) for course in school.courses for resource in course.resources]
    return pl.DataFrame(rows, schema=resources_schema)


def skills_of(school: School) -> pl.DataFrame:
    """All skills with their prerequisites."""
    rows = [asdict(skill) for course in school.courses for skill in course.skills]
    return pl.DataFrame(rows, schema=skills_schema)


def classes_of(school: School) -> pl.DataFrame:
    """All classes of both years."""
    return pl.DataFrame([asdict(school_class) for school_class in school.classes], schema=classes_schema)


def learners_of(school: School) -> pl.DataFrame:
    """All learners, as the school tells of them."""
    return pl.DataFrame([asdict(school.learner(i)) for i in range(school.n_learners)], schema=learners_schema)


def _rows(
    step: Step,
    traits: Traits,
    *,
    kind: str | pl.Series,
    resource: NDArray[np.int64],
    at_us: NDArray[np.int64],
    order: int = 0,
    finished: bool = False,
    only: NDArray[np.bool_] | None = None,
) -> pl.DataFrame:
    n = len(traits.learner)
    nothing = np.full(n, np.nan)
    return pl.DataFrame(
        {
            "learner": traits.learner,
            "class": traits.class_index,
            "step": np.full(n, step.number, dtype=np.int64),
            "kind": pl.Series([kind]).new_from_index(0, n) if isinstance(kind, str) else kind,
            "resource": resource,
            "at_us": at_us,
            "order": np.full(n, 4 * step.number + order, dtype=np.int64),
            "outcome": step.outcome if finished else nothing,
            "seconds": step.seconds if finished else nothing,
        }
    ).filter(pl.Series(step.active if only is None else only))


def _named(school: School, course: Course, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as numbers become events of the log with ids; an id tells the seed, the learner, the step and the kind."""
    learner = pl.col("learner").cast(pl.String).str.zfill(6)
    resource_ids = pl.Series([r.resource_id for r in course.resources])
    class_ids = pl.Series([c.class_id for c in school.classes])
    named = rows.with_columns(
        event_id=pl.format("s{}-{}-{}-{}", pl.lit(school.seed), learner, pl.col("step"), pl.col("kind")),
        learner_id=pl.format("learner-{}", learner),
        resource_id=resource_ids.gather(rows["resource"]),
        class_id=class_ids.gather(rows["class"]),
        at=pl.col("at_us").cast(interactions_schema["at"]),
        outcome=pl.col("outcome").fill_nan(None),
        duration_s=pl.col("seconds").fill_nan(None),
        source=pl.lit(SOURCE),
    )
    return named.select(pl.col(name).cast(interactions_schema[name]) for name in _FILLED)
