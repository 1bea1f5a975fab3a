"""`trailmate import …`: other people's files into the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trailmate.cli.progress import Report, progress_bar, say

if TYPE_CHECKING:
    from training.importers.foreign import Foreign
    from training.log import ImportReport

Open = Callable[[Callable[[float], None]], "Foreign"]

import_app = typer.Typer(
    name="import",
    help="""Bring files into the log.

    Example: trailmate import tables --interactions events.csv --resources resources.csv --into ./log
    """,
    no_args_is_help=True,
)

Into = Annotated[Path, typer.Option("--into", help="The folder of the log; made where it does not exist.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where any row was rejected.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")]
Undo = Annotated[str | None, typer.Option("--undo", metavar="BATCH", help="Take this import back instead.")]
Paths = Annotated[list[Path] | None, typer.Argument(help="The folder with the set's files, or the files.")]
Table = Annotated[Path | None, typer.Option(help="CSV, JSONL or Parquet.")]

# Reading and checking take the most of the time; the rest is leaving out what is known and writing.
_READING = 0.7


@import_app.command()
def tables(  # noqa: PLR0913 - one option for each table of the log
    into: Into,
    interactions: Annotated[
        Path | None, typer.Option(help="CSV, JSONL, Parquet or a folder of Parquet; needs learner_id and resource_id.")
    ] = None,
    resources: Table = None,
    skills: Table = None,
    classes: Table = None,
    learners: Table = None,
    strict: Strict = False,
    undo: Undo = None,
    as_json: AsJson = False,
) -> None:
    """Add tables in the log's own columns.

    Example: trailmate import tables --interactions events.csv --resources resources.csv --into ./log
    """
    files = {"resources": resources, "skills": skills, "classes": classes, "learners": learners}
    given = [file for file in (interactions, *files.values()) if file is not None]
    if not given and undo is None:
        raise typer.BadParameter("name at least one table, for instance --interactions events.csv")

    def opened(progress: Callable[[float], None]) -> Foreign:
        from training.importers.tables import read_tables

        return read_tables(interactions, files, progress=progress)

    source = given[0].name if given else ""
    _undo_or_add(undo, into, opened, source=source, strict=strict, as_json=as_json)


@import_app.command()
def oulad(into: Into, paths: Paths = None, strict: Strict = False, undo: Undo = None, as_json: AsJson = False) -> None:
    """Add the Open University Learning Analytics data set.

    Example: trailmate import oulad ./anonymisedData --into ./log
    """

    def opened(progress: Callable[[float], None]) -> Foreign:
        from training.importers.oulad import read_oulad

        return read_oulad(_named(paths), progress=progress)

    _undo_or_add(undo, into, opened, source="oulad", strict=strict, as_json=as_json)


@import_app.command()
def ednet(into: Into, paths: Paths = None, strict: Strict = False, undo: Undo = None, as_json: AsJson = False) -> None:
    """Add EdNet KT1.

    Example: trailmate import ednet ./KT1 ./contents --into ./log
    """

    def opened(progress: Callable[[float], None]) -> Foreign:
        from training.importers.ednet import read_ednet

        return read_ednet(_named(paths), progress=progress)

    _undo_or_add(undo, into, opened, source="ednet", strict=strict, as_json=as_json)


@import_app.command()
def junyi(into: Into, paths: Paths = None, strict: Strict = False, undo: Undo = None, as_json: AsJson = False) -> None:
    """Add the Junyi Academy data set.

    Example: trailmate import junyi ./junyi --into ./log
    """

    def opened(progress: Callable[[float], None]) -> Foreign:
        from training.importers.junyi import read_junyi

        return read_junyi(_named(paths), progress=progress)

    _undo_or_add(undo, into, opened, source="junyi", strict=strict, as_json=as_json)


@import_app.command()
def lkt(into: Into, paths: Paths = None, strict: Strict = False, undo: Undo = None, as_json: AsJson = False) -> None:
    """Add the cloze practice of LKT, a DataShop table.

    Example: trailmate import lkt ./cloze.txt --into ./log
    """

    def opened(progress: Callable[[float], None]) -> Foreign:
        from training.importers.lkt import read_lkt

        return read_lkt(_named(paths), progress=progress)

    _undo_or_add(undo, into, opened, source="lkt", strict=strict, as_json=as_json)


def _named(paths: list[Path] | None) -> list[Path]:
    if not paths:
        raise typer.BadParameter("name the folder or the files to import")
    return paths


def _undo_or_add(undo: str | None, into: Path, opened: Open, *, source: str, strict: bool, as_json: bool) -> None:
    from training.log import undo_batch

    if undo is not None:
        undo_batch(into, undo)
        say({"undone": undo, "into": into}, as_json=as_json, text=f"took {undo} out of {into}")
        return
    began = time.perf_counter()
    with progress_bar() as report:
        told = _add(into, opened, source=source, report=report)
    result = {**_result(told), "into": into, "seconds": round(time.perf_counter() - began, 2)}
    say(result, as_json=as_json, text=_text(result))
    if strict and told.n_rejected:
        raise typer.Exit(1)


def _add(into: Path, opened: Open, *, source: str, report: Report) -> ImportReport:
    from training.log import add_to_log

    foreign = opened(lambda share: report(f"reading {source}", share * _READING))
    return add_to_log(
        into,
        interactions=foreign.interactions,
        resources=foreign.resources,
        skills=foreign.skills,
        classes=foreign.classes,
        learners=foreign.learners,
        clock=foreign.clock,
        source=source,
        now=datetime.now(UTC),
        report=report,
    )


def _result(told: ImportReport) -> dict[str, Any]:
    return {
        "batch": told.batch,
        "source": told.source,
        "read": told.read,
        **({"merged": told.merged} if told.merged else {}),
        "added": told.added,
        "duplicates": told.duplicates,
        "repaired": told.repaired,
        "n_rejected": told.n_rejected,
        "rejected": dict(told.rejected),
        "unknown_columns": list(told.unknown_columns),
        "tables": dict(told.tables),
        "cycles": [list(cycle) for cycle in told.graph.cycles],
        "dropped": [list(edge) for edge in told.graph.dropped],
        "dangling": [list(edge) for edge in told.graph.dangling],
    }


def _text(result: dict[str, Any]) -> str:
    lines = [
        f"{result['added']} of {result['read']} interactions added to {result['into']} in {result['seconds']} s",
        f"  batch: {result['batch'] or 'none, nothing was new'}",
        *([f"  rows merged into others: {result['merged']}"] if "merged" in result else []),
        *(f"  {name}: {count} described" for name, count in result["tables"].items()),
        f"  duplicates skipped: {result['duplicates']}, durations repaired: {result['repaired']}",
        f"  rejected: {result['n_rejected']}"
        + (f", see {result['into']}/rejected.parquet" if result["n_rejected"] else ""),
        *(f"    {count} x {reason}" for reason, count in result["rejected"].items()),
    ]
    if result["unknown_columns"]:
        lines.append(
            f"  unknown columns ignored: {len(result['unknown_columns'])} ({', '.join(result['unknown_columns'])})"
        )
    lines += [
        f"  cycle of prerequisites: {' > '.join(cycle)}; dropped {before} > {skill}"
        for cycle, (before, skill) in zip(result["cycles"], result["dropped"], strict=True)
    ]
    lines += [f"  unknown prerequisite: {before} of {skill}" for before, skill in result["dangling"]]
    return "\n".join(lines)
