"""Junyi Academy: mathematics exercises with a graph of prerequisites."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from training.importers.foreign import Foreign, find, need, renamed
from training.importers.reading import Progress, read_chunks, read_whole
from training.log_schema import PROBLEM, ROW

_NAMES = {"user_id": "learner_id", "exercise": "resource_id"}


def read_junyi(paths: Sequence[Path], *, progress: Progress) -> Foreign:
    """Exercises are resources and skills at once; the published problem log has a clock, the set of pairs has none."""
    log = need(paths, "junyi_ProblemLog_original.csv", "junyi_ProblemLog_for_PSLC.txt", "junyi.parquet")
    exercises = need(paths, "junyi_Exercise_table.csv", "exercises.parquet")
    edges = find(paths, "prerequisites.parquet")
    table = renamed(read_whole(exercises), {}, needed=("name", "prerequisites"), what=str(exercises))
    table = table.unique("name", keep="first", maintain_order=True)
    return Foreign(
        interactions=_interactions(log, progress),
        resources=_resources(table),
        skills=_skills(table, None if edges is None else read_whole(edges)),
    )


def _resources(table: pl.DataFrame) -> pl.DataFrame:
    tags = [name for name in ("topic", "area") if name in table.columns]
    title = pl.col("short_display_name" if "short_display_name" in table.columns else "name")
    return table.select(
        pl.col("name").alias("resource_id"),
        title.alias("title"),
        pl.lit("exercise").alias("format"),
        pl.concat_list("name").alias("skills"),
        (pl.concat_list(tags).list.drop_nulls() if tags else pl.lit([], pl.List(pl.String))).alias("tags"),
    )


def _skills(table: pl.DataFrame, edges: pl.DataFrame | None) -> pl.DataFrame:
    """The graph as the exercises tell it, and the edges of a list beside them where there is one."""
    told = table.select(
        pl.col("name").alias("skill_id"),
        pl.col("prerequisites").str.split(",").list.eval(pl.element().str.strip_chars()).alias("before"),
    )
    both = [told.explode("before").drop_nulls()]
    if edges is not None:
        both.append(edges.select(pl.col("target").alias("skill_id"), pl.col("source").alias("before")))
    before = pl.concat(both).filter(pl.col("before") != "").unique().sort("skill_id", "before")
    grouped = before.group_by("skill_id", maintain_order=True).agg(pl.col("before").alias("prerequisites"))
    skills = table.select(pl.col("name").alias("skill_id")).join(grouped, on="skill_id", how="full", coalesce=True)
    return skills.with_columns(pl.col("skill_id").alias("title")).sort("skill_id")


def _interactions(log: Path, progress: Progress) -> Iterator[pl.DataFrame]:
    for chunk in read_chunks(log, progress=progress, kind="tsv" if log.suffix == ".txt" else None):
        yield _attempts(chunk, str(log)) if "time_done" in chunk.columns else _pairs(chunk, str(log))


def _pairs(chunk: pl.DataFrame, what: str) -> pl.DataFrame:
    chunk = renamed(chunk, _NAMES, needed=_NAMES.values(), what=what)
    return chunk.select("learner_id", "resource_id", pl.lit("viewed").alias("kind"), ROW, PROBLEM)


def _attempts(chunk: pl.DataFrame, what: str) -> pl.DataFrame:
    """`time_done` is in microseconds, `time_taken` in seconds, `correct` means at the first try and without a hint."""
    chunk = renamed(chunk, _NAMES, needed=(*_NAMES.values(), "time_done", "time_taken", "correct"), what=what)
    right = {"true": 1.0, "1": 1.0, "false": 0.0, "0": 0.0}
    correct = pl.col("correct").cast(pl.String).str.to_lowercase()
    return chunk.select(
        "learner_id",
        "resource_id",
        pl.from_epoch(pl.col("time_done").cast(pl.Int64, strict=False), time_unit="us").alias("at"),
        pl.lit("attempted").alias("kind"),
        correct.replace_strict(right, default=None, return_dtype=pl.Float64).alias("outcome"),
        pl.col("time_taken").cast(pl.Float64, strict=False).alias("duration_s"),
        ROW,
        PROBLEM,
    )
