"""What may enter the log: rows brought to its types, and the reason where one cannot be kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from engine.domain.errors import BadLog
from engine.domain.interaction import CLOCK_TOLERANCE, EARLIEST_AT, KINDS, MAX_ID_BYTES, MAX_WITH, RESOURCE_KINDS
from training.log_columns import WANTED, readable, wanted_of
from training.log_content import event_ids
from training.log_schema import (
    CATALOGUE,
    CATALOGUE_DEFAULTS,
    PROBLEM,
    ROW,
    id_column,
    interactions_schema,
)

CHECKED_IDS = ("event_id", "learner_id", "resource_id", "item_id", "class_id", "decision_id", "group_id", "voids")
NEEDED = ("learner_id", "resource_id")


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that can be kept, in the log's types; rows that cannot, as (row, event_id, reason); what else was seen.

    Kept interactions carry their row number as the column `ROW` beside the log's own columns.
    """

    kept: pl.DataFrame
    rejected: pl.DataFrame
    n_repaired: int
    unknown_columns: tuple[str, ...]


def checked_interactions(frame: pl.DataFrame, *, source: str, now: datetime, first_row: int = 1) -> Checked:
    """Interactions of any types as the log wants them; rows count from `first_row` unless the reader numbered them.

    Raises:
        BadLog: a needed column is missing, or a column's type can never be read.
    """
    require_columns(frame.columns, NEEDED, what="the interactions")
    wide, reason = _read(_numbered(frame, first_row), interactions_schema)
    wide = wide.with_columns(
        kind=pl.col("kind").fill_null(
            pl.when(pl.col("outcome").is_null()).then(pl.lit("viewed")).otherwise(pl.lit("attempted"))
        )
    )
    reason = pl.select(pl.coalesce(reason, wide.select(reason_to_reject(now)).to_series())).to_series()
    usable = wide.select(usable_duration(pl.col("duration_s"))).to_series()
    n_repaired = int((wide["duration_s"].is_not_null() & usable.is_null() & reason.is_null()).sum())
    good = reason.is_null()
    kept = _narrow(wide.with_columns(usable.alias("duration_s")).filter(good), interactions_schema)
    kept = kept.with_columns(event_ids(kept), pl.col("source").fill_null(source), wide.filter(good)[ROW])
    rejected = pl.DataFrame({"row": wide[ROW], "event_id": wide["event_id"], "reason": reason}).filter(~good)
    return Checked(kept, rejected, n_repaired, _unknown(frame.columns, interactions_schema))


def checked_catalogue(frame: pl.DataFrame, table: str, *, first_row: int = 1) -> Checked:
    """Rows of a catalogue table as the log wants them; of rows with the same id the last one is kept."""
    schema, x_id = CATALOGUE[table], id_column(table)
    require_columns(frame.columns, (x_id,), what=f"the table of {table}")
    wide, reason = _read(_numbered(frame, first_row), schema)
    bad_id = pl.when(_bad_id(x_id)).then(pl.lit(f"{x_id} must have 1 to {MAX_ID_BYTES} bytes"))
    missing = pl.when(pl.col(x_id).is_null()).then(pl.lit(f"{x_id} is missing"))
    reason = pl.select(pl.coalesce(reason, wide.select(pl.coalesce(missing, bad_id)).to_series())).to_series()
    good = reason.is_null()
    kept = complete(_narrow(wide.filter(good), schema), table)
    rejected = pl.DataFrame({"row": wide[ROW], "event_id": wide[x_id], "reason": reason}).filter(~good)
    return Checked(kept.unique(x_id, keep="last", maintain_order=True), rejected, 0, _unknown(frame.columns, schema))


