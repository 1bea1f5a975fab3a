"""The rows of one import on their way into the log, spread over parts on disk."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import polars as pl

from training.log_checks import Checked, checked_catalogue, checked_interactions
from training.log_content import CONTENT
from training.log_facts import Tally
from training.log_files import TableWriter, interactions_files, put
from training.log_scan import chunks_of_file, parquet_chunks
from training.log_schema import ROW, interactions_schema, rejected_schema
from training.log_spill import N_PARTS, Spill

_SAID = "trailmate:said"
_REJECTED = [name for name in rejected_schema.names() if name != "batch"]
_CONFLICT = "event_id was used before with other content"


class Intake:
    """Counts what an import brings, and holds its rows until it is known which of them are new."""

    def __init__(self, aside: Path, *, source: str, now: datetime) -> None:
        """Spill to the folder `aside`; rows are judged as of `now`."""
        self._aside, self._source, self._now = aside, source, now
        self._new = Spill(aside, "new", by="event_id")
        self._rejected = Spill(aside, "rejected", by="row")
        self.tally = Tally()
        self.reasons: Counter[str] = Counter()
        self.unknown_columns: set[str] = set()
        self.n_read = self.n_repaired = self.n_duplicates = 0

    def take(self, chunk: pl.DataFrame) -> None:
        """Check a chunk of interactions and lay it aside."""
        checked = checked_interactions(chunk, source=self._source, now=self._now, first_row=self.n_read + 1)
        self.n_read += len(chunk)
        self._count(checked, "interactions")
        self._new.add(_with_said(checked.kept))

    def take_table(self, frame: pl.DataFrame, table: str) -> pl.DataFrame:
        """The rows of a catalogue table that can be kept."""
        checked = checked_catalogue(frame, table)
        self._count(checked, table)
        return checked.kept

    def write_new(self, log: Path, place: Path) -> None:
        """Write the events that the log does not have yet to `place`; the rest are duplicates or rejected."""
        before = self._spilled_log(log)
        self._new.close()
        writer = TableWriter(place, interactions_schema)
        try:
            for parts in self._new.groups():
                if (rows := self._new.read(parts)) is not None:
                    fresh = self._decided(rows, before.read(parts)).sort("learner_id", "at", "order", "event_id")
                    self.tally.add(fresh)
                    writer.add(fresh)
        finally:
            writer.close()

    def write_rejected(self, before: Path, place: Path, *, batch: str | None) -> bool:
        """Write the rejected rows of all imports to `place`, each once; False where this import rejected none."""
        self._rejected.close()
        if not self.reasons:
            return False
        earlier = Spill(self._aside, "rejected-before", by="row")
        for chunk in parquet_chunks(before) if before.exists() else ():
            earlier.add(chunk)
        earlier.close()
        writer = TableWriter(place, rejected_schema)
        for part in range(N_PARTS):
            old, new = earlier.read([part]), self._rejected.read([part])
            frames = [] if old is None else [old]
            if new is not None:
                frames.append(new.with_columns(pl.lit(batch, pl.String).alias("batch")).select(rejected_schema.names()))
            if frames:
                writer.add(pl.concat(frames).unique(_REJECTED, keep="first", maintain_order=True))
        writer.close()
        return True

    def _count(self, checked: Checked, table: str) -> None:
        self.n_repaired += checked.n_repaired
        self.unknown_columns.update(f"{table}.{name}" for name in checked.unknown_columns)
        self._reject(checked.rejected, table)

    def _reject(self, rejected: pl.DataFrame, table: str) -> None:
        if rejected.is_empty():
            return
        self.reasons.update(dict(rejected["reason"].value_counts().iter_rows()))
        told = rejected.with_columns(pl.lit(self._source).alias("source"), pl.lit(table).alias("table"))
        self._rejected.add(told.select(_REJECTED))

    def _spilled_log(self, log: Path) -> Spill:
        """The ids that the log has, with what they say, spread like the new rows."""
        before = Spill(self._aside, "before", by="event_id")
        for file in interactions_files(log):
            for chunk in chunks_of_file(file):
                before.add(_with_said(chunk).select("event_id", _SAID))
        before.close()
        return before

    def _decided(self, rows: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
        """The rows whose id is new: the first of each id; the others are counted."""
        known = pl.DataFrame(schema={"event_id": pl.String, _SAID: pl.UInt64}) if before is None else before
        rows = rows.join(known.unique("event_id"), on="event_id", how="left", suffix="-before", maintain_order="left")
        in_log = pl.col(f"{_SAID}-before").is_not_null()
        repeated = in_log | (pl.int_range(pl.len()).over("event_id") > 0)
        same = pl.col(_SAID) == pl.coalesce(f"{_SAID}-before", pl.col(_SAID).first().over("event_id"))
        rows = rows.with_columns(repeated.alias("repeated"), same.alias("same"))
        self.n_duplicates += int((rows["repeated"] & rows["same"]).sum())
        other = rows.filter(pl.col("repeated") & ~pl.col("same"))
        self._reject(
            other.select(pl.col(ROW).alias("row"), "event_id", pl.lit(_CONFLICT).alias("reason")), "interactions"
        )
        return rows.filter(~pl.col("repeated")).select(interactions_schema.names())


def drop_rejected(place: Path, batch: str, *, aside: Path) -> None:
    """Forget the rejected rows of one batch."""
    if not place.exists():
        return
    writer = TableWriter(aside / place.name, rejected_schema)
    for chunk in parquet_chunks(place):
        writer.add(chunk.filter(pl.col("batch") != batch))
    writer.close()
    put(aside / place.name, place)


def _with_said(frame: pl.DataFrame) -> pl.DataFrame:
    """A hash of the content beside each row; both sides of a comparison are hashed in the same process."""
    return frame.with_columns(pl.struct(CONTENT).hash().alias(_SAID))
