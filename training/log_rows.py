"""Rows of the log as nouns of the domain, and the way back."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from typing import Any, TypeVar

import polars as pl

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from engine.domain.skill import Skill
from training.log_schema import (
    classes_schema,
    interactions_schema,
    learners_schema,
    resources_schema,
    skills_schema,
)

Noun = TypeVar("Noun", Interaction, Resource, Skill, SchoolClass, Learner)
_SLICE = 50_000


def interactions_of(frame: pl.DataFrame) -> Iterator[Interaction]:
    """Canonical interactions one by one, in the frame's order."""
    return _nouns(frame, Interaction)


def resources_of(frame: pl.DataFrame) -> list[Resource]:
    """Canonical resources in the frame's order."""
    return list(_nouns(frame, Resource))


def skills_of(frame: pl.DataFrame) -> list[Skill]:
    """Canonical skills in the frame's order."""
    return list(_nouns(frame, Skill))


def classes_of(frame: pl.DataFrame) -> list[SchoolClass]:
    """Canonical classes in the frame's order."""
    return list(_nouns(frame, SchoolClass))


def learners_of(frame: pl.DataFrame) -> list[Learner]:
    """Canonical learners in the frame's order."""
    return list(_nouns(frame, Learner))


def frame_of_interactions(interactions: Iterable[Interaction]) -> pl.DataFrame:
    """Interactions as rows of the log."""
    return _frame(interactions, interactions_schema)


def frame_of_resources(resources: Iterable[Resource]) -> pl.DataFrame:
    """Resources as rows of the log."""
    return _frame(resources, resources_schema)


def frame_of_skills(skills: Iterable[Skill]) -> pl.DataFrame:
    """Skills as rows of the log."""
    return _frame(skills, skills_schema)


def frame_of_classes(classes: Iterable[SchoolClass]) -> pl.DataFrame:
    """Classes as rows of the log."""
    return _frame(classes, classes_schema)


def frame_of_learners(learners: Iterable[Learner]) -> pl.DataFrame:
    """Learners as rows of the log."""
    return _frame(learners, learners_schema)


def _nouns(frame: pl.DataFrame, make: Callable[..., Noun]) -> Iterator[Noun]:
    for rows in frame.iter_slices(_SLICE):
        for values in zip(*map(_plain, rows.get_columns()), strict=True):
            yield make(**dict(zip(rows.columns, values, strict=True)))


def _plain(column: pl.Series) -> list[Any]:
    """Lists as tuples, times with the one UTC of the standard library: equal nouns must also print equal."""
    if isinstance(column.dtype, pl.List):
        return [None if value is None else tuple(value) for value in column.to_list()]
    if isinstance(column.dtype, pl.Datetime):
        naive = column.dt.replace_time_zone(None).to_list()
        return [None if value is None else value.replace(tzinfo=UTC) for value in naive]
    return column.to_list()


def _frame(nouns: Iterable[Noun], schema: pl.Schema) -> pl.DataFrame:
    given = list(nouns)
    columns = {name: [getattr(noun, name) for noun in given] for name in schema}
    series = [_series(name, values, schema[name]) for name, values in columns.items()]
    return pl.DataFrame(series)


def _series(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.List):
        values = [None if value is None else list(value) for value in values]
    return pl.Series(name, values, dtype)
