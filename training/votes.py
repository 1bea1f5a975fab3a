"""Who took up what first, when, and in which class: the arrays every relevance model is fitted on."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.id_map import IdMap
from engine.domain.interaction import ENGAGED_KINDS
from training.log import Log, classes_of


@dataclass(frozen=True, slots=True)
class Votes:
    """First engagements, one per learner and resource, sorted by learner and then by their own sequence.

    `learner`, `resource`, `course`, `school_class`: `(n,)` int32 rows; course 0 is "everyone", class 0 "no class".
    `at_us`: `(n,)` int64, `NO_TIME` without a clock. `class_starts_us`, `class_course`: one per class.
    """

    learner_ids: IdMap
    resource_ids: IdMap
    course_ids: IdMap
    class_ids: IdMap
    class_course: NDArray[np.int32]
    class_starts_us: NDArray[np.int64]
    learner: NDArray[np.int32]
    resource: NDArray[np.int32]
    school_class: NDArray[np.int32]
    at_us: NDArray[np.int64]

    @property
    def course(self) -> NDArray[np.int32]:
        """The course of each vote: `(n,)` int32."""
        return self.class_course[self.school_class]

    @property
    def timed(self) -> bool:
        """Whether votes carry a clock."""
        return len(self.at_us) > 0 and bool((self.at_us != NO_TIME).all())

    def __len__(self) -> int:
        return len(self.learner)

    def where(self, mask: NDArray[np.bool_]) -> "Votes":
        """The votes under a mask; maps keep their rows."""
        return Votes(
            self.learner_ids, self.resource_ids, self.course_ids, self.class_ids, self.class_course,
            self.class_starts_us, self.learner[mask], self.resource[mask], self.school_class[mask], self.at_us[mask],
        )  # fmt: skip


def votes_of(log: Log) -> Votes:
    """The votes of a log; resources of the catalogue get a row also where nobody took them up."""
    classes = classes_of(log.classes())
    class_ids = IdMap(["", *sorted(c.class_id for c in classes)])
    by_id = {c.class_id: c for c in classes}
    rows = _first_engagements(log, class_ids.ids[1:])
    class_ids = class_ids.extended(sorted(set(rows["class_id"].to_list()) - {""}))
    course_of = [(by_id[c].course_id if c in by_id else None) or c for c in class_ids]
    course_ids = IdMap(["", *sorted(set(course_of) - {""})])
    learner_ids = IdMap(rows["learner_id"].unique(maintain_order=True))
    resource_ids = IdMap(sorted({*log.resources()["resource_id"].to_list(), *rows["resource_id"].unique().to_list()}))
    return Votes(
        learner_ids=learner_ids,
        resource_ids=resource_ids,
        course_ids=course_ids,
        class_ids=class_ids,
        class_course=course_ids.rows(course_of),
        class_starts_us=np.array([microseconds(by_id[c].starts_at if c in by_id else None) for c in class_ids]),
        learner=learner_ids.rows(rows["learner_id"].to_list()),
        resource=resource_ids.rows(rows["resource_id"].to_list()),
        school_class=class_ids.rows(rows["class_id"].to_list()),
        at_us=rows["at_us"].to_numpy(),
    )


def _first_engagements(log: Log, known_classes: tuple[str, ...]) -> pl.DataFrame:
    """One row per learner and resource: `learner_id, resource_id, class_id, at_us`."""
    at_us = pl.col("at").dt.epoch("us") if log.clock in ("time", "day") else pl.lit(None, pl.Int64)
    engaged = pl.col("kind").is_in(list(ENGAGED_KINDS)) & pl.col("resource_id").is_not_null()
    first = (
        log.interactions()
        .filter(engaged)
        .select("learner_id", "resource_id", "class_id", "order", "event_id", at_us=at_us)
        .group_by("learner_id", "resource_id")
        .agg(pl.col("class_id", "order", "at_us").sort_by("at_us", "order", "event_id", nulls_last=True).first())
        .collect(engine="streaming")
    )
    return (
        _with_class(first, log, known_classes)
        .sort("learner_id", "at_us", "order", "resource_id", nulls_last=True)
        .with_columns(pl.col("at_us").fill_null(NO_TIME))
    )


def _with_class(first: pl.DataFrame, log: Log, known_classes: tuple[str, ...]) -> pl.DataFrame:
    """Fill a missing `class_id` with the learner's class that had started last by then, or else their first."""
    enrolled = (
        log.learners()
        .select("learner_id", enrolled="classes")
        .explode("enrolled")
        .filter(pl.col("enrolled").is_in(list(known_classes)))
        .join(
            log.classes().select(enrolled="class_id", starts_us=pl.col("starts_at").dt.epoch("us")),
            on="enrolled",
            how="left",
        )
    )
    choice = (
        first.filter(pl.col("class_id").is_null())
        .select("learner_id", "resource_id", "at_us")
        .join(enrolled, on="learner_id")
        .with_columns(begun=(pl.col("starts_us") <= pl.col("at_us")).fill_null(value=False))
        .sort(
            pl.col("begun").not_(),
            pl.when("begun").then(-pl.col("starts_us")).otherwise(0),
            pl.when("begun").then(pl.lit("")).otherwise(pl.col("enrolled")),
            descending=[False, False, False],
        )
        .group_by("learner_id", "resource_id", maintain_order=True)
        .agg(pl.col("enrolled").first())
    )
    return first.join(choice, on=["learner_id", "resource_id"], how="left").with_columns(
        class_id=pl.coalesce("class_id", "enrolled", pl.lit(""))
    )
