"""The answers and exposures of a log as the learner model's rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.learner.rows import (
    LONGEST_S,
    MINUTE_US,
    TAUGHT_KINDS,
    Rows,
    Vocabulary,
    item_key,
    rows_from,
    skill_key,
)
from training.answered import answers_of
from training.log import Log

# A resource's own range of times: four times its median, an hour-long window left open being no reading time.
_BEYOND_MEDIAN = 4.0
_ENDLESS_S = 14_400.0
# Stands in no id: the log refuses it nowhere, but no school writes it either.
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Rows of many learners: those of learner `l` are `learner_ptr[l]:learner_ptr[l + 1]`.

    `frame` has one row for each, in the same order: learner_id, item, skills, at, order, outcome, duration_s and
    whatever else was given.
    """

    frame: pl.DataFrame
    learner_ptr: NDArray[np.int64]
    rows: Rows

    @property
    def n_learners(self) -> int:
        """How many learners there are."""
        return len(self.learner_ptr) - 1

    @property
    def learner(self) -> NDArray[np.int64]:
        """Which learner each row is of: `(len(rows),)`."""
        return np.repeat(np.arange(self.n_learners), np.diff(self.learner_ptr))


def frame_of(log: Log) -> pl.DataFrame:
    """The log's answers and exposures, each learner's in sequence; skills are the event's own or its resource's."""
    theirs = log.resources().lazy().select("resource_id", resource_skills="skills")
    return (
        log.interactions()
        .filter(pl.col("kind").is_in(list(TAUGHT_KINDS)) & pl.col("resource_id").is_not_null())
        .select("learner_id", "resource_id", "item_id", "skills", "at", "order", "outcome", "duration_s", "event_id")
        .join(theirs, on="resource_id", how="left")
        .with_columns(item=pl.coalesce("item_id", "resource_id"), skills=pl.coalesce("skills", "resource_skills"))
        .drop("item_id", "resource_skills")
        .sort("learner_id", "at", pl.col("order").fill_null(0), "event_id", nulls_last=False)
        .collect()
    )


def attempts_of(frame: pl.DataFrame, vocabulary: Vocabulary) -> Attempts:
    """The rows of a frame whose learners' rows stand together, each learner's in sequence.

    Columns: learner_id, item, skills, at, outcome, duration_s.
    """
    lengths = frame["learner_id"].rle().struct.field("len").to_numpy() if len(frame) else np.empty(0, np.int64)
    skill_ptr, skill_keys = _skills(frame["skills"])
    rows = rows_from(
        t=_minutes(frame["at"]),
        y=frame["outcome"].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy(),
        seconds=frame["duration_s"].cast(pl.Float64).fill_null(float("nan")).to_numpy().copy(),
        item_key=keys_of(frame["item"], item_key),
        skill_ptr=skill_ptr,
        skill_key=skill_keys,
        vocabulary=vocabulary,
    )
    return Attempts(frame, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), rows)


def vocabulary_of(frame: pl.DataFrame, minutes: Mapping[str, float]) -> Vocabulary:
    """The items and skills of a frame, each item's own range of times, and whether it is ever answered.

    `minutes` are declared ones by id.
    """
    usable = pl.col("duration_s").is_between(0, _ENDLESS_S, closed="right")
    items = (
        frame.lazy()
        .group_by("item")
        .agg(median=pl.col("duration_s").filter(usable).cast(pl.Float64).median())
        .collect()
    )
    declared = np.array([minutes.get(x, 0.0) * 60.0 for x in items["item"].to_list()])
    median = items["median"].fill_null(0.0).to_numpy()
    longest = np.clip(_BEYOND_MEDIAN * np.maximum(median, declared), LONGEST_S, _ENDLESS_S)
    keys = np.array([item_key(x) for x in items["item"].to_list()], np.uint64)
    order = np.argsort(keys)
    skills = frame["skills"].explode(empty_as_null=True).drop_nulls().unique().to_list()
    skill_keys = np.sort(np.array([skill_key(s) for s in skills], np.uint64))
    answered = answers_of(frame, items["item"])
    return Vocabulary(keys[order], skill_keys, longest[order], (median > 0)[order], answered[order])


def keys_of(ids: pl.Series, key: Callable[[str], int]) -> NDArray[np.uint64]:
    """The keys of ids, each distinct id hashed once: `(n,)` uint64."""
    distinct = ids.unique()
    keys = pl.Series([key(x) for x in distinct.to_list()], dtype=pl.UInt64)
    return ids.replace_strict(distinct, keys, return_dtype=pl.UInt64).to_numpy().copy()


def _skills(lists: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Where each row's skills begin, and all of them: each skill once in a row, in the order of their ids."""
    if not len(lists):
        return np.zeros(1, np.int64), np.empty(0, np.uint64)
    joined = lists.list.join(_BETWEEN).fill_null("")
    distinct = joined.unique()
    keys = [[skill_key(x) for x in sorted(set(text.split(_BETWEEN))) if x] for text in distinct.to_list()]
    which = joined.replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.Int64).to_numpy()
    lengths = np.array([len(k) for k in keys], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.array([x for k in keys for x in k], np.uint64)
    ptr = np.concatenate([[0], np.cumsum(lengths[which])])
    place = np.arange(ptr[-1]) - np.repeat(ptr[:-1], lengths[which]) + np.repeat(starts[which], lengths[which])
    return ptr, flat[place]


def _minutes(at: pl.Series) -> NDArray[np.float64]:
    us = at.dt.epoch("us") if at.dtype != pl.Null else at.cast(pl.Int64)
    return (us.cast(pl.Float64) / MINUTE_US).fill_null(float("nan")).to_numpy().copy()
