"""Groups of a class as a teacher keeps them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Who works together, on what: a resource, or a title of the teacher's own; `group_id` as rules and events name it.

    Where nobody gave one, `group_ids_of` says which it is.
    """

    learner_ids: tuple[str, ...]
    resource_id: str | None = None
    title: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One grouping of a class; `proposed` are the groups as they were proposed, before the teacher's hand."""

    grouping_id: str
    class_id: str
    at: datetime
    groups: tuple[Group, ...]
    mode: str | None = None
    proposed: tuple[tuple[str, ...], ...] = ()


def group_ids_of(grouping: Grouping) -> tuple[str, ...]:
    """The one name of each group: the one it was given, else the grouping's id and the number of the group."""
    return tuple(
        g.group_id if g.group_id is not None else f"{grouping.grouping_id}/{number}"
        for number, g in enumerate(grouping.groups, 1)
    )
