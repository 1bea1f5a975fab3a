"""Rows spread over a fixed number of files, so that equal keys meet in one part and memory stays flat."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

N_PARTS = 32
_USEFUL = 20_000


class Spill:
    """Rows with equal keys land in the same part, in the order they came."""

    def __init__(self, folder: Path, name: str, *, by: str) -> None:
        """Parts are files `name-<part>` in `folder`, filled by the hash of the column `by`."""
        self._folder, self._name, self._by = folder, name, by
        self._writers: dict[int, Any] = {}
        self._n_rows: Counter[int] = Counter()

    def add(self, frame: pl.DataFrame) -> None:
        """Spread these rows; every frame must have the columns of the first."""
        part = pl.col(self._by).hash() % N_PARTS
        for (key,), rows in frame.group_by(part.alias("part"), maintain_order=True):
            table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
            number = int(str(key))
            if number not in self._writers:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                self._writers[number] = pa.ipc.new_stream(str(self._path(number)), table.schema, options=options)
            self._writers[number].write_table(table)
            self._n_rows[number] += len(rows)

    def close(self) -> None:
        """Finish all parts; they can be read after this."""
        for writer in self._writers.values():
            writer.close()

    def groups(self) -> list[list[int]]:
        """The filled parts, small ones together: as many as make a frame of a useful size."""
        groups: list[list[int]] = []
        for part in sorted(self._n_rows):
            if groups and sum(self._n_rows[p] for p in [*groups[-1], part]) <= _USEFUL:
                groups[-1].append(part)
            else:
                groups.append([part])
        return groups

    def read(self, parts: Iterable[int]) -> pl.DataFrame | None:
        """All rows of some parts, or None where they have none."""
        frames = [self._read(part) for part in parts if part in self._writers]
        return pl.concat(frames) if frames else None

    def _read(self, part: int) -> pl.DataFrame:
        with pa.OSFile(str(self._path(part))) as file:
            return pl.DataFrame(pa.ipc.open_stream(file).read_all())

    def _path(self, part: int) -> Path:
        return self._folder / f"{self._name}-{part}"
