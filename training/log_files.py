"""Where the parts of a log lie, and how they are written: aside, flushed to disk, then renamed."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from engine.domain.errors import BadLog, Unavailable

_INCOMING = ".incoming"
_LOCK = ".lock"
_ROW_GROUP = 50_000


def interactions_file(log: Path, batch: str) -> Path:
    """The file whose appearing commits a batch."""
    return log / "interactions" / f"{batch}.parquet"


def interactions_files(log: Path) -> list[Path]:
    """The files of all batches, in the order they were imported."""
    return sorted((log / "interactions").glob("*.parquet"))


def catalogue_folder(log: Path, batch: str) -> Path:
    """Where a batch keeps what it brought to the catalogue, so that it can be taken back."""
    return log / "catalogue" / batch


def table_file(log: Path, table: str) -> Path:
    """The merged table that readers see."""
    return log / f"{table}.parquet"


@contextmanager
def writing(log: Path) -> Iterator[Path]:
    """The empty folder to write aside in, while no other process writes to this log.

    Raises:
        BadLog: the log's place is taken by a file.
        Unavailable: another process is writing to this log.
    """
    if log.exists() and not log.is_dir():
        raise BadLog(f"{log} is a file; name a folder for the log")
    is_new = not log.exists()
    (log / "interactions").mkdir(parents=True, exist_ok=True)
    with (log / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(f"another import is writing to {log}; wait until it is done") from None
        aside = log / _INCOMING
        # What an interrupted import left behind.
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            if is_new and not (log / "log.json").exists() and not interactions_files(log):
                shutil.rmtree(log, ignore_errors=True)


def put(aside: Path, place: Path) -> None:
    """Move a finished file into its place, at once or not at all, and see it safely on disk."""
    with aside.open("rb") as written:
        os.fsync(written.fileno())
    place.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(place)
    _flush_folder(place.parent)


def put_table(frame: pl.DataFrame, place: Path, *, aside: Path) -> None:
    """Write a small table as Parquet in one step."""
    temporary = aside / place.name
    with temporary.open("wb") as file:
        pq.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), file, compression="zstd")
    put(temporary, place)


def put_json(content: dict[str, Any], place: Path, *, aside: Path) -> None:
    """Write a small document in one step."""
    temporary = aside / place.name
    temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    put(temporary, place)


class TableWriter:
    """A Parquet file written part by part, in row groups of a useful size."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        """Open the file; it is complete after `close`."""
        self._file = path.open("wb")
        arrow = schema.to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        self._writer = pq.ParquetWriter(self._file, arrow, compression="zstd")
        self._waiting: list[pl.DataFrame] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        self._waiting.append(frame)
        if sum(map(len, self._waiting)) >= _ROW_GROUP:
            self._write()

    def close(self) -> None:
        """Write what waits, and the footer."""
        self._write()
        self._writer.close()
        self._file.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pl.concat(self._waiting).to_arrow(compat_level=pl.CompatLevel.oldest()))
            self._waiting.clear()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
