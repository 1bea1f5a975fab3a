"""Which groups learners are in: those a teacher kept for their classes, and those their events name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.domain.grouping import Grouping, group_ids_of
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.rules.scope import Who
from serving.storage.port import LearnerContext

# By class, None where it is not told: the group that was named there last.
Named = Mapping[str | None, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """One grouping of a class: from when it holds, and the group of each learner."""

    at_us: int
    group_of: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KeptGroups:
    """What was kept for each class, the newest first, and all names that groups were kept under there."""

    kept: Mapping[str, tuple[_Kept, ...]] = field(default_factory=dict)
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, learner_id: str, class_id: str, now_us: int) -> str | None:
        """The group of this learner in the newest grouping of the class that holds by now."""
        now = next((one for one in self.kept.get(class_id, ()) if one.at_us <= now_us), None)
        return None if now is None else now.group_of.get(learner_id)


def kept_groups_from(groupings: Iterable[Grouping]) -> KeptGroups:
    """The groups of these groupings, which come newest first."""
    kept: dict[str, list[_Kept]] = {}
    names: dict[str, set[str]] = {}
    for one in groupings:
        ids = group_ids_of(one)
        group_of = {x: name for name, g in zip(ids, one.groups, strict=True) for x in g.learner_ids}
        kept.setdefault(one.class_id, []).append(_Kept(microseconds(one.at), group_of))
        names.setdefault(one.class_id, set()).update(ids)
    return KeptGroups({c: tuple(x) for c, x in kept.items()}, {c: frozenset(x) for c, x in names.items()})


def named_in(events: Iterable[Interaction]) -> dict[str | None, str]:
    """The groups that a learner's events name: of each class the one that the last event there names."""
    return {e.class_id: e.group_id for e in events if e.group_id is not None}


def who_sits(learner_id: str, class_ids: Iterable[str], named: Named, groups: KeptGroups, *, now_us: int) -> Who:
    """The learner with their classes and all groups that they are in.

    In each class they sit in the group that was kept for it, else in the one their events name. The name of a group
    that was kept says nothing in an event: who is in it is what was kept. Other names of events count beside it.
    """
    classes = tuple(class_ids)
    told = {c: group for c, group in named.items() if c is None or group not in groups.names.get(c, ())}
    places = {c: group for c, group in told.items() if c is not None and c in classes}
    for class_id in classes:
        kept = groups.of(learner_id, class_id, now_us)
        if kept is not None:
            places[class_id] = kept
    return Who(
        learner_id=learner_id,
        class_ids=classes,
        group_ids=tuple(sorted({*told.values(), *places.values()})),
        places=tuple(sorted(places.items())),
    )


@dataclass(frozen=True, slots=True)
class Seats:
    """What a learner's events say of where they sit: the classes they name, ascending, and the groups."""

    classes: tuple[str, ...]
    named: Named


def seats_in(events: Iterable[Interaction]) -> Seats:
    """Where these events say that their learner sits."""
    own = list(events)
    return Seats(tuple(sorted({e.class_id for e in own if e.class_id is not None})), named_in(own))


def who_of(
    learner_id: str,
    context: LearnerContext,
    groups: KeptGroups,
    *,
    now_us: int,
    class_id: str | None = None,
    seats: Seats | None = None,
) -> Who:
    """The learner with their classes (or the one asked for) and groups; groups are those of all their classes.

    Classes are those of the school's record, or without any there those that events name. `seats` are those of the
    context's events, where they were looked up already.
    """
    seats = seats or seats_in(context.interactions)
    own = (context.learner.classes if context.learner is not None else ()) or seats.classes
    every = own if class_id is None or class_id in own else (*own, class_id)
    who = who_sits(learner_id, every, seats.named, groups, now_us=now_us)
    if class_id is None:
        return who
    return Who(learner_id=learner_id, class_ids=(class_id,), group_ids=who.group_ids, places=who.places)
