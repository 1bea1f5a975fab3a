"""The log: interactions and the catalogue as Parquet, read here and added to through `add_to_log`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.errors import BadLog
from training.log_add import ImportReport, add_to_log, undo_batch
from training.log_catalogue import derived_resources, mended_skills, merged
from training.log_checks import complete
from training.log_content import content_texts, hexadecimal, lanes_of
from training.log_facts import entries_of, facts_of, fits, read_facts
from training.log_files import interactions_files, table_file
from training.log_rows import (
    classes_of,
    frame_of_classes,
    frame_of_interactions,
    frame_of_learners,
    frame_of_resources,
    frame_of_skills,
    interactions_of,
    learners_of,
    resources_of,
    skills_of,
)
from training.log_scan import read_table, scan_file
from training.log_schema import (
    CATALOGUE,
    classes_schema,
    id_column,
    interactions_schema,
    learners_schema,
    resources_schema,
    skills_schema,
)

__all__ = [
    "ImportReport",
    "Log",
    "add_to_log",
    "classes_of",
    "classes_schema",
    "frame_of_classes",
    "frame_of_interactions",
    "frame_of_learners",
    "frame_of_resources",
    "frame_of_skills",
    "interactions_of",
    "interactions_schema",
    "learners_of",
    "learners_schema",
    "read_log",
    "resources_of",
    "resources_schema",
    "skills_of",
    "skills_schema",
    "undo_batch",
]


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was found readable. `clock` is time, day, order or none; `facts` is log.json or what it would say."""

    path: Path
    clock: str
    facts: dict[str, Any]

    def interactions(self) -> pl.LazyFrame:
        """All interactions in the log's types, in no order, without voidings and what they void.

        A voiding takes back an event of its own learner only, as it does for who is served.
        """
        rows = pl.concat([scan_file(file) for file in interactions_files(self.path)])
        if not self.facts["counts"]["voidings"]:
            return rows
        voidings = pl.col("kind") == "voided"
        voided = rows.filter(voidings).select("learner_id", "voids")
        return rows.filter(~voidings).join(
            voided, left_on=["learner_id", "event_id"], right_on=["learner_id", "voids"], how="anti"
        )

    def resources(self) -> pl.DataFrame:
        """The resources sorted by id; derived from the interactions where nobody described them."""
        described = self._table("resources")
        return described if len(described) else derived_resources(self.interactions())

    def skills(self) -> pl.DataFrame:
        """The skills sorted by id, their graph without cycles and dangling edges; empty where nobody brought them."""
        return mended_skills(self._table("skills"))[0]

    def classes(self) -> pl.DataFrame:
        """The classes sorted by id; empty where nobody brought them."""
        return self._table("classes")

    def learners(self) -> pl.DataFrame:
        """The learners somebody described, sorted by id; empty where nobody did."""
        return self._table("learners")

    def fingerprint(self) -> str:
        """SHA-256 over what the log says, in hexadecimal: not over order, files, batches or times of import."""
        digest = hashlib.sha256(hexadecimal(self._event_lanes()).encode())
        for table, schema in CATALOGUE.items():
            texts = content_texts(self._table(table), schema.names())
            digest.update("\n".join([f"\n{table}", *texts]).encode())
        return digest.hexdigest()

    def _table(self, table: str) -> pl.DataFrame:
        if self.facts.get("unfinished"):
            frame = merged(self.path, table)
        else:
            file = table_file(self.path, table)
            frame = read_table(file, table) if file.exists() else None
        return CATALOGUE[table].to_frame() if frame is None else complete(frame, table).sort(id_column(table))

    def _event_lanes(self) -> NDArray[np.uint64]:
        lanes = [lanes_of(entry["digest"]) for entry in self.facts["batches"]]
        total: NDArray[np.uint64] = np.array(lanes, dtype=np.uint64).reshape(-1, 4).sum(axis=0, dtype=np.uint64)
        return total


def read_log(path: Path) -> Log:
    """The log in this folder, whoever wrote it; a folder with nothing but `interactions/*.parquet` is one as well.

    Raises:
        BadLog: no folder, no interactions, a file that is cut off, columns missing or of other types.
    """
    path = Path(path)
    if not path.is_dir():
        state = "is a file" if path.exists() else "does not exist"
        raise BadLog(f"the log {path} {state}; name the folder that `trailmate import ... --into LOG` wrote")
    files = interactions_files(path)
    if not files:
        raise BadLog(f"{path} has no interactions/*.parquet; fill it with `trailmate import tables ... --into {path}`")
    for file in files:
        scan_file(file)
    for table in CATALOGUE:
        if table_file(path, table).exists():
            read_table(table_file(path, table), table)
    facts = read_facts(path)
    if not fits(facts, path):
        # No log.json, or an import that was interrupted between its commit and its summary.
        unfinished = (path / "catalogue").exists()
        facts = facts_of(path, entries_of(path, facts.get("batches", [])), unfinished=unfinished)
    return Log(path, facts["clock"], facts)
