"""A world's tables as a log and as nouns of the domain, through the checks that every import goes through."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from msgspec.structs import replace

from engine.domain.errors import BadInput, BadLog
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.domain.skill import Skill
from experiments.judging.world import Table, blamed
from training.log_add import ImportReport, add_to_log
from training.log_catalogue import mended_skills
from training.log_checks import checked_catalogue, checked_interactions
from training.log_rows import interactions_of, resources_of, skills_of

SOURCE = "world"
# Worlds may play in the future; no time of theirs lies ahead of this.
_FAR_FUTURE = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a world offers to learn with: resources in their planned order, and the mended graph of skills."""

    resources: tuple[Resource, ...]
    skills: tuple[Skill, ...]


def shelf_of(catalog: Mapping[str, Table]) -> Shelf:
    """The shelf of a world's catalogue; skills that only resources name have no prerequisites.

    Raises:
        BadInput: no resources, or a table that cannot be read.
    """
    tables = frames_of(catalog)
    with _told_of("catalog()"):
        kept = {name: checked_catalogue(frame, name).kept for name, frame in tables.items()}
    resources = resources_of(kept["resources"]) if "resources" in kept else []
    if not resources:
        raise BadInput("the world's catalogue has no usable resource: give each a resource_id")
    skills = skills_of(mended_skills(kept["skills"])[0]) if "skills" in kept else []
    known = {s.skill_id for s in skills}
    named = dict.fromkeys(s for r in resources for s in r.skills)
    return Shelf(
        tuple(sorted(resources, key=_planned)),
        (*skills, *(Skill(skill_id=s, title=s) for s in named if s not in known)),
    )


def frames_of(catalog: Mapping[str, Table]) -> dict[str, pl.DataFrame]:
    """The tables of a world's catalogue that were given and hold anything.

    Raises:
        BadInput: no table of resources, or a table that cannot be read.
    """
    if not isinstance(catalog, Mapping) or "resources" not in catalog:
        raise BadInput("the world's catalog() gives no table of resources: give a dict with resources and skills")
    read = {name: frame_of(catalog[name], name) for name in ("resources", "skills") if catalog.get(name) is not None}
    return {name: frame for name, frame in read.items() if frame.width}


def frame_of(table: Table, name: str) -> pl.DataFrame:
    """A table of a world as a frame; no rows and no columns for nothing.

    Raises:
        BadInput: neither a pyarrow.Table nor a list of dicts.
    """
    if isinstance(table, pl.DataFrame):
        return table
    try:
        if hasattr(table, "schema"):
            return pl.DataFrame(pl.from_arrow(table))
        rows = [{k: _plain(v) for k, v in row.items()} for row in table]
        columns = dict.fromkeys(k for row in rows for k in row)
        return pl.DataFrame({k: pl.Series(k, [r.get(k) for r in rows], strict=False) for k in columns})
    except (TypeError, AttributeError, ValueError, pl.exceptions.PolarsError):
        raise BadInput(f"the world's {name} is no table: give a pyarrow.Table or a list of dicts") from None


def history_of_world(table: Table | None, learner_id: str) -> list[Interaction]:
    """A learner's interactions in the order they come in, all under one id; nothing is no history.

    Where rows lack an order, they are numbered as they come.

    Raises:
        BadInput: a row that the log would reject.
    """
    frame = frame_of([] if table is None else table, "history")
    if not len(frame):
        return []
    frame = _named(frame, "before").with_columns(learner_id=pl.lit(learner_id))
    with _told_of("learner's .history"):
        checked = checked_interactions(frame, source=SOURCE, now=_FAR_FUTURE)
    if len(checked.rejected):
        row, _, reason = checked.rejected.select("row", "event_id", "reason").row(0)
        raise BadInput(f"row {row} of a learner's history is rejected: {reason}; mend the world")
    events = interactions_of(checked.kept.select(pl.exclude("trailmate:row")))
    if checked.kept["order"].is_null().any():
        events = (replace(event, order=place) for place, event in enumerate(events))
    return sorted(events, key=lambda e: (microseconds(e.at), e.order))


def log_of_world(
    world_log: Table, catalog: Mapping[str, Table], folder: Path, report: Callable[[str, float], None]
) -> ImportReport:
    """Write what a world logged, and its catalogue, as a log into `folder`.

    Raises:
        BadInput: a table that cannot be read, or rows that the log rejects.
    """
    interactions, tables = _named(frame_of(world_log, "log"), "log"), frames_of(catalog)
    with _told_of("log()"):
        told = add_to_log(
            folder,
            source=SOURCE,
            now=_FAR_FUTURE,
            report=report,
            interactions=[interactions],
            resources=tables["resources"],
            skills=tables.get("skills"),
        )
    if told.n_rejected:
        reason = max(told.rejected, key=lambda r: told.rejected[r])
        raise BadInput(f"{told.n_rejected} rows of the world's log are rejected, most because {reason}; mend the world")
    return told


def time_of(value: Any) -> datetime | None:
    """The `now` of a world's learner as an aware time, UTC where it names no zone.

    Raises:
        BadInput: no time.
    """
    with blamed("now"):
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
        value = value.as_py() if hasattr(value, "as_py") else value
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise BadInput("the .now of the world's learner is no datetime: give an aware datetime or leave it out")
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


@contextmanager
def _told_of(what: str) -> Iterator[None]:
    """A table that the log cannot take, told of with where the world gives it.

    Raises:
        BadInput: in place of that error.
    """
    try:
        yield
    except BadLog as problem:
        raise BadInput(f"what the world's {what} gives cannot be used: {problem}") from None


def _named(frame: pl.DataFrame, prefix: str) -> pl.DataFrame:
    """With an id for each row where the world gives none: here equal rows are two events, not one sent twice."""
    if "event_id" in frame.columns or not frame.width:
        return frame
    number = pl.int_range(pl.len(), dtype=pl.Int64).cast(pl.String).str.zfill(8)
    return frame.with_columns(event_id=pl.lit(f"{prefix}-") + number)


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python, so that columns of both are read."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _planned(resource: Resource) -> tuple[float, str]:
    return (float("inf") if resource.position is None else resource.position, resource.resource_id)
