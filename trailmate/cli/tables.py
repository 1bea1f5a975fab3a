"""Small tables in and out, by the ending of their file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def table_at(path: Path, needed: list[str]) -> "pl.DataFrame":
    """A small table by its ending, ids as text.

    Raises:
        BadInput: no such file, not of its ending's format, a needed column missing.
    """
    import polars as pl

    from engine.domain.errors import BadInput

    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
        ".ndjson": pl.read_ndjson,
        ".parquet": pl.read_parquet,
    }
    if not path.exists():
        raise BadInput(f"{path} does not exist: name a file with {' and '.join(needed)}")
    if path.suffix not in readers or not path.is_file():
        raise BadInput(f"{path} is not a CSV, JSONL or Parquet file: give one with {' and '.join(needed)}")
    try:
        rows = readers[path.suffix](path)
    except (pl.exceptions.PolarsError, OSError, ValueError):
        raise BadInput(f"{path} cannot be read as {path.suffix[1:]}: write it again") from None
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        raise BadInput(f"{path} has no column {missing[0]}; it needs {' and '.join(needed)}")
    return rows.with_columns(pl.col(needed).cast(pl.String))


def written(rows: "pl.DataFrame", out: Path) -> str:
    """Aside first, then in its place, so that nobody reads half a file; what it is now, Parquet by any other ending."""
    aside = out.with_name(f".{out.name}.incoming")
    writers: dict[str, tuple[Callable[[Path], object], str]] = {
        ".csv": (rows.write_csv, "CSV"),
        ".jsonl": (rows.write_ndjson, "JSONL"),
        ".ndjson": (rows.write_ndjson, "JSONL"),
    }
    write, name = writers.get(out.suffix, (rows.write_parquet, "Parquet"))
    write(aside)
    aside.replace(out)
    return name
