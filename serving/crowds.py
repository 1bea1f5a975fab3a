"""The learners of a class or a school as those who bring them together look at them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from engine.collaborators.affinity import Affinity, Standing, affinity_from, standing_of
from engine.collaborators.contacts import Contacts, contacts_of, grouped, joined
from engine.collaborators.crowd import (
    Abilities,
    Crowd,
    Person,
    abilities_of,
    counted,
    crowd_of,
    estimated,
    readiness_of,
)
from engine.domain.errors import BadInput, Unknown
from engine.domain.grouping import Grouping
from engine.domain.history import microseconds
from engine.domain.learner import Learner
from engine.domain.query import current_class
from engine.recommender import Recommender
from engine.rules.scope import Who
from serving.current_bundle import CurrentBundle
from serving.current_rules import who_of
from serving.known_learner import KnownLearner, keep_states, learner_in_sight
from serving.ladder import reach
from serving.learner_workflows import goal_set
from serving.storage.port import LearnerContext, Store

# So many skills are looked at: those most worked on.
MAX_SKILLS = 80
# So many groupings of a class say who was together.
MAX_ROUNDS = 12
# A whole school is looked at anew after so long.
KEPT_FOR = timedelta(seconds=60)
_AT_ONCE = 200
_MOST_KEPT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Those who may learn together, by id, and all that a decision about them needs; `seq` is how far the store was."""

    crowd: Crowd
    contacts: Contacts
    standing: Standing
    roster: tuple[Who, ...]
    known: Mapping[str, KnownLearner]
    recommender: Recommender
    groupings: tuple[Grouping, ...]
    affinity: Affinity
    seq: int


class Crowds:
    """Gathers classes afresh for each request, and whole schools once a minute."""

    def __init__(self, store: Store, bundles: CurrentBundle) -> None:
        self._store = store
        self._bundles = bundles
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
        members = await self._store.people.members(tenant, class_id)
        ids = sorted({*members, *beside})
        groupings = await self._store.groupings.of_class(tenant, class_id, limit=MAX_ROUNDS)
        told = (class_id, frozenset(ids), tuple(groupings))
        return await self._gathered(tenant, ids, told, skills=skills, now=now, at_least=at_least)

    async def of_school(self, tenant: str, learner_ids: Sequence[str], *, now: datetime, topic: str | None) -> Gathered:
        """These learners of a school, as they were within the last minute."""
        key = (tenant, tuple(learner_ids), topic)
        kept_at, kept = self._kept.get(key, (now, None))
        if kept is None or not timedelta() <= now - kept_at < KEPT_FOR:
            told = (None, frozenset[str](), ())
            skills = () if topic is None else (topic,)
            kept = await self._gathered(tenant, list(learner_ids), told, skills=skills, now=now, at_least=0)
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = (now, kept)
        return kept

    async def _gathered(
        self,
        tenant: str,
        ids: list[str],
        told: tuple[str | None, frozenset[str], tuple[Grouping, ...]],
        *,
        skills: Sequence[str],
        now: datetime,
        at_least: int,
    ) -> Gathered:
        contexts: dict[str, LearnerContext] = {}
        seq = 0
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            reached = await reach(tenant, some, None, at_least=at_least, store=self._store)
            contexts |= reached.contexts
            seq = max(seq, reached.seq)
        version = max((c.catalogue_version for c in contexts.values()), default=0)
        recommender = await self._bundles.recommender(tenant, version, self._store.catalogue)
        known: dict[str, KnownLearner] = {}
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            known |= await asyncio.to_thread(_in_sight, tenant, some, contexts, recommender)
            await keep_states([known[x] for x in some], self._store)
        drawn = await asyncio.to_thread(_drawn, ids, known, recommender, told, tuple(skills), now, seq)
        bundle = self._bundles.bundle
        return replace(drawn, affinity=affinity_from(bundle.settings.get("peers") if bundle else None))


async def class_of(learner_id: str, asked: str | None, *, tenant: str, store: Store, now: datetime) -> str | None:
    """The class a learner is looked at in: the one asked for, else their current one.

    Raises:
        BadInput: they are known, and not in the class that is asked for.
    """
    context = await store.events.context(tenant, learner_id, asked)
    record = context.learner
    if asked is None:
        theirs = current_class(record.classes if record else (), context.classes, now)
        return theirs or _last_class(context)
    if record is not None and asked not in record.classes and all(e.class_id != asked for e in context.interactions):
        raise BadInput("the learner is not in this class; check class_id, or leave it out for their own class")
    return asked


