"""The catalogue of a log: what each batch brought, merged so that the latest word on an id wins."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from engine.domain.skill import GraphReport, mended
from training.log_checks import complete
from training.log_files import catalogue_folder, interactions_file, put_table, table_file
from training.log_scan import read_table
from training.log_schema import CATALOGUE, id_column

# Tables that lay in a log before its first import; they come before every batch.
BY_HAND = "000000-by-hand"


def adopt(log: Path, *, aside: Path) -> None:
    """Keep tables that somebody laid into the log by hand, so that merging never loses them."""
    if (log / "catalogue").exists():
        return
    for table in CATALOGUE:
        if table_file(log, table).exists():
            place = catalogue_folder(log, BY_HAND) / f"{table}.parquet"
            put_table(read_table(table_file(log, table), table), place, aside=aside)


def drop_uncommitted(log: Path) -> None:
    """Take away what batches brought that were never committed or were taken back."""
    for folder in (log / "catalogue").glob("*"):
        if folder.name != BY_HAND and not interactions_file(log, folder.name).exists():
            shutil.rmtree(folder)


def news(log: Path, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The tables that say anything the log does not say already."""
    return {table: frame for table, frame in tables.items() if not _says_already(log, table, frame)}


def merged(log: Path, table: str) -> pl.DataFrame | None:
    """One table over all committed batches, sorted by id, a later batch winning; None where nobody brought one."""
    folders = sorted((log / "catalogue").glob("*")) if (log / "catalogue").exists() else []
    committed = [f for f in folders if f.name == BY_HAND or interactions_file(log, f.name).exists()]
    files = [f / f"{table}.parquet" for f in committed if (f / f"{table}.parquet").exists()]
    if not files:
        return None
    x_id = id_column(table)
    return pl.concat([read_table(file, table) for file in files]).unique(x_id, keep="last").sort(x_id)


def write_merged(log: Path, *, aside: Path) -> GraphReport:
    """Write the tables that readers see, the skill graph mended; what had to be mended."""
    report = GraphReport((), (), ())
    for table in CATALOGUE:
        frame = merged(log, table)
        if frame is None:
            table_file(log, table).unlink(missing_ok=True)
            continue
        if table == "skills":
            frame, report = mended_skills(frame)
        put_table(frame, table_file(log, table), aside=aside)
    return report


def mended_skills(skills: pl.DataFrame) -> tuple[pl.DataFrame, GraphReport]:
    """The skills without cycles and edges to unknown skills, and what was taken out."""
    skills = complete(skills, "skills")
    graph, report = mended(dict(skills.select("skill_id", "prerequisites").iter_rows()))
    kept = [list(graph[x_id]) for x_id in skills["skill_id"]]
    return skills.with_columns(pl.Series("prerequisites", kept, dtype=pl.List(pl.String))), report


def derived_resources(interactions: pl.LazyFrame) -> pl.DataFrame:
    """The resources nobody described: every id that occurs, with the skills seen on it."""
    seen = interactions.filter(pl.col("resource_id").is_not_null()).select("resource_id", "skills")
    ids = seen.select("resource_id").unique().collect(engine="streaming")
    tagged = seen.explode("skills", empty_as_null=False, keep_nulls=False).unique()
    skills = tagged.group_by("resource_id").agg(pl.col("skills").sort()).collect(engine="streaming")
    return _filled(ids.join(skills, on="resource_id", how="left"), "resources").sort("resource_id")


def _filled(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    schema = CATALOGUE[table]
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return complete(frame.with_columns(absent).select(schema.names()), table)


def _says_already(log: Path, table: str, frame: pl.DataFrame) -> bool:
    before = merged(log, table)
    return before is not None and _rows(frame) <= _rows(before)


def _rows(frame: pl.DataFrame) -> set[str]:
    return {repr(row) for row in frame.iter_rows()}


def reported(report: GraphReport) -> dict[str, list[list[str]]]:
    """The report of the graph as it stands in log.json; edges read [prerequisite, skill]."""

    def lists(edges: Iterable[Iterable[str]]) -> list[list[str]]:
        return [list(edge) for edge in edges]

    return {"cycles": lists(report.cycles), "dropped": lists(report.dropped), "dangling": lists(report.dangling)}
