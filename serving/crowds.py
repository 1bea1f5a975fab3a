"""The learners of a class or a school as those who bring them together look at them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.collaborators.affinity import Standing, standing_of
from engine.collaborators.contacts import Contacts, contacts_of, grouped, joined
from engine.collaborators.crowd import Crowd
from engine.domain.grouping import Grouping, group_ids_of
from engine.domain.history import microseconds
from engine.recommender import Recommender
from engine.rules.people import People, people_of
from engine.rules.scope import Who
from serving.approving import CurrentApprovals
from serving.current_bundle import CurrentBundle
from serving.current_rules import CurrentRules
from serving.drawing import drawn
from serving.in_group import KeptGroups, Named, named_in, who_sits
from serving.known_learner import KnownLearner, keep_states, learner_in_sight
from serving.ladder import reach
from serving.storage.port import LearnerContext, Store

# So many groupings of a class say who was together.
MAX_ROUNDS = 12
# A whole school is looked at anew after so long.
KEPT_FOR = timedelta(seconds=60)
_AT_ONCE = 200
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Those who may learn together, by id, and all that a decision about them needs; `seq` is how far the store was.

    `class_id`: the class they were gathered for, None for a school. `named`: by row the groups that events name.
    `rosters`: who is in which groups, by version of the rules, made by `roster_of`.
    """

    crowd: Crowd
    contacts: Contacts
    standing: Standing
    class_id: str | None
    named: tuple[Named, ...]
    known: Mapping[str, KnownLearner]
    recommender: Recommender
    groupings: tuple[Grouping, ...]
    seq: int
    rules_version: int
    rosters: dict[int, tuple[Who, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a store says of a class, beside its learners; of a school nothing."""

    class_id: str | None = None
    members: frozenset[str] = frozenset()
    groupings: tuple[Grouping, ...] = ()
    skills: tuple[str, ...] = ()
    at_least: int = 0


class Crowds:
    """Gathers classes afresh for each request, and whole schools once a minute."""

    def __init__(self, store: Store, bundles: CurrentBundle, rules: CurrentRules, approvals: CurrentApprovals) -> None:
        self.store = store
        self.bundles = bundles
        self.rules = rules
        self.approvals = approvals
        self._kept: dict[tuple[str, tuple[str, ...], str | None], tuple[datetime, Gathered]] = {}

    async def of_class(
        self,
        tenant: str,
        class_id: str,
        *,
        now: datetime,
        beside: Sequence[str] = (),
        skills: Sequence[str] = (),
        at_least: int = 0,
    ) -> Gathered:
        """The members of a class, and those named `beside` them, who count as members.

        `skills` are looked at in any case.
        """
        members = await self.store.people.members(tenant, class_id)
        ids = sorted({*members, *beside})
        groupings = await self.store.groupings.of_class(tenant, class_id, limit=MAX_ROUNDS)
        told = _Told(
            class_id=class_id,
            members=frozenset(ids),
            groupings=tuple(groupings),
            skills=tuple(skills),
            at_least=at_least,
        )
        return await self._gathered(tenant, ids, told, now=now)

    async def of_school(self, tenant: str, learner_ids: Sequence[str], *, now: datetime, topic: str | None) -> Gathered:
        """These learners of a school, as they were within the last minute."""
        key = (tenant, tuple(learner_ids), topic)
        kept_at, kept = self._kept.get(key, (now, None))
        if kept is None or not timedelta() <= now - kept_at < KEPT_FOR:
            told = _Told(skills=() if topic is None else (topic,))
            kept = await self._gathered(tenant, list(learner_ids), told, now=now)
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (now, kept)
        return kept

    async def people(self, tenant: str, gathered: Gathered, *, version: int, now: datetime) -> People:
        """The rules about people that hold among them now, as of this version of the rules or a later one."""
        in_force = await self.rules.in_force(tenant, version, gathered.recommender)
        now_us = microseconds(now)
        roster = gathered.rosters.get(in_force.version)
        if roster is None:
            gathered.rosters.clear()
            roster = gathered.rosters[in_force.version] = roster_of(gathered, in_force.groups, now_us)
        return people_of(in_force.rules, roster, now_us=now_us, zone=self.rules.zone)

    async def _gathered(self, tenant: str, ids: list[str], told: _Told, *, now: datetime) -> Gathered:
        contexts: dict[str, LearnerContext] = {}
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            contexts |= (await reach(tenant, some, None, at_least=told.at_least, store=self.store)).contexts
        version = max((c.catalogue_version for c in contexts.values()), default=0)
        recommender = await self.bundles.recommender(tenant, version, self.store.catalogue)
        known: dict[str, KnownLearner] = {}
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            known |= await asyncio.to_thread(_in_sight, tenant, some, contexts, recommender)
            await keep_states([known[x] for x in some], self.store)
        return await asyncio.to_thread(_drawn, known, recommender, told, now)


def contacts_among(
    contexts: Iterable[LearnerContext], groupings: Iterable[Grouping], rows: Mapping[str, int], now_us: int
) -> Contacts:
    """Who had to do with whom by now, by their events and by the groups they were put into."""
    contacts = contacts_of((e for c in contexts for e in c.interactions), rows)
    before = [
        (microseconds(g.at), [[rows[x] for x in one.learner_ids if x in rows] for one in g.groups]) for g in groupings
    ]
    # Clocks of apps may run ahead.
    return joined(contacts, grouped(before, len(rows))).before(now_us + 1)


def numbers_of(groupings: Sequence[Grouping], now: datetime) -> dict[str, int]:
    """The numbers that groups have now, from 1, by their ids; groupings come newest first."""
    holds = next((g for g in groupings if g.at <= now), None)
    return {} if holds is None else {x: n for n, x in enumerate(group_ids_of(holds), 1)}


def roster_of(gathered: Gathered, groups: KeptGroups, now_us: int) -> tuple[Who, ...]:
    """Everybody with their classes and groups; whoever was gathered for a class sits where they sit in that class."""
    crowd, found = gathered.crowd, []
    for row, x in enumerate(crowd.learner_ids):
        classes = [name for name, is_in in zip(crowd.classes, crowd.member[row], strict=True) if is_in]
        who = who_sits(x, classes, gathered.named[row], groups, now_us=now_us)
        own = tuple(place for place in who.places if gathered.class_id in (None, place[0]))
        found.append(Who(learner_id=x, class_ids=who.class_ids, group_ids=who.group_ids, places=own))
    return tuple(found)


def _in_sight(
    tenant: str, ids: Sequence[str], contexts: Mapping[str, LearnerContext], recommender: Recommender
) -> dict[str, KnownLearner]:
    return {x: learner_in_sight(tenant, x, contexts[x], recommender) for x in ids}


def _drawn(known: Mapping[str, KnownLearner], recommender: Recommender, told: _Told, now: datetime) -> Gathered:
    now_us, contexts = microseconds(now), [one.context for one in known.values()]
    crowd = drawn(
        known, recommender, class_id=told.class_id, members=told.members, skills=told.skills, now=now
    )  # fmt: skip
    contacts = contacts_among(contexts, told.groupings, crowd.rows(), now_us)
    return Gathered(
        crowd=crowd,
        contacts=contacts,
        standing=standing_of(contacts, now_us),
        class_id=told.class_id,
        named=tuple(named_in(c.interactions) for c in contexts),
        known=known,
        recommender=recommender,
        groupings=told.groupings,
        seq=max((c.seq for c in contexts), default=0),
        rules_version=max((c.rules_version for c in contexts), default=0),
    )
