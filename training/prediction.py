"""Predict attempts one by one, each from what came before it alone."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.bundle import read_bundle
from engine.domain.errors import BadInput
from engine.learner.kernels import encode
from engine.learner.model import LearnerModel, Outlook, learner_model_of
from training.attempts import Attempts, attempts_of, frame_of
from training.importers.reading import read_chunks
from training.log import Log
from training.log_columns import readable

Report = Callable[[str, float], None]

# Rows whose features are held at a time by each of two threads.
_CHUNK = 20_000
_COLUMNS = {
    "learner_id": "text", "resource_id": "text", "item_id": "text", "skills": "list", "at": "time",
    "order": "whole number", "outcome": "number", "duration_s": "number",
}  # fmt: skip
_TYPES = {"text": pl.String(), "list": pl.List(pl.String()), "time": pl.Datetime("us", "UTC"),
          "whole number": pl.Int64(), "number": pl.Float64()}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Predicted:
    """One row per row of the file, in its order: row_id, p, log_seconds_mean, log_seconds_sd; and what was mended."""

    rows: pl.DataFrame
    mended: dict[str, int]


def predict_file(bundle: Path, attempts: Path, *, report: Report) -> Predicted:
    """Predictions for a file of attempts; every learner starts fresh.

    A row's own outcome and duration are never read for it. A row without a learner stands alone; an outcome outside
    [0, 1] tells nothing.

    Raises:
        BadInput: the file has no column that says who, or on what.
        BadLog: the file cannot be read.
    """
    report("reading the attempts", 0.0)
    model = learner_model_of(read_bundle(bundle))
    frame, row_ids, mended = _read(attempts)
    outlook = outlook_of(attempts_of(frame, model.vocabulary), model, report=report)
    back = np.empty(len(frame), np.int64)
    back[frame["place"].to_numpy()] = np.arange(len(frame))
    columns = {name: getattr(outlook, name)[back] for name in Outlook.__dataclass_fields__}
    return Predicted(pl.DataFrame({"row_id": row_ids, **columns}), mended)


def predictions_of(bundle: Path, log: Log, report: Report) -> pl.DataFrame:
    """Predictions for every answer and exposure of a log, each learner's in sequence, beside what became of them."""
    model = learner_model_of(read_bundle(bundle))
    attempts = attempts_of(frame_of(log), model.vocabulary)
    outlook = outlook_of(attempts, model, report=report)
    # What counts as an outcome and as a believable time is what the model itself goes by.
    return attempts.frame.with_columns(
        row_id=pl.int_range(pl.len(), dtype=pl.Int64),
        outcome=pl.Series(attempts.rows.y).fill_nan(None),
        duration_s=pl.Series(attempts.rows.seconds).fill_nan(None),
        **{name: pl.Series(getattr(outlook, name)) for name in Outlook.__dataclass_fields__},
    )


def outlook_of(attempts: Attempts, model: LearnerModel, *, report: Report) -> Outlook:
    """What the model says before each row: `(len(attempts.rows),)`."""
    said = [np.empty(len(attempts.rows)) for _ in Outlook.__dataclass_fields__]
    chunks = _chunks(attempts.learner_ptr)

    def one(chunk: tuple[int, int]) -> None:
        first, last = attempts.learner_ptr[list(chunk)]
        outlook = _outlook(attempts, model, chunk)
        for name, whole in zip(Outlook.__dataclass_fields__, said, strict=True):
            whole[first:last] = getattr(outlook, name)

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(pool.map(one, chunks)):
            report("predicting", (done + 1) / len(chunks))
    return Outlook(*said)


def _outlook(attempts: Attempts, model: LearnerModel, chunk: tuple[int, int]) -> Outlook:
    first, last = (int(x) for x in attempts.learner_ptr[list(chunk)])
    folds = np.zeros(attempts.n_learners, np.int32)
    kept = np.arange(len(attempts.rows), dtype=np.int64) - first
    out = np.empty((last - first, len(model.columns)), np.float32)
    encode(
        model.prepared, attempts.rows, attempts.learner_ptr,
        folds=folds, columns=model.columns, kept=kept, learners=chunk, out=out,
    )  # fmt: skip
    return model.outlook(out, attempts.rows.item_row[first:last])


def _chunks(learner_ptr: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Learners in runs of about as many rows."""
    chunks, first = [], 0
    while first < len(learner_ptr) - 1:
        last = int(np.searchsorted(learner_ptr, learner_ptr[first] + _CHUNK))
        last = min(max(last, first + 1), len(learner_ptr) - 1)
        chunks.append((first, last))
        first = last
    return chunks


def _read(path: Path) -> tuple[pl.DataFrame, pl.Series, dict[str, int]]:
    """The rows in each learner's own sequence with their `place` in the file, the ids of the file's rows, and what
    had to be mended."""
    given = pl.concat(read_chunks(path, progress=lambda _: None), how="diagonal_relaxed")
    if "learner_id" not in given.columns or not {"resource_id", "item_id"} & set(given.columns):
        raise BadInput(f"{path} needs a column learner_id, and resource_id or item_id: name them so")
    columns = [
        readable(given[name], kind) if name in given.columns else pl.Series(name, [None] * len(given), _TYPES[kind])
        for name, kind in _COLUMNS.items()
    ]
    place = pl.int_range(pl.len(), dtype=pl.Int64)
    frame = pl.DataFrame(columns).with_columns(place=place, item=pl.coalesce("item_id", "resource_id"))
    told = pl.col("outcome").is_between(0.0, 1.0)
    mended = {
        "rows without a learner": int(frame["learner_id"].null_count()),
        "rows without a resource or item": int(frame["item"].null_count()),
        "outcomes outside [0, 1]": int(frame.select((~told).sum()).item()),
        "cells that could not be read": sum(_unread(given, read) for read in columns),
    }
    alone = pl.format("\x1f{}", "place")
    frame = frame.with_columns(
        pl.col("learner_id").fill_null(alone), pl.col("item").fill_null(""), outcome=pl.when(told).then("outcome")
    )
    ids = given["row_id"] if "row_id" in given.columns else frame["place"].rename("row_id")
    ordered = frame.sort("learner_id", "at", pl.col("order").fill_null(0), "place", nulls_last=False)
    return ordered, ids, {what: n for what, n in mended.items() if n}


def _unread(given: pl.DataFrame, read: pl.Series) -> int:
    """How many cells of a column said something that could not be understood."""
    return 0 if read.name not in given.columns else int(read.null_count() - given[read.name].null_count())