async def require_class(tenant: str, class_id: str, members: Iterable[str], store: Store) -> None:
    """Raise Unknown where nobody told of this class and nobody is in it."""
    if not any(True for _ in members) and all(c.class_id != class_id for c in await store.people.classes(tenant)):
        raise Unknown("nobody told of this class and no event names it; check class_id")


def _last_class(context: LearnerContext) -> str | None:
    named = [e for e in context.interactions if e.class_id is not None]
    return max(named, key=lambda e: (microseconds(e.at), e.event_id)).class_id if named else None


def _in_sight(
    tenant: str, ids: Sequence[str], contexts: Mapping[str, LearnerContext], recommender: Recommender
) -> dict[str, KnownLearner]:
    return {x: learner_in_sight(tenant, x, contexts[x], recommender) for x in ids}


def _drawn(
    ids: Sequence[str],
    known: Mapping[str, KnownLearner],
    recommender: Recommender,
    told: tuple[str | None, frozenset[str], tuple[Grouping, ...]],
    skills: tuple[str, ...],
    now: datetime,
    seq: int,
) -> Gathered:
    class_id, members, groupings = told
    people = [_person(known[x], (class_id,) if class_id is not None and x in members else ()) for x in ids]
    wanted = _skills(known, recommender, people, skills)
    crowd = crowd_of(people, _abilities(ids, known, recommender, wanted, now), recommender.titles)
    rows = crowd.rows()
    contacts = contacts_of((e for x in ids for e in known[x].context.interactions), rows)
    before = [
        (microseconds(g.at), [[rows[x] for x in one.learner_ids if x in rows] for one in g.groups]) for g in groupings
    ]
    # Clocks of apps may run ahead.
    contacts = joined(contacts, grouped(before, len(ids))).before(microseconds(now) + 1)
    put_in = {x: (name,) for x, name in groupings[0].names()} if groupings else {}
    roster = tuple(
        replace(
            who_of(p.learner_id, known[p.learner_id].context, groups=put_in.get(p.learner_id, ())),
            class_ids=p.class_ids,
        )
        for p in people
    )
    return Gathered(
        crowd=crowd,
        contacts=contacts,
        standing=standing_of(contacts, microseconds(now)),
        roster=roster,
        known=known,
        recommender=recommender,
        groupings=groupings,
        affinity=affinity_from(None),
        seq=seq,
    )


def _person(known: KnownLearner, classes: Sequence[str]) -> Person:
    record = known.context.learner or Learner(learner_id=known.learner_id)
    return Person(
        learner_id=known.learner_id,
        class_ids=tuple(dict.fromkeys((*record.classes, *classes))),
        features=record.features,
        languages=record.languages,
        sharing=record.sharing,
        goal=goal_set(known),
        preferences=known.preferences,
    )


def _skills(
    known: Mapping[str, KnownLearner], recommender: Recommender, people: Sequence[Person], skills: Sequence[str]
) -> tuple[str, ...]:
    """What is looked at: what was asked for, goals, what is worked on most, and what each of these builds on."""
    taught, counts = recommender.offer.skills, Counter[str]()
    for one in known.values():
        for event in one.context.interactions:
            given = event.skills if event.skills is not None else taught.get(event.resource_id or "", ())
            counts.update(given)
    goals = sorted({s for p in people if p.goal for s in p.goal.skills})
    first = [*skills, *goals, *sorted(counts, key=lambda s: (-counts[s], s)), *sorted(recommender.skill_rows)]
    chosen: dict[str, None] = {}
    for skill in first:
        if len(chosen) >= MAX_SKILLS:
            break
        if skill in recommender.skill_rows or skill in counts or skill in recommender.graph:
            chosen.update(dict.fromkeys((skill, *recommender.graph.get(skill, ()))))
    return tuple(sorted(chosen))


def _abilities(
    ids: Sequence[str],
    known: Mapping[str, KnownLearner],
    recommender: Recommender,
    skills: tuple[str, ...],
    now: datetime,
) -> Abilities:
    states = [known[x].state for x in ids]
    told = [state for state in states if state is not None]
    if recommender.teaching is not None and len(told) == len(states):
        mastery, sure, answers = estimated(told, skills, recommender.teaching, now_us=microseconds(now))
    else:
        mastery, answers = counted([known[x].standing for x in ids], skills, recommender.offer.skills)
        sure = mastery
    ready = readiness_of(np.nan_to_num(mastery, nan=1.0), skills, recommender.graph)
    return abilities_of(skills, mastery, answers, ready, sure=sure)
