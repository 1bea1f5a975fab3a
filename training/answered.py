"""What of a log is ever answered: a check or a question falls on a quiz, not on a film."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

# What was met so often and never answered is not expected to be: by the rule of succession with a chance below one in
# seven.
LEAST_MET = 5


def answers_of(frame: pl.DataFrame, items: pl.Series) -> NDArray[np.int8]:
    """For each of these items, all of them in the frame: 1 where it was ever answered, -1 where it was met often and
    never was, 0 where too little is known; `(n_items,)`.

    Columns of the frame: item, outcome, and perhaps resource_id; who answers an item inside a resource answers it, too.
    """
    counted = frame.group_by("item").agg(n=pl.len(), answers=_answered().sum())
    inside = pl.Series(dtype=pl.String)
    if "resource_id" in frame.columns:
        inside = frame.filter(_answered())["resource_id"].unique()
    counted = counted.with_columns(told=_told(ever=(pl.col("answers") > 0) | pl.col("item").is_in(inside.to_list())))
    told = dict(counted.select("item", "told").iter_rows())
    return np.array([told[item] for item in items.to_list()], np.int8)


def silent_formats(frame: pl.DataFrame, formats: Mapping[str, str]) -> frozenset[str]:
    """The formats that were met often and never answered; `formats` are those of resources, by id."""
    known = pl.DataFrame(
        {"resource_id": list(formats), "format": list(formats.values())},
        schema={"resource_id": pl.String, "format": pl.String},
    )
    counted = frame.join(known, on="resource_id").group_by("format").agg(n=pl.len(), answers=_answered().sum())
    return frozenset(counted.filter(_told(ever=pl.col("answers") > 0) == -1)["format"].to_list())


def _answered() -> pl.Expr:
    outcome = pl.col("outcome").cast(pl.Float64)
    return outcome.is_not_null() & outcome.is_not_nan()


def _told(*, ever: pl.Expr) -> pl.Expr:
    return pl.when(ever).then(1).when(pl.col("n") >= LEAST_MET).then(-1).otherwise(0)
