"""Adding to a log and taking back: checked, without duplicates, all of it or nothing."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from engine.domain.errors import Unknown
from engine.domain.skill import GraphReport
from training.log_catalogue import adopt, drop_uncommitted, news, reported, write_merged
from training.log_facts import CLOCKS, entries_of, facts_of, read_facts
from training.log_files import (
    catalogue_folder,
    interactions_file,
    interactions_files,
    put,
    put_json,
    put_table,
    writing,
)
from training.log_intake import Intake, drop_rejected

Report = Callable[[str, float], None]

# How many further rows of the file an importer summed up in a row; never part of the log.
MERGED = "trailmate:merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of an import; `batch` is None where nothing was new, rejected rows are counted by reason.

    `read` counts rows of the files, `merged` those of them that were summed up in another.
    """

    batch: str | None
    source: str
    read: int
    added: int
    duplicates: int
    repaired: int
    rejected: Mapping[str, int]
    unknown_columns: tuple[str, ...]
    tables: Mapping[str, int]
    merged: int = 0
    graph: GraphReport = field(default_factory=lambda: GraphReport((), (), ()))

    @property
    def n_rejected(self) -> int:
        """All rejected rows."""
        return sum(self.rejected.values())


def add_to_log(  # noqa: PLR0913 - one argument for each table of the log
    log: Path,
    *,
    source: str,
    now: datetime,
    report: Report,
    interactions: Iterable[pl.DataFrame] | None = None,
    resources: pl.DataFrame | None = None,
    skills: pl.DataFrame | None = None,
    classes: pl.DataFrame | None = None,
    learners: pl.DataFrame | None = None,
    clock: str | None = None,
) -> ImportReport:
    """Add one batch: interactions in chunks of any size, tables of the catalogue whole, all of any readable types.

    Until the batch's file of interactions is renamed into its place nothing of it counts; an interrupted import
    leaves the log as it was. `now` is aware; `clock` overrides what the times look like.

    Raises:
        BadLog: a table lacks a needed column, or holds a type that cannot be read.
        Unavailable: another import is writing to this log.
    """
    assert clock is None or clock in CLOCKS
    given = {"resources": resources, "skills": skills, "classes": classes, "learners": learners}
    with writing(log) as aside:
        known = read_facts(log).get("batches", [])
        adopt(log, aside=aside)
        drop_uncommitted(log)
        batch = _next_batch(log, source)
        intake = Intake(aside, source=source, now=now)
        tables = {name: intake.take_table(frame, name) for name, frame in given.items() if frame is not None}
        n_merged = _taken(intake, interactions or ())
        report("leaving out what is known", 0.7)
        intake.write_new(log, aside / "interactions.parquet")
        fresh = news(log, tables)
        is_new = intake.tally.rows > 0 or bool(fresh)
        if is_new:
            place = _put_batch(log, batch, fresh, aside=aside)
            known = [*known, intake.tally.entry(place, source=source, imported_at=now, clock=clock)]
        report("writing the tables", 0.9)
        if intake.write_rejected(log / "rejected.parquet", aside / "rejected.parquet", batch=batch if is_new else None):
            put(aside / "rejected.parquet", log / "rejected.parquet")
        graph = _write_summary(log, known, aside=aside)
    report("done", 1.0)
    described = {name: len(frame) for name, frame in tables.items()}
    told = graph if "skills" in tables else GraphReport((), (), ())
    whole = _report(intake, batch if is_new else None, source=source, tables=described, graph=told)
    return replace(whole, read=whole.read + n_merged, merged=n_merged)


def _put_batch(log: Path, batch: str, fresh: Mapping[str, pl.DataFrame], *, aside: Path) -> Path:
    """Put a batch where it counts, its interactions last; their file."""
    for name, frame in fresh.items():
        put_table(frame, catalogue_folder(log, batch) / f"{name}.parquet", aside=aside)
    place = interactions_file(log, batch)
    put(aside / "interactions.parquet", place)
    return place


def _taken(intake: Intake, chunks: Iterable[pl.DataFrame]) -> int:
    """Lay all chunks aside; how many rows they were merged out of, beside their own."""
    n_merged = 0
    for chunk in chunks:
        n_merged += int(chunk[MERGED].sum()) if MERGED in chunk.columns else 0
        intake.take(chunk.drop(MERGED, strict=False))
    return n_merged


def _report(
    intake: Intake, batch: str | None, *, source: str, tables: dict[str, int], graph: GraphReport
) -> ImportReport:
    return ImportReport(
        batch=batch,
        source=source,
        read=intake.n_read,
        added=intake.tally.rows,
        duplicates=intake.n_duplicates,
        repaired=intake.n_repaired,
        rejected=dict(sorted(intake.reasons.items())),
        unknown_columns=tuple(sorted(intake.unknown_columns)),
        tables=tables,
        graph=graph,
    )


def undo_batch(log: Path, batch: str) -> None:
    """Take one import back: its events, its part of the catalogue and its rejected rows.

    Events that later imports skipped as duplicates of this one are gone with it; import those again.

    Raises:
        Unknown: the log has no such batch.
    """
    with writing(log) as aside:
        known = read_facts(log).get("batches", [])
        if not interactions_file(log, batch).exists():
            names = [file.stem for file in interactions_files(log)]
            raise Unknown(f"{log} has no batch {batch}; it has {', '.join(names) or 'none'}")
        adopt(log, aside=aside)
        interactions_file(log, batch).unlink()
        drop_uncommitted(log)
        drop_rejected(log / "rejected.parquet", batch, aside=aside)
        _write_summary(log, known, aside=aside)


def _write_summary(log: Path, known: list[dict[str, Any]], *, aside: Path) -> GraphReport:
    """The merged tables, and log.json last: it speaks only of what lies there."""
    graph = write_merged(log, aside=aside)
    facts = facts_of(log, entries_of(log, known), skill_graph=reported(graph))
    put_json(facts, log / "log.json", aside=aside)
    return graph


def _next_batch(log: Path, source: str) -> str:
    """Numbered, so that the names sort in the order of the imports."""
    numbers = [int(file.stem[:6]) for file in interactions_files(log) if file.stem[:6].isdigit()]
    slug = re.sub(r"[^a-z0-9]+", "-", source.lower()).strip("-")[:40] or "import"
    return f"{max(numbers, default=0) + 1:06d}-{slug}"
