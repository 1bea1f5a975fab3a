"""The interactions of every tenant, in the order they were told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage import tables
from serving.storage.database import Database
from serving.storage.port import Appended, KeptState, LearnerContext
from serving.storage.rows import InteractionRow, interaction_of, interaction_row, to_us

OTHER_CONTENT = "event_id was used before for an event with other content; give each event its own id"
_READ_BACK = 500

_events = tables.interactions.c
_theirs: Any = bindparam("learners", expanding=True)
_of_learners = (
    select(tables.interactions)
    .where(_events.tenant == bindparam("tenant"), _events.learner_id.in_(_theirs))
    .order_by(_events.learner_id, _events.seq)
)
_states = select(
    tables.learner_states.c.learner_id, tables.learner_states.c.seq, tables.learner_states.c.content
).where(tables.learner_states.c.tenant == bindparam("tenant"), tables.learner_states.c.learner_id.in_(_theirs))
_tenant = select(tables.tenants.c.seq, tables.tenants.c.catalogue_version).where(
    tables.tenants.c.tenant == bindparam("tenant")
)
_learners = select(tables.learners.c.record_id, tables.learners.c.record).where(
    tables.learners.c.tenant == bindparam("tenant"), tables.learners.c.record_id.in_(_theirs)
)
_classes = select(tables.classes.c.record_id, tables.classes.c.record).where(
    tables.classes.c.tenant == bindparam("tenant"),
    tables.classes.c.record_id.in_(bindparam("classes", expanding=True)),
)


class SqlEvents:
    """`EventStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self, tenant: str, interactions: Sequence[Interaction], *, stamp: datetime | None = None
    ) -> Appended:
        """Insert what is new, then read back what stands under each id: its `seq` is ours, or it was there before."""
        stamp_us = to_us(stamp)
        async with self._database.writing() as connection:
            last = await next_seq(connection, self._database, tenant, len(interactions))
            first = last - len(interactions) + 1
            rows = [interaction_row(tenant, first + i, e, stamp_us) for i, e in enumerate(interactions)]
            if not rows:
                return Appended(accepted=0, duplicates=0, rejected=(), seq=last)
            if await self._database.insert_new(connection, tables.interactions, rows) == len(rows):
                return Appended(accepted=len(rows), duplicates=0, rejected=(), seq=last)
            kept = await _kept(connection, tenant, [row.event_id for row in rows])
        timeless = {first + i for i, e in enumerate(interactions) if e.at is None}
        verdicts = [_verdict(row, kept[row.event_id], row.seq in timeless) for row in rows]
        return Appended(
            accepted=verdicts.count("accepted"),
            duplicates=verdicts.count("duplicate"),
            rejected=tuple((i, OTHER_CONTENT) for i, verdict in enumerate(verdicts) if verdict == "other"),
            seq=last,
        )

    async def after(self, tenant: str, seq: int, limit: int) -> list[tuple[int, Interaction]]:
        """One page, oldest first."""
        page = (
            select(tables.interactions)
            .where(_events.tenant == tenant, _events.seq > seq)
            .order_by(_events.seq)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [(r["seq"], interaction_of(r)) for r in (await connection.execute(page)).mappings()]

    async def context(self, tenant: str, learner_id: str, class_id: str | None = None) -> LearnerContext:
        """One learner's."""
        return (await self.contexts(tenant, [learner_id], class_id))[learner_id]

    async def contexts(
        self, tenant: str, learner_ids: Sequence[str], class_id: str | None = None
    ) -> dict[str, LearnerContext]:
        """Read how far the store is first: what is read after it holds at least as much.

        The states are read before the events, so that they never know more than those do.
        """
        asked = {"tenant": tenant, "learners": list(dict.fromkeys(learner_ids))}
        async with self._database.reading() as connection:
            at = (await connection.execute(_tenant, {"tenant": tenant})).one_or_none()
            states = {
                s.learner_id: KeptState(seq=s.seq, content=s.content) for s in await connection.execute(_states, asked)
            }
            events = (await connection.execute(_of_learners, asked)).mappings().all()
            records = (await connection.execute(_learners, asked)).all()
            learners = {r.record_id: msgspec.json.decode(r.record, type=Learner) for r in records}
            class_ids = {c for x in learners.values() for c in x.classes} | ({class_id} if class_id else set())
            classes = await _classes_named(connection, tenant, class_ids)
        told: dict[str, list[Any]] = {learner_id: [] for learner_id in asked["learners"]}
        for event in events:
            told[event["learner_id"]].append(event)
        return {
            learner_id: LearnerContext(
                learner=learners.get(learner_id),
                interactions=[interaction_of(e) for e in theirs],
                arrived=[e["seq"] for e in theirs],
                state=states.get(learner_id),
                classes=_of_whom(classes, learners.get(learner_id), class_id),
                seq=at.seq if at else 0,
                catalogue_version=at.catalogue_version if at else 0,
            )
            for learner_id, theirs in told.items()
        }


def _of_whom(
    classes: Mapping[str, SchoolClass], learner: Learner | None, class_id: str | None
) -> dict[str, SchoolClass]:
    """The classes that say something of this learner."""
    named = {*(learner.classes if learner else ()), class_id}
    return {c: found for c, found in classes.items() if c in named}


async def next_seq(connection: AsyncConnection, database: Database, tenant: str, n: int) -> int:
    """Take `n` numbers of the tenant and give the last; holds the tenant's lock until the transaction ends."""
    insert = database.insert(tables.tenants).values(tenant=tenant, seq=n, catalogue_version=0)
    taken = insert.on_conflict_do_update(index_elements=["tenant"], set_={"seq": tables.tenants.c.seq + n}).returning(
        tables.tenants.c.seq
    )
    return int((await connection.execute(taken)).scalar_one())


async def _kept(connection: AsyncConnection, tenant: str, event_ids: list[str]) -> dict[str, Any]:
    """What stands under these ids now: `seq`, `content_hash` and `at_us` of each."""
    columns = select(_events.event_id, _events.seq, _events.content_hash, _events.at_us)
    kept = {}
    for start in range(0, len(event_ids), _READ_BACK):
        some = event_ids[start : start + _READ_BACK]
        # The concatenation keeps SQLite from walking the whole tenant by its primary key.
        theirs = _events.tenant.concat("") == tenant
        found = await connection.execute(columns.where(_events.event_id.in_(some), theirs))
        kept.update({row.event_id: row for row in found})
    return kept


def _verdict(row: InteractionRow, kept: Any, timeless: bool) -> str:
    if kept.seq == row.seq:
        return "accepted"
    same = kept.content_hash == row.content_hash and (timeless or kept.at_us == row.at_us)
    return "duplicate" if same else "other"


async def _classes_named(connection: AsyncConnection, tenant: str, class_ids: set[str]) -> dict[str, SchoolClass]:
    if not class_ids:
        return {}
    found = await connection.execute(_classes, {"tenant": tenant, "classes": sorted(class_ids)})
    return {row.record_id: msgspec.json.decode(row.record, type=SchoolClass) for row in found}
