"""Who is asking, and the classes they belong to."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolClass:
    """One class; two classes of one course are two cohorts of the same thing, each on its own calendar."""

    class_id: str
    course_id: str | None = None
    title: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What a school told about a learner; `features` feed models, `subgroups` only reports, needs are hard filters."""

    learner_id: str
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sharing: bool | None = None
