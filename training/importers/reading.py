"""Rows of a CSV, JSONL or Parquet file, a bounded number at a time."""

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec
import polars as pl
import pyarrow as pa

from engine.domain.errors import BadLog
from training.log_columns import without_float_ids
from training.log_scan import parquet_chunks
from training.log_schema import PROBLEM, ROW, is_id

CHUNK = 32_768
Progress = Callable[[float], None]
_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# A quote that is never closed would swallow the file; no honest cell is this long.
csv.field_size_limit(1 << 20)


def silent(_share: float) -> None:
    """Tell nobody."""


def read_chunks(path: Path, *, progress: Progress, kind: str | None = None) -> Iterator[pl.DataFrame]:
    """The rows of a file, or of all Parquet files in a folder, with the columns that the file has.

    Cells of a CSV are text, empty ones null. Each row has its number in the column `ROW`, from 1, and where it could
    not be read the reason in the column `PROBLEM`.
    `progress` is told the share read; `kind` is csv, tsv, raw_tsv (without quotes), jsonl or parquet, else found out.

    Raises:
        BadLog: nothing there, nothing in it, or not the kind of file it seems to be.
    """
    files = _files(path)
    for place, file in enumerate(files):
        read = _READERS[kind or _kind(file)]
        yield from _in_words(file, read(file, _part_of(progress, place, len(files))))
    progress(1.0)


def read_whole(path: Path, *, kind: str | None = None) -> pl.DataFrame:
    """All rows of a file that fits into memory: a table of the catalogue."""
    frames = list(read_chunks(path, progress=silent, kind=kind))
    return pl.concat(frames, how="diagonal_relaxed")


def _part_of(progress: Progress, place: int, n_files: int) -> Progress:
    return lambda share: progress((place + share) / n_files)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise BadLog(f"{path} does not exist; check the path")
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.parquet"))
    if not files:
        raise BadLog(f"{path} is a folder without Parquet files; name a CSV, JSONL or Parquet file")
    return files


def _kind(file: Path) -> str:
    with file.open("rb") as opened:
        start = opened.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    if not start:
        raise BadLog(f"{file} is empty; export it again")
    if start.startswith(b"PAR1"):
        return "parquet"
    if start.startswith(b"[") and file.suffix.lower() in (".json", ".jsonl", ".ndjson"):
        raise BadLog(f"{file} is one JSON list; write one object per line (JSONL) instead")
    return _SUFFIXES.get(file.suffix.lower()) or ("jsonl" if start.startswith(b"{") else "csv")


