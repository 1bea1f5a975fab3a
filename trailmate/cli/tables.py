"""Small tables in and out, by the ending of their file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import polars as pl

# The formats of a table that is written, by its ending.
_FORMS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSONL", ".ndjson": "JSONL"}


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


def require_writable(out: Path) -> None:
    """Pass where a table can be written there, before any work is done for it.

    Raises:
        BadParameter: another ending, or no such folder.
    """
    if out.suffix.lower() not in _FORMS:
        raise typer.BadParameter(
            f"{out.name} ends in none of {', '.join(_FORMS)}: the ending says the format", param_hint="--out"
        )
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} is not a folder: make it first", param_hint="--out")


def written(rows: "pl.DataFrame", out: Path) -> str:
    """Aside first, then in its place, so that nobody reads half a file; what it is now, by its ending."""
    aside, form = out.with_name(f".{out.name}.incoming"), _FORMS[out.suffix.lower()]
    writers: dict[str, Callable[[Path], object]] = {
        "CSV": rows.write_csv,
        "JSONL": rows.write_ndjson,
        "Parquet": rows.write_parquet,
    }
    writers[form](aside)
    aside.replace(out)
    return form
