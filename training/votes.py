"""Who took up what first, when, and in which class: the arrays every relevance model is fitted on."""

from dataclasses import dataclass, field, replace

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
    `touch_vote`, `touch_at_us`: `(m,)` every engaged event, by the row of its vote and in time within it.
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
    touch_vote: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    touch_at_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

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

    def where(self, mask: NDArray[np.bool_], until_us: NDArray[np.int64] | None = None) -> "Votes":
        """The votes under a mask, with their touches up to a moment of each class, `NO_TIME` for all; maps stay."""
        place = np.cumsum(mask) - 1
        kept = mask[self.touch_vote]
        if until_us is not None:
            until = until_us[self.school_class[self.touch_vote]]
            kept &= (until == NO_TIME) | (self.touch_at_us <= until)
        return replace(
            self,
            learner=self.learner[mask],
            resource=self.resource[mask],
            school_class=self.school_class[mask],
            at_us=self.at_us[mask],
            touch_vote=place[self.touch_vote[kept]],
            touch_at_us=self.touch_at_us[kept],
        )


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
    touches = _touches(log, rows)
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
        touch_vote=touches["vote"].to_numpy(),
        touch_at_us=touches["at_us"].to_numpy(),
    )


def _touches(log: Log, votes: pl.DataFrame) -> pl.DataFrame:
    """Every engaged event as `vote, at_us`, in the order of votes and then in time."""
    at_us = pl.col("at").dt.epoch("us") if log.clock in ("time", "day") else pl.lit(None, pl.Int64)
    engaged = pl.col("kind").is_in(list(ENGAGED_KINDS)) & pl.col("resource_id").is_not_null()
    rows = votes.lazy().select("learner_id", "resource_id").with_row_index("vote")
    return (
        log.interactions()
        .filter(engaged)
        .select("learner_id", "resource_id", at_us=at_us)
        .join(rows, on=["learner_id", "resource_id"])
        .select(pl.col("vote").cast(pl.Int64), pl.col("at_us").fill_null(NO_TIME))
        .sort("vote", "at_us")
        .collect(engine="streaming")
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
