"""EdNet KT1: answers to multiple-choice questions, given in bundles."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from engine.domain.errors import BadLog
from training.importers.foreign import Foreign, by_learner, find, need, renamed
from training.importers.reading import Progress, read_chunks, read_whole, silent
from training.log_schema import PROBLEM, ROW

_NAMES = {"timestamp": "ts_ms", "elapsed_time": "elapsed_ms"}
_NEEDED = ("learner_id", "ts_ms", "solving_id", "question_id", "user_answer", "elapsed_ms")


def read_ednet(paths: Sequence[Path], *, progress: Progress) -> Foreign:
    """A bundle is the resource and a question its item; tags are the skills, and parts the tags, of a bundle."""
    questions = _questions(need(paths, "questions.csv", "questions.parquet"))
    return Foreign(interactions=_interactions(paths, questions, progress), resources=_resources(questions))


def _questions(file: Path) -> pl.DataFrame:
    """Questions with the text `-1` of untagged ones left out: question_id, bundle_id, correct_answer, part, skills."""
    needed = ("question_id", "bundle_id", "correct_answer", "part", "tags")
    table = renamed(read_whole(file), {}, needed=needed, what=str(file))
    element = pl.element()
    return table.select(
        pl.col(*needed[:4]).cast(pl.String),
        pl.col("tags").cast(pl.String).str.split(";").list.eval(element.filter(element != "-1")).alias("skills"),
    ).unique("question_id", keep="first", maintain_order=True)


def _resources(questions: pl.DataFrame) -> pl.DataFrame:
    return questions.group_by(pl.col("bundle_id").alias("resource_id"), maintain_order=True).agg(
        pl.lit("exercise").first().alias("format"),
        pl.col("skills").explode(empty_as_null=False).unique().sort().alias("skills"),
        pl.format("part-{}", pl.col("part")).unique().sort().alias("tags"),
    )


def _interactions(paths: Sequence[Path], questions: pl.DataFrame, progress: Progress) -> Iterator[pl.DataFrame]:
    for rows in by_learner(_answers(paths, progress)):
        yield _attempts(rows, questions)


def _answers(paths: Sequence[Path], progress: Progress) -> Iterator[pl.DataFrame]:
    """The answers as text, from one table of all learners or from a file for each, named after the learner."""
    whole = find(paths, "ednet.parquet")
    files = [whole] if whole else sorted(file for path in paths for file in _learner_files(path))
    if not files:
        raise BadLog(f"found no u*.csv and no ednet.parquet in {', '.join(map(str, paths))}; name the folder with them")
    for place, file in enumerate(files):
        for chunk in read_chunks(file, progress=progress if whole else silent):
            told = chunk if whole else chunk.with_columns(pl.lit(file.stem).alias("learner_id"))
            rows = renamed(told, _NAMES, needed=_NEEDED, what=str(file))
            yield rows.select(pl.col(_NEEDED).cast(pl.String), ROW, PROBLEM)
        progress((place + 1) / len(files))


def _learner_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield from [path] if path.name.startswith("u") and path.suffix == ".csv" else []
    else:
        yield from path.glob("u*.csv")
        yield from path.glob("KT1/u*.csv")


def _attempts(rows: pl.DataFrame, questions: pl.DataFrame) -> pl.DataFrame:
    """The mates of a bundle repeat its one duration: only the first of them keeps it, or pace would count it twice."""
    rows = rows.join(questions, on="question_id", how="left", maintain_order="left")
    first = pl.col("question_id").first().over("learner_id", "solving_id", "bundle_id", "elapsed_ms")
    is_mate = pl.col("question_id") != first
    seconds = pl.col("elapsed_ms").cast(pl.Float64, strict=False) / 1000
    right = (pl.col("user_answer") == pl.col("correct_answer")).cast(pl.Float64)
    unknown = pl.when(pl.col("bundle_id").is_null()).then(pl.lit("question_id is not among the questions"))
    return rows.sort("learner_id", pl.col("ts_ms").cast(pl.Int64, strict=False), maintain_order=True).select(
        "learner_id",
        pl.col("bundle_id").alias("resource_id"),
        pl.col("question_id").alias("item_id"),
        pl.from_epoch(pl.col("ts_ms").cast(pl.Int64, strict=False), time_unit="ms").alias("at"),
        pl.col("solving_id").alias("order"),
        pl.lit("attempted").alias("kind"),
        right.alias("outcome"),
        pl.when(~is_mate).then(seconds).alias("duration_s"),
        "skills",
        ROW,
        pl.coalesce(PROBLEM, unknown).alias(PROBLEM),
    )
