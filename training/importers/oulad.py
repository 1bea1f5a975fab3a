"""The Open University Learning Analytics data set: clicks by learner, resource and day, and assessments."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from training.importers.foreign import Foreign, by_learner, find, need, renamed
from training.importers.reading import Progress, read_chunks, read_whole, silent
from training.log_add import MERGED
from training.log_schema import PROBLEM, ROW

_NAMES = {
    "id_student": "learner_id",
    "id_site": "resource_id",
    "id_assessment": "assessment_id",
    "sum_click": "clicks",
    "date_submitted": "day_submitted",
    "module_presentation_length": "length_days",
}
_CLASS = pl.format("{}-{}", "code_module", "code_presentation").alias("class_id")
_PRESENTATION = ("code_module", "code_presentation")
_KEY = ("class_id", "learner_id", "resource_id", "day")
# Reports look at these; no model ever does.
_PROTECTED = ("gender", "region", "imd_band", "age_band", "disability")
_FEATURES = ("highest_education", "num_of_prev_attempts", "studied_credits")


def read_oulad(paths: Sequence[Path], *, progress: Progress) -> Foreign:
    """Clicks as `viewed` (one event for each learner, resource and day), assessments as `attempted`.

    A learner stays the person across presentations; a class is a module's presentation, its course the module.
    """
    clicks = need(paths, "studentVle.csv", "interactions.parquet")
    courses = _table(need(paths, "courses.csv", "courses.parquet"), ("length_days",))
    vle = _table(need(paths, "vle.csv", "vle_resources.parquet"), ("resource_id", "activity_type"))
    assessments = _assessments(need(paths, "assessments.csv", "assessments.parquet"))
    results = need(paths, "studentAssessment.csv", "learner_assessments.parquet")
    people = find(paths, "studentInfo.csv", "learners.parquet")
    return Foreign(
        interactions=_interactions(clicks, results, assessments, progress),
        resources=pl.concat([_resources(vle), _assessment_resources(assessments)], how="diagonal"),
        classes=_classes(courses),
        learners=None if people is None else _learners(_table(people, ("learner_id",))),
        clock="day",
    )


def _table(file: Path, needed: tuple[str, ...], names: dict[str, str] = _NAMES) -> pl.DataFrame:
    frame = renamed(read_whole(file), names, needed=(*_PRESENTATION, *needed), what=str(file))
    return frame.with_columns(pl.col(_PRESENTATION).cast(pl.String)).with_columns(_CLASS)


def _assessments(file: Path) -> pl.DataFrame:
    frame = _table(file, ("assessment_id", "assessment_type", "due_day"), {**_NAMES, "date": "due_day"})
    return frame.select(
        pl.format("assessment-{}", "assessment_id").alias("resource_id"),
        pl.col("assessment_type").cast(pl.String),
        pl.col("due_day").cast(pl.Float64, strict=False),
        "code_module",
        "class_id",
    )


def _resources(vle: pl.DataFrame) -> pl.DataFrame:
    week = pl.col("week_from").cast(pl.Float64, strict=False).cast(pl.Int64)
    kind = pl.col("activity_type").cast(pl.String)
    return vle.select(
        pl.col("resource_id").cast(pl.String),
        pl.format("{} {}", kind, "resource_id").alias("title"),
        kind.alias("format"),
        week.alias("position"),
        pl.concat_list("code_module", "class_id").alias("tags"),
    )


def _assessment_resources(assessments: pl.DataFrame) -> pl.DataFrame:
    return assessments.select(
        "resource_id",
        pl.format("{} {}", "assessment_type", pl.col("resource_id").str.strip_prefix("assessment-")).alias("title"),
        pl.lit("assessment").alias("format"),
        (pl.col("due_day") / 7).floor().cast(pl.Int64).alias("position"),
        pl.concat_list("code_module", "class_id", "assessment_type").alias("tags"),
    )


def _classes(courses: pl.DataFrame) -> pl.DataFrame:
    length = pl.duration(days=pl.col("length_days").cast(pl.Int64))
    return courses.select(
        "class_id",
        pl.col("code_module").alias("course_id"),
        pl.format("{} {}", "code_module", "code_presentation").alias("title"),
        _starts_at().alias("starts_at"),
        (_starts_at() + length).alias("ends_at"),
    )


def _learners(people: pl.DataFrame) -> pl.DataFrame:
    def told(names: tuple[str, ...]) -> pl.Expr:
        present = [name for name in names if name in people.columns]
        texts = [pl.format(name + "={}", pl.col(name).cast(pl.String)) for name in present]
        return pl.concat_list(texts).explode(empty_as_null=False, keep_nulls=False).drop_nulls().unique().sort()

    return people.group_by(pl.col("learner_id").cast(pl.String), maintain_order=True).agg(
        pl.col("class_id").unique().sort().alias("classes"),
        told(_FEATURES).alias("features"),
        told(_PROTECTED).alias("subgroups"),
    )


def _interactions(clicks: Path, results: Path, assessments: pl.DataFrame, progress: Progress) -> Iterator[pl.DataFrame]:
    for rows in by_learner(_clicks(chunk, str(clicks)) for chunk in read_chunks(clicks, progress=progress)):
        yield _by_day(rows.filter(pl.col(PROBLEM).is_null()))
        yield rows.filter(pl.col(PROBLEM).is_not_null()).select("learner_id", "resource_id", ROW, PROBLEM)
    for chunk in read_chunks(results, progress=silent):
        yield _attempts(chunk, assessments, str(results))


def _clicks(chunk: pl.DataFrame, what: str) -> pl.DataFrame:
    chunk = renamed(chunk, {**_NAMES, "date": "day"}, needed=(*_PRESENTATION, *_KEY[1:], "clicks"), what=what)
    rows = chunk.select(
        _CLASS.cast(pl.String),
        pl.col("learner_id", "resource_id").cast(pl.String),
        pl.col("day", "clicks").cast(pl.Int64, strict=False),
        ROW,
        PROBLEM,
    )
    unreadable = pl.any_horizontal(pl.col(*_KEY, "clicks").is_null())
    reason = pl.when(unreadable).then(pl.lit("learner, resource, day or clicks cannot be read"))
    return rows.with_columns(pl.coalesce(PROBLEM, reason).alias(PROBLEM))


def _by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """One event for each learner, resource and day: the set repeats them, one row for each burst of clicks."""
    days = rows.group_by(_KEY).agg(pl.col("clicks").sum(), (pl.len() - 1).cast(pl.Int64).alias(MERGED))
    return days.select(
        pl.format("oulad:{}:{}:{}:{}", *_KEY).alias("event_id"),
        "learner_id",
        "resource_id",
        "class_id",
        _at("day").alias("at"),
        pl.lit("viewed").alias("kind"),
        pl.format('{{"clicks": {}}}', "clicks").alias("value"),
        MERGED,
    )


def _attempts(chunk: pl.DataFrame, assessments: pl.DataFrame, what: str) -> pl.DataFrame:
    """Scores out of a hundred; a banked one was carried over from an earlier presentation and says so."""
    needed = ("assessment_id", "learner_id", "day_submitted", "score")
    chunk = renamed(chunk, _NAMES, needed=needed, what=what)
    banked = pl.col("is_banked").cast(pl.String).is_in(["1", "true"]) if "is_banked" in chunk.columns else pl.lit(False)
    rows = chunk.with_columns(pl.format("assessment-{}", "assessment_id").alias("resource_id"), banked.alias("banked"))
    rows = rows.join(assessments.select("resource_id", "class_id"), on="resource_id", how="left", maintain_order="left")
    score = pl.col("score").cast(pl.Float64, strict=False)
    return rows.select(
        pl.format("oulad:{}:{}", pl.col("learner_id").cast(pl.String), "resource_id").alias("event_id"),
        pl.col("learner_id").cast(pl.String),
        "resource_id",
        "class_id",
        _at("day_submitted").alias("at"),
        pl.when(score.is_null()).then(pl.lit("submitted")).otherwise(pl.lit("attempted")).alias("kind"),
        (score / 100).alias("outcome"),
        pl.when("banked").then(pl.lit('{"banked": true}')).alias("value"),
        ROW,
        PROBLEM,
    )


def _starts_at() -> pl.Expr:
    """The first of the month whose letter ends the presentation's name: 2013B began in February, 2013J in October."""
    presentation = pl.col("class_id").str.slice(-5)
    letter = presentation.str.slice(-1)
    month = letter.replace_strict(dict(zip("ABCDEFGHIJKL", range(1, 13), strict=True)), return_dtype=pl.Int8)
    return pl.datetime(presentation.str.head(4).cast(pl.Int32), month, 1, time_unit="us", time_zone="UTC")


def _at(day: str) -> pl.Expr:
    return _starts_at() + pl.duration(days=pl.col(day).cast(pl.Int64, strict=False))