def _in_words(file: Path, chunks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same chunks, with what goes wrong said in one sentence."""
    n_rows = 0
    try:
        for chunk in chunks:
            yield chunk.with_columns(
                chunk[ROW] if ROW in chunk.columns else pl.int_range(n_rows + 1, n_rows + len(chunk) + 1).alias(ROW),
                chunk[PROBLEM] if PROBLEM in chunk.columns else pl.lit(None, pl.String).alias(PROBLEM),
            )
            n_rows += len(chunk)
    except UnicodeDecodeError:
        raise BadLog(f"{file} is not UTF-8 text; save it as CSV in UTF-8 and import it again") from None
    except csv.Error as problem:
        raise BadLog(f"{file} is not readable as CSV ({problem}); check its quotes and separators") from None
    except (pa.ArrowException, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise
        raise BadLog(f"{file} is cut off or no Parquet file; write it again ({str(problem).splitlines()[0]})") from None
    if not n_rows:
        raise BadLog(f"{file} holds no rows; export it again")


def _parquet(file: Path, progress: Progress) -> Iterator[pl.DataFrame]:
    n_seen, n_rows = 0, None
    for chunk in parquet_chunks(file):
        n_rows = n_rows or pa.parquet.read_metadata(file).num_rows
        n_seen += len(chunk)
        yield chunk
        progress(n_seen / n_rows)


def _jsonl(file: Path, progress: Progress) -> Iterator[pl.DataFrame]:
    first = 1
    with file.open("rb") as lines:
        size = file.stat().st_size
        filled = (line for line in lines if not line.isspace())
        while batch := list(islice(filled, CHUNK)):
            yield _frame_of_objects([_object(line) for line in batch], first)
            first += len(batch)
            progress(lines.tell() / size)


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        decoded = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _frame_of_objects(objects: list[dict[str, Any] | None], first: int) -> pl.DataFrame:
    names = dict.fromkeys(name for row in objects if row is not None for name in row)
    columns = [_series(name, [None if row is None else row.get(name) for row in objects]) for name in names]
    problems = ["the line is not a JSON object" if row is None else None for row in objects]
    rows = pl.Series(ROW, range(first, first + len(objects)), pl.Int64)
    return pl.DataFrame([*columns, rows, pl.Series(PROBLEM, problems, pl.String)])


def _series(name: str, values: list[Any]) -> pl.Series:
    """A column of the one type its values have; text where they differ or are whole numbers, JSON text of objects."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {list}:
        return pl.Series(name, [v if v is None else [_words(e) for e in v] for v in values], pl.List(pl.String))
    if kinds in ({str}, {bool}, {float}, {float, int}, set()):
        return pl.Series(name, values, pl.Float64 if float in kinds else None)
    return pl.Series(name, [_words(value) for value in values], pl.String)


def _words(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def _separated(separator: str, *, quoted: bool = True) -> Callable[[Path, Progress], Iterator[pl.DataFrame]]:
    def read(file: Path, progress: Progress) -> Iterator[pl.DataFrame]:
        with file.open("rb") as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            rows = csv.reader(
                text, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=True
            )
            header = _header(next(rows, []), file)
            yield from _cells(rows, header, _progress_of(raw, file, progress))

    return read


def _cells(rows: Iterator[list[str]], header: list[str], tell: Callable[[], None]) -> Iterator[pl.DataFrame]:
    first = 1
    filled = (row for row in rows if row)
    while batch := list(islice(filled, CHUNK)):
        yield _frame_of_cells(batch, header, first)
        first += len(batch)
        tell()


def _progress_of(raw: IO[bytes], file: Path, progress: Progress) -> Callable[[], None]:
    size = file.stat().st_size
    return lambda: progress(raw.tell() / size)


def _header(names: list[str], file: Path) -> list[str]:
    names = [name.strip() for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadLog(f"{file} has the column {twice[0] or 'without a name'} twice; rename one of them")
    return names


def _frame_of_cells(batch: list[list[str]], header: list[str], first: int) -> pl.DataFrame:
    width = len(header)
    numbers = range(first, first + len(batch))
    whole = [(number, row) for number, row in zip(numbers, batch, strict=True) if len(row) == width]
    columns = zip(*(row for _, row in whole), strict=True) if whole else ([] for _ in header)
    cells = [_column(name, values) for name, values in zip(header, columns, strict=True)]
    frame = pl.DataFrame([*cells, pl.Series(ROW, [number for number, _ in whole], pl.Int64)])
    pairs = zip(numbers, batch, strict=True)
    broken = [
        (number, f"the row has {len(row)} cells, the header {width}") for number, row in pairs if len(row) != width
    ]
    if not broken:
        return frame
    told = pl.DataFrame(broken, schema={ROW: pl.Int64, PROBLEM: pl.String}, orient="row")
    return pl.concat([frame, told], how="diagonal")


def _column(name: str, values: Any) -> pl.Series:
    cells = pl.Series(name, values, pl.String)
    cells = cells.set(cells == "", None)
    return without_float_ids(cells) if is_id(name) else cells


_READERS = {
    "csv": _separated(","),
    "tsv": _separated("\t"),
    "raw_tsv": _separated("\t", quoted=False),
    "jsonl": _jsonl,
    "parquet": _parquet,
}
