"""Who is asking, seen from one moment: everything the engine needs to know of a learner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.domain.catalogue import Catalogue
from engine.domain.history import NO_TIME, History, history_of, microseconds
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass

HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One learner at one moment. `now_us` in microseconds since 1970; `known` is False where nobody ever told of them.

    `course_id` is the course of the class they ask in (the class itself where it names no course), and `starts_us`
    the start of that class, `NO_TIME` where unknown.
    """

    learner_id: str
    known: bool
    history: History
    now_us: int
    features: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    class_id: str | None = None
    course_id: str | None = None
    starts_us: int = microseconds(None)

    @property
    def hour_us(self) -> int:
        """The full hour before `now_us`: within one, the same work says the same of relevance, and it can be kept."""
        return self.now_us if self.now_us == NO_TIME else self.now_us - self.now_us % HOUR_US

    @property
    def minute_us(self) -> int:
        """The full minute before `now_us`, or their last work within it: until the next, what is known of them is kept.

        A minute changes no chance that anybody would notice, and an answer asked for twice is made once.
        """
        if self.now_us == NO_TIME:
            return NO_TIME
        at_us = self.history.at_us
        last_us = int(at_us[-1]) if len(at_us) else NO_TIME
        return min(max(self.now_us - self.now_us % MINUTE_US, last_us), self.now_us)


class Said(Protocol):
    """What a learner said they need; the preferences of `engine.learner.preferences` are one."""

    @property
    def access_needs(self) -> tuple[str, ...]:
        """Needs of access, beside those the school told of."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages to work in; where any are said, they count and not those the school told of."""


def query_of(
    learner_id: str,
    *,
    learner: Learner | None,
    interactions: Iterable[Interaction],
    classes: Mapping[str, SchoolClass],
    catalogue: Catalogue,
    now: datetime,
    class_id: str | None = None,
    said: Said | None = None,
) -> Query:
    """The query of one learner from their interactions, in any order."""
    history = history_of(interactions, catalogue.resource_map)
    return query_with(
        learner_id, learner=learner, history=history, classes=classes, now=now, class_id=class_id, said=said
    )


def query_with(
    learner_id: str,
    *,
    learner: Learner | None,
    history: History,
    classes: Mapping[str, SchoolClass],
    now: datetime,
    class_id: str | None = None,
    said: Said | None = None,
) -> Query:
    """The query of one learner; serving and `trailmate recommend` both come through here, so their answers are equal.

    Without a `class_id` the learner's class that started last before `now` is taken, or else their first one. What the
    learner `said` joins what the school told: needs of both count, and languages said take the place of those told.
    """
    told = learner or Learner(learner_id=learner_id)
    theirs = class_id or current_class(told.classes, classes, now)
    school_class = classes.get(theirs) if theirs else None
    return Query(
        learner_id=learner_id,
        known=learner is not None or len(history.resource_index) > 0,
        history=history,
        now_us=microseconds(now),
        features=told.features,
        access_needs=tuple(dict.fromkeys((*told.access_needs, *(said.access_needs if said else ())))),
        languages=(said.languages if said else ()) or told.languages,
        class_id=theirs,
        course_id=(school_class.course_id if school_class else None) or theirs,
        starts_us=microseconds(school_class.starts_at if school_class else None),
    )


def current_class(class_ids: Iterable[str], classes: Mapping[str, SchoolClass], now: datetime) -> str | None:
    """The class that started last before `now`; where none did, the first by id; None without classes."""
    ids = sorted(class_ids)
    starts = {c: classes[c].starts_at for c in ids if c in classes}
    begun = sorted((s, c) for c, s in starts.items() if s is not None and s <= now)
    if begun:
        return begun[-1][1]
    return ids[0] if ids else None
