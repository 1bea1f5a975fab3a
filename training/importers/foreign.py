"""A published data set, found on disk and brought to the tables of the log."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.domain.errors import BadLog
from training.log_spill import Spill


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What `add_to_log` takes: interactions in chunks, the catalogue whole, and the clock where it is known."""

    interactions: Iterator[pl.DataFrame]
    resources: pl.DataFrame | None = None
    skills: pl.DataFrame | None = None
    classes: pl.DataFrame | None = None
    learners: pl.DataFrame | None = None
    clock: str | None = None


def find(paths: Sequence[Path], *names: str) -> Path | None:
    """The first file with one of these names among the paths, in the folders they name, or one folder deeper."""
    for path in paths:
        if not path.exists():
            raise BadLog(f"{path} does not exist; check the path")
    for name in names:
        for path in paths:
            if path.name == name and path.is_file():
                return path
            for file in (path / name, *sorted(path.glob(f"*/{name}"))):
                if file.is_file():
                    return file
    return None


def need(paths: Sequence[Path], *names: str) -> Path:
    """The same, or a refusal that says which files are looked for."""
    file = find(paths, *names)
    if file is None:
        places = ", ".join(map(str, paths))
        raise BadLog(f"found no {' or '.join(names)} in {places}; name the folder that holds it")
    return file


def renamed(frame: pl.DataFrame, names: dict[str, str], *, needed: Iterable[str], what: str) -> pl.DataFrame:
    """A table with the set's own names replaced and its "?" cells emptied.

    Raises:
        BadLog: a needed column is missing, under either name.
    """
    frame = frame.rename({old: new for old, new in names.items() if old in frame.columns and new not in frame.columns})
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise BadLog(
            f"{what} lacks {', '.join(missing)} (found: {', '.join(frame.columns[:20])}); is it the right file?"
        )
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    return frame.with_columns(pl.when(pl.col(name) != "?").then(pl.col(name)).alias(name) for name in texts)


def by_learner(chunks: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in a bounded number of frames, all rows of a learner in one of them, in the order they came."""
    with tempfile.TemporaryDirectory(prefix="trailmate-") as folder:
        spill = Spill(Path(folder), "rows", by="learner_id")
        for chunk in chunks:
            spill.add(chunk)
        spill.close()
        for parts in spill.groups():
            if (rows := spill.read(parts)) is not None:
                yield rows
