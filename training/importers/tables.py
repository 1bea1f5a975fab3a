"""Tables that already have the log's columns: CSV, JSONL or Parquet."""

from collections.abc import Mapping
from pathlib import Path

from training.importers.foreign import Foreign
from training.importers.reading import Progress, read_chunks, read_whole


def read_tables(interactions: Path | None, catalogue: Mapping[str, Path | None], *, progress: Progress) -> Foreign:
    """The tables as they are; `catalogue` names the files of resources, skills, classes and learners.

    Raises:
        BadLog: a file is missing, empty, cut off or of another kind than it seems.
    """
    whole = {table: read_whole(file) for table, file in catalogue.items() if file is not None}
    return Foreign(
        interactions=iter(()) if interactions is None else read_chunks(interactions, progress=progress),
        resources=whole.get("resources"),
        skills=whole.get("skills"),
        classes=whole.get("classes"),
        learners=whole.get("learners"),
    )
