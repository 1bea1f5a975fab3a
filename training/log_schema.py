"""The tables of the log and the types of their columns."""

from types import MappingProxyType

import polars as pl

FORMAT_VERSION = 1

_TEXT = pl.String()
_TEXTS = pl.List(pl.String())
_TIME = pl.Datetime("us", "UTC")

interactions_schema = pl.Schema(
    {
        "event_id": _TEXT,
        "learner_id": _TEXT,
        "resource_id": _TEXT,
        "at": _TIME,
        "order": pl.Int64(),
        "kind": _TEXT,
        "outcome": pl.Float32(),
        "duration_s": pl.Float32(),
        "item_id": _TEXT,
        "skills": _TEXTS,
        "class_id": _TEXT,
        "decision_id": _TEXT,
        "with_learner_ids": _TEXTS,
        "group_id": _TEXT,
        "value": _TEXT,
        "voids": _TEXT,
        "source": _TEXT,
    }
)
resources_schema = pl.Schema(
    {
        "resource_id": _TEXT,
        "title": _TEXT,
        "format": _TEXT,
        "skills": _TEXTS,
        "minutes": pl.Float32(),
        "position": pl.Int32(),
        "language": _TEXT,
        "grade_min": pl.Int32(),
        "grade_max": pl.Int32(),
        "tags": _TEXTS,
        "access": _TEXTS,
        "available_from": _TIME,
        "available_until": _TIME,
        "url": _TEXT,
    }
)
skills_schema = pl.Schema({"skill_id": _TEXT, "title": _TEXT, "prerequisites": _TEXTS, "parent": _TEXT})
classes_schema = pl.Schema(
    {"class_id": _TEXT, "course_id": _TEXT, "title": _TEXT, "starts_at": _TIME, "ends_at": _TIME}
)
learners_schema = pl.Schema(
    {
        "learner_id": _TEXT,
        "classes": _TEXTS,
        "features": _TEXTS,
        "subgroups": _TEXTS,
        "access_needs": _TEXTS,
        "languages": _TEXTS,
        "sharing": pl.Boolean(),
    }
)
rejected_schema = pl.Schema(
    {"source": _TEXT, "batch": _TEXT, "table": _TEXT, "row": pl.Int64(), "event_id": _TEXT, "reason": _TEXT}
)

# The tables of the catalogue; the first column of each is its id.
CATALOGUE = MappingProxyType(
    {
        "resources": resources_schema,
        "skills": skills_schema,
        "classes": classes_schema,
        "learners": learners_schema,
    }
)
# What an absent cell of the catalogue means; a missing title is the id itself.
CATALOGUE_DEFAULTS = MappingProxyType({"format": "other"})

# A reader may give these two beside a file's own columns: the row's number, and what made it unreadable.
ROW = "trailmate:row"
PROBLEM = "trailmate:problem"


def id_column(table: str) -> str:
    """The column that names one row of a catalogue table."""
    return CATALOGUE[table].names()[0]


def is_id(name: str) -> bool:
    """Whether a column holds ids, whose whole numbers become text."""
    return name.endswith("_id") or name in ("parent", "voids")
