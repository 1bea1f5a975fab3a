"""What log.json says: batches, counts, time range and the kind of clock."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.errors import BadLog
from training.log_content import digest_sum, hexadecimal
from training.log_files import interactions_files, table_file
from training.log_scan import chunks_of_file, scan_file
from training.log_schema import CATALOGUE, FORMAT_VERSION

# From the poorest clock to the richest; a log has the richest of its batches.
CLOCKS = ("none", "order", "day", "time")


@dataclass(slots=True)
class Tally:
    """What is known of a batch once all its rows went by."""

    rows: int = 0
    voided: int = 0
    clock: str = "none"
    first: datetime | None = None
    last: datetime | None = None
    lanes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(4, np.uint64))

    def add(self, frame: pl.DataFrame) -> None:
        """Count these canonical interactions."""
        self.rows += len(frame)
        self.voided += int((frame["kind"] == "voided").sum())
        self.clock = richest((self.clock, clock_of(frame)))
        times = frame["at"].drop_nulls()
        if len(times):
            first, last = times.min(), times.max()
            assert isinstance(first, datetime) and isinstance(last, datetime)
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)
        self.lanes = self.lanes + digest_sum(frame)

    def entry(self, path: Path, *, source: str, imported_at: datetime | None, clock: str | None) -> dict[str, Any]:
        """The batch's entry in log.json."""
        return {
            "id": path.stem,
            "source": source,
            "rows": self.rows,
            "voidings": self.voided,
            "bytes": path.stat().st_size,
            "imported_at": _text(imported_at),
            "clock": clock or self.clock,
            "time_range": None if self.first is None else [_text(self.first), _text(self.last)],
            "digest": hexadecimal(self.lanes),
        }


def clock_of(frame: pl.DataFrame) -> str:
    """Which clock these rows have: time where any has a time of day, else day, order or none."""
    times = frame["at"].drop_nulls()
    if len(times):
        return "time" if (times.to_physical() % 86_400_000_000 != 0).any() else "day"
    return "order" if frame["order"].is_not_null().any() else "none"


def richest(clocks: Iterable[str]) -> str:
    """The richest of several clocks."""
    return max(clocks, key=CLOCKS.index, default="none")


def read_facts(log: Path) -> dict[str, Any]:
    """What log.json says; empty where there is none.

    Raises:
        BadLog: it is no JSON, or of a newer format.
    """
    path = log / "log.json"
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise BadLog(f"{path} is no JSON; delete it, it is made anew by the next import") from None
    if not isinstance(facts, dict) or facts.get("format_version") != FORMAT_VERSION:
        raise BadLog(f"{path} is not of format version {FORMAT_VERSION}; import the data again with this version")
    return facts


def fits(facts: dict[str, Any], log: Path) -> bool:
    """Whether log.json speaks of the very files that lie there."""
    stated = {entry["id"]: entry["bytes"] for entry in facts.get("batches", [])}
    return bool(facts) and stated == {file.stem: file.stat().st_size for file in interactions_files(log)}


def entries_of(log: Path, known: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each batch that lies there; what is not known yet is read from the files."""
    stated = {(entry["id"], entry["bytes"]): entry for entry in known}
    return [stated.get((file.stem, file.stat().st_size)) or _entry(file) for file in interactions_files(log)]


def facts_of(log: Path, entries: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The whole of log.json from the entries of the batches and one scan for the counts."""
    ranges = [entry["time_range"] for entry in entries if entry["time_range"]]
    counts = _counts(log)
    return {
        "format_version": FORMAT_VERSION,
        "sources": sorted({entry["source"] for entry in entries}),
        "clock": richest(entry["clock"] for entry in entries),
        "time_range": [min(r[0] for r in ranges), max(r[1] for r in ranges)] if ranges else None,
        "counts": {
            "interactions": sum(entry["rows"] for entry in entries),
            "voidings": sum(entry["voidings"] for entry in entries),
            **counts,
        },
        "batches": entries,
        **more,
    }


def _entry(file: Path) -> dict[str, Any]:
    tally = Tally()
    source = file.name
    for chunk in chunks_of_file(file):
        tally.add(chunk)
        source = chunk["source"][0] if len(chunk) else source
    return tally.entry(file, source=source, imported_at=None, clock=None)


def _counts(log: Path) -> dict[str, int]:
    """Distinct learners and resources in the interactions, and rows of the catalogue."""
    files = interactions_files(log)
    counts = {"learners": 0, "resources": 0}
    if files:
        ids = pl.concat([scan_file(file).select("learner_id", "resource_id") for file in files])
        both = ids.select(pl.col("learner_id").n_unique(), pl.col("resource_id").drop_nulls().n_unique())
        counts = dict(zip(counts, both.collect(engine="streaming").row(0), strict=True))
    for table in CATALOGUE:
        if table_file(log, table).exists():
            counts[f"{table}_described"] = pl.scan_parquet(table_file(log, table)).select(pl.len()).collect().item()
    return counts


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
