"""Rows spread over a fixed number of files, so that equal keys meet in one part and memory stays flat."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

N_PARTS = 32


class Spill:
    """Rows with equal keys land in the same part, in the order they came."""

    def __init__(self, folder: Path, name: str, *, by: str) -> None:
        """Parts are files `name-<part>` in `folder`, filled by the hash of the column `by`."""
        self._folder, self._name, self._by = folder, name, by
        self._writers: dict[int, Any] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Spread these rows; every frame must have the columns of the first."""
        part = pl.col(self._by).hash() % N_PARTS
        for (number,), rows in frame.group_by(part.alias("part"), maintain_order=True):
            table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
            number = int(str(number))
            if number not in self._writers:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                self._writers[number] = pa.ipc.new_stream(str(self._path(number)), table.schema, options=options)
            self._writers[number].write_table(table)

    def close(self) -> None:
        """Finish all parts; they can be read after this."""
        for writer in self._writers.values():
            writer.close()

    def read(self, part: int) -> pl.DataFrame | None:
        """All rows of one part, or None where it has none."""
        if part not in self._writers:
            return None
        with pa.OSFile(str(self._path(part))) as file:
            frame = pl.from_arrow(pa.ipc.open_stream(file).read_all())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _path(self, part: int) -> Path:
        return self._folder / f"{self._name}-{part}"
