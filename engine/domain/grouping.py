"""Groups of a class as a teacher keeps them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Who works together, on what: a resource, or a title of the teacher's own."""

    learner_ids: tuple[str, ...]
    resource_id: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One grouping of a class; `proposed` are the groups as they were proposed, before the teacher's hand."""

    grouping_id: str
    class_id: str
    at: datetime
    groups: tuple[Group, ...]
    mode: str | None = None
    proposed: tuple[tuple[str, ...], ...] = ()

    def name(self, number: int) -> str:
        """What rules, events and apps call a group, which are numbered from 1: the grouping's id and the number."""
        return f"{self.grouping_id}/{number}"

    def names(self) -> Iterator[tuple[str, str]]:
        """Each learner with the name of their group."""
        for number, group in enumerate(self.groups, 1):
            for learner_id in group.learner_ids:
                yield learner_id, self.name(number)
