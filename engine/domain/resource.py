"""What can be recommended."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource of the catalogue; `minutes` is what it usually takes, `position` its place in the planned order."""

    resource_id: str
    title: str
    format: str = "other"
    skills: tuple[str, ...] = ()
    minutes: float | None = None
    position: int | None = None
    language: str | None = None
    grade_min: int | None = None
    grade_max: int | None = None
    tags: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    available_from: datetime | None = None
    available_until: datetime | None = None
    url: str | None = None