def complete(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """A catalogue table with its defaults in place of empty cells: no text, no list and no title is null."""
    fills = [pl.col(name).fill_null([]) for name, dtype in CATALOGUE[table].items() if isinstance(dtype, pl.List)]
    fills += [pl.col(name).fill_null(value) for name, value in CATALOGUE_DEFAULTS.items() if name in frame.columns]
    if table in ("resources", "skills"):
        fills.append(pl.col("title").fill_null(pl.col(id_column(table))))
    if table == "resources":
        fills.append(usable_duration(pl.col("minutes")))
    return frame.with_columns(fills)


def reason_to_reject(now: datetime) -> pl.Expr:
    """`engine.domain.interaction.reason_to_reject` over columns (floats still Float64): text, null where acceptable."""
    c = pl.col
    known_kind, engaged = c("kind").is_in(KINDS), c("kind").is_in(sorted(RESOURCE_KINDS))
    of_a_peer = (c("kind") == "accepted") & (c("with_learner_ids").list.len().fill_null(0) > 0)
    outcome_fits = c("outcome").is_finite() & (c("outcome") >= 0) & (c("outcome") <= 1)
    rules: list[tuple[pl.Expr, pl.Expr | str]] = [(c("learner_id").is_null(), "learner_id is missing")]
    rules += [(_bad_id(name), f"{name} must have 1 to {MAX_ID_BYTES} bytes") for name in CHECKED_IDS]
    rules += [
        (~known_kind, "kind is not one of the known kinds"),
        (c("resource_id").is_null() & engaged & ~of_a_peer, pl.format("resource_id is missing for kind {}", "kind")),
        (c("with_learner_ids").list.len() > MAX_WITH, f"with_learner_ids must name at most {MAX_WITH} learners"),
        ((c("kind") == "voided") & c("voids").is_null(), "voids is missing for kind voided"),
        (~outcome_fits, "outcome must lie in [0, 1]"),
        (c("at") > now + CLOCK_TOLERANCE, "at lies more than a day in the future"),
        (c("at") < EARLIEST_AT, "at lies before the year 1900"),
    ]
    says = [pl.when(broken).then(pl.lit(text) if isinstance(text, str) else text) for broken, text in rules]
    return pl.coalesce(says).alias("reason")


def usable_duration(duration_s: pl.Expr) -> pl.Expr:
    """`engine.domain.interaction.usable_duration` over a column, of what a Float32 can hold."""
    narrow = duration_s.cast(pl.Float32, strict=False)
    return pl.when(narrow.is_finite() & (narrow >= 0)).then(narrow)


def require_columns(names: Iterable[str], needed: Iterable[str], *, what: str) -> None:
    """Refuse a table without the columns it cannot do without."""
    given = [name for name in names if name not in (ROW, PROBLEM)]
    missing = [name for name in needed if name not in given]
    if missing:
        lacks = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        raise BadLog(
            f"{what} must have {_columns(needed)}, and {lacks} "
            f"(found: {', '.join(given[:20]) or 'none'}): rename the columns, or add what is missing"
        )


def _columns(names: Iterable[str]) -> str:
    listed = list(names)
    return f"the column{'s' if len(listed) > 1 else ''} {', '.join(listed)}"


def _bad_id(name: str) -> pl.Expr:
    n_bytes = pl.col(name).str.len_bytes()
    return (n_bytes == 0) | (n_bytes > MAX_ID_BYTES)


def _numbered(frame: pl.DataFrame, first_row: int) -> pl.DataFrame:
    if ROW not in frame.columns:
        frame = frame.with_columns(pl.int_range(first_row, first_row + pl.len(), dtype=pl.Int64).alias(ROW))
    if PROBLEM not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(PROBLEM))
    return frame


def _read(frame: pl.DataFrame, schema: pl.Schema) -> tuple[pl.DataFrame, pl.Series]:
    """All columns of the schema, floats and whole numbers still wide, and per row what could not be read."""
    columns = [frame[ROW]]
    problems = [pl.col(PROBLEM)]
    for name, dtype in schema.items():
        given = frame[name] if name in frame.columns else pl.Series(name, [None] * len(frame), dtype)
        wanted = wanted_of(dtype)
        if wanted == "text" and given.dtype.is_float():
            given = given.fill_nan(None)
        read = _fitting(readable(given, wanted), dtype)
        columns.append(read)
        if (given.is_not_null() & read.is_null()).any():
            text = f"{name} is not {WANTED[wanted]}"
            problems.append(pl.when(given.is_not_null() & read.is_null()).then(pl.lit(text)))
    return pl.DataFrame(columns), frame.select(pl.coalesce(problems).alias("reason")).to_series()


def _narrow(wide: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return wide.select(pl.col(name).cast(dtype, strict=False) for name, dtype in schema.items())


def _fitting(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Whole numbers too large for the log's column become null here, so that they are rejected and not wrapped."""
    return column.cast(dtype, strict=False) if dtype.is_integer() else column


def _unknown(names: Iterable[str], schema: pl.Schema) -> tuple[str, ...]:
    return tuple(sorted(n for n in names if n not in schema and n not in (ROW, PROBLEM)))
