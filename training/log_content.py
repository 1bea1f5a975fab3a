"""What an event says, as stable text and digests: default ids and fingerprints stand on it."""

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.log_schema import interactions_schema

# Where an event came from is not what happened: the same file under another name holds the same events.
CONTENT = tuple(name for name in interactions_schema.names() if name not in ("event_id", "source"))
_LANES = 4


def content_texts(frame: pl.DataFrame, names: Iterable[str]) -> pl.Series:
    """One text per row, the same on every machine and version; columns without a value leave no trace."""
    parts = [_part(name, frame.schema[name]) for name in names if frame[name].null_count() < len(frame)]
    if not parts:
        return pl.Series([""] * len(frame), dtype=pl.String)
    return frame.select(pl.concat_str(parts, ignore_nulls=True)).to_series()


def event_ids(frame: pl.DataFrame) -> pl.Series:
    """The ids of canonical interactions; where there is none, the hash of the row's content and stated source."""
    given = frame["event_id"]
    absent = given.is_null()
    if not absent.any():
        return given
    texts = content_texts(frame.filter(absent), (*CONTENT, "source"))
    made = pl.Series([hashlib.sha256(t.encode()).hexdigest()[:32] for t in texts], dtype=pl.String)
    return given.scatter(absent.arg_true(), made) if len(made) else given


def digest_sum(frame: pl.DataFrame) -> NDArray[np.uint64]:
    """The sum over rows of their SHA-256 as four 64-bit lanes `(4,)`: whatever order or parts the rows come in."""
    texts = content_texts(frame, ("event_id", *CONTENT))
    digests = b"".join(hashlib.sha256(t.encode()).digest() for t in texts)
    lanes = np.frombuffer(digests, dtype="<u8").reshape(-1, _LANES)
    return np.asarray(lanes.sum(axis=0, dtype=np.uint64), dtype=np.uint64)


def hexadecimal(lanes: NDArray[np.uint64]) -> str:
    """Four lanes as 64 hexadecimal digits."""
    return lanes.astype("<u8").tobytes().hex()


def lanes_of(text: str) -> NDArray[np.uint64]:
    """The way back from `hexadecimal`."""
    return np.frombuffer(bytes.fromhex(text), dtype="<u8").astype(np.uint64)


def _part(name: str, dtype: pl.DataType) -> pl.Expr:
    """`name:length:value` where there is a value: the length keeps neighbours from running into each other."""
    column = pl.col(name)
    if isinstance(dtype, pl.List):
        text = column.list.join("\x1f")
    elif dtype == pl.Float32:
        # The bits, not the digits: how floats are printed changes between versions. Zero has no sign here.
        unsigned = pl.when(column == 0).then(pl.lit(0.0, pl.Float32)).otherwise(column)
        text = unsigned.reinterpret(dtype=pl.UInt32).cast(pl.String)
    elif isinstance(dtype, pl.Datetime):
        text = column.to_physical().cast(pl.String)
    else:
        text = column.cast(pl.String)
    return pl.when(column.is_not_null()).then(pl.format(name + ":{}:{}", text.str.len_bytes(), text))
