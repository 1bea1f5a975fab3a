"""Foreign columns brought to the log's types, whatever wrote them."""

import polars as pl

from engine.domain.errors import BadLog

_TEXTS = pl.List(pl.String())
_WHOLE_FLOAT = r"^-?\d+\.0+$"
# Date, time of day, seconds and fraction, offset: ISO 8601 as apps really write it, with a blank for the T as well.
_TIME = (
    r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?([.,]\d{1,9})?)?"
    r"\s*(?:(?:Z|z|UTC)|([+-]\d{2}):?(\d{2}))?\s*$"
)

WANTED = {
    "text": "text",
    "number": "a number",
    "whole number": "a whole number",
    "time": "a time; write it as 2026-11-23T10:00:00Z",
    "list": "a list of texts",
    "truth": "true or false",
}


def wanted_of(dtype: pl.DataType) -> str:
    """The word for what a column of this type should hold."""
    if isinstance(dtype, pl.Datetime):
        return "time"
    if isinstance(dtype, pl.List):
        return "list"
    if isinstance(dtype, pl.Boolean):
        return "truth"
    if dtype.is_float():
        return "number"
    return "whole number" if dtype.is_integer() else "text"


def readable(column: pl.Series, wanted: str) -> pl.Series:
    """The column as text, Float64, Int64, time in UTC, list of texts or Boolean; null where a cell cannot be that.

    Raises:
        BadLog: no cell of a column of this type could ever be read.
    """
    read = {"text": _text, "number": _number, "whole number": _whole, "time": _time, "list": _texts, "truth": _truth}
    if column.dtype == pl.Null:
        column = column.cast(pl.String)
    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        column = column.cast(pl.String)
    result = read[wanted](column)
    if result is None:
        wish = f"it must hold {WANTED[wanted]}: convert it and try again"
        raise BadLog(f"column {column.name} holds {column.dtype}; {wish}")
    return result


def without_float_ids(column: pl.Series) -> pl.Series:
    """Ids of a text file that a table library turned into floats ("5.0") as the whole numbers they were."""
    floats = column.drop_nulls()
    if floats.is_empty() or not floats.str.contains(_WHOLE_FLOAT).all():
        return column
    return column.str.replace(r"\.0+$", "")


def _text(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        return column
    if column.dtype.is_float() or column.dtype.is_decimal():
        return _whole(column).cast(pl.String)
    return column.cast(pl.String) if column.dtype.is_integer() else None


def _number(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Float64, strict=False)
    return column.cast(pl.Float64) if column.dtype.is_numeric() or column.dtype == pl.Boolean else None


def _whole(column: pl.Series) -> pl.Series:
    if column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    if column.dtype == pl.String:
        column = column.str.strip_chars().str.replace(r"\.0+$", "")
        return column.cast(pl.Int64, strict=False)
    floats = column.cast(pl.Float64, strict=False)
    return floats.set(floats != floats.floor(), None).cast(pl.Int64, strict=False)


def _time(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        return _time_of_text(column)
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if not isinstance(column.dtype, pl.Datetime):
        return None
    zone = column.dtype.time_zone
    column = column.cast(pl.Datetime("us", zone), strict=False)
    return column.dt.replace_time_zone("UTC") if zone is None else column.dt.convert_time_zone("UTC")


def _time_of_text(column: pl.Series) -> pl.Series:
    """One form for all first: the parser takes a single format for a whole column."""
    part = column.str.extract_groups(_TIME).struct
    day, minute, second, fraction, hours, minutes = (part[i] for i in range(6))
    frame = pl.DataFrame(
        {"d": day, "m": minute.fill_null("00:00"), "s": second.fill_null(":00"),
         "f": fraction.str.replace(",", ".").fill_null(".0"),
         "z": pl.select(pl.concat_str(hours, minutes)).to_series().fill_null("+0000")}
    )  # fmt: skip
    text = frame.select(pl.format("{}T{}{}{}{}", "d", "m", "s", "f", "z")).to_series()
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False).rename(column.name)


def _texts(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.String:
        column = column.str.split(";")
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List) or column.dtype.inner.is_nested():
        return None
    element = pl.element()
    if column.dtype.inner.is_float():
        column = column.cast(pl.List(pl.Int64), strict=False)
    texts = column.list.eval(element.cast(pl.String).str.strip_chars())
    return texts.list.eval(element.filter(element.is_not_null() & (element != "")))


def _truth(column: pl.Series) -> pl.Series | None:
    if column.dtype == pl.Boolean:
        return column
    if column.dtype.is_integer():
        return column.cast(pl.String).replace_strict({"0": False, "1": True}, default=None, return_dtype=pl.Boolean)
    if column.dtype != pl.String:
        return None
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return column.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
