"""Records that are read and written as a whole: those of learners and classes, and what all of them share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Table, func, select

from engine.domain.learner import Learner, SchoolClass
from serving.storage import tables
from serving.storage.acts import Act, Change
from serving.storage.audit import write_entries
from serving.storage.awaited import AwaitedConnection
from serving.storage.database import Database
from serving.storage.port import Met
from serving.storage.rows import to_record

Noun = TypeVar("Noun")
_KINDS = {"resources": "resource", "skills": "skill", "learners": "learner", "classes": "class"}
_READ_BACK = 500


class SqlPeople:
    """`PeopleStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def learners(self, tenant: str) -> list[Learner]:
        """All learners with a record, by id."""
        return await all_of(self._database, tenant, tables.learners, Learner)

    async def put_learners(
        self,
        tenant: str,
        learners: Sequence[Learner],
        *,
        untold: Collection[str] = (),
        act: Act | None = None,
    ) -> list[Learner]:
        """What stands is looked up under the tenant's lock, so that no opt-out is lost to a sync at the same moment."""
        async with self._database.writing() as connection:
            if untold:
                await touch(connection, self._database, tenant, by=0)
                stood = await standing(connection, tenant, tables.learners, list(untold))
                kept = {x: msgspec.json.decode(record, type=Learner).sharing for x, record in stood.items()}
                learners = [replace(x, sharing=kept.get(x.learner_id, x.sharing)) for x in learners]
            records = {x.learner_id: to_record(x) for x in learners}
            await put(connection, self._database, tenant, tables.learners, records, act=act)
        return list(learners)

    async def members(self, tenant: str, class_id: str) -> list[str]:
        """Those whose record names the class, and those with events in it."""
        c, e = tables.learners.c, tables.interactions.c
        # The text of a record holds the id as JSON writes it; which field it stands in is seen after decoding.
        named = select(c.record).where(c.tenant == tenant, c.record.contains(to_record(class_id), autoescape=True))
        met = select(e.learner_id).where(e.tenant == tenant, e.class_id == class_id).distinct()
        async with self._database.reading() as connection:
            records = [msgspec.json.decode(r, type=Learner) for r in (await connection.execute(named)).scalars()]
            found = set((await connection.execute(met)).scalars())
        return sorted(found | {x.learner_id for x in records if class_id in x.classes})

    async def met(self, tenant: str) -> list[Met]:
        """One look through the log."""
        e = tables.interactions.c
        named = (e.learner_id, e.class_id, e.group_id)
        wanted = select(*named).where(e.tenant == tenant).group_by(*named).order_by(func.max(e.seq))
        async with self._database.reading() as connection:
            found = await connection.execute(wanted)
            return [Met(learner_id=r.learner_id, class_id=r.class_id, group_id=r.group_id) for r in found]

    async def classes(self, tenant: str) -> list[SchoolClass]:
        """All classes, by id."""
        return await all_of(self._database, tenant, tables.classes, SchoolClass)

    async def put_classes(self, tenant: str, classes: Sequence[SchoolClass], *, act: Act | None = None) -> None:
        """Add or replace these."""
        async with self._database.writing() as connection:
            records = {c.class_id: to_record(c) for c in classes}
            await put(connection, self._database, tenant, tables.classes, records, act=act)


async def all_of(database: Database, tenant: str, table: Table, noun: type[Noun]) -> list[Noun]:
    """Records in the order of their ids' code points, which is the same in every database."""
    wanted = select(table.c.record_id, table.c.record).where(table.c.tenant == tenant, table.c.withdrawn_us.is_(None))
    async with database.reading() as connection:
        found = sorted(map(tuple, await connection.execute(wanted)))
    decode = msgspec.json.Decoder(noun).decode
    return [decode(record) for _, record in found]


async def put(
    connection: AwaitedConnection,
    database: Database,
    tenant: str,
    table: Table,
    records: Mapping[str, str],
    *,
    act: Act | None = None,
) -> None:
    """Add or replace records by their ids; with an `act`, the audit is told of those that change."""
    if not records:
        return
    if act is not None:
        # The lock first: what stands before is what this replaces.
        await touch(connection, database, tenant, by=0)
        stood = await standing(connection, tenant, table, list(records))
        changes = _replaced(_KINDS[table.name], stood, records)
        await connection.run_sync(write_entries, tenant, act, changes)
    insert: Any = database.insert(table)
    upsert = insert.on_conflict_do_update(
        index_elements=["tenant", "record_id"], set_={"record": insert.excluded.record, "withdrawn_us": None}
    )
    rows = [{"tenant": tenant, "record_id": x, "record": r, "withdrawn_us": None} for x, r in records.items()]
    await connection.execute(upsert, rows)


async def standing(connection: AwaitedConnection, tenant: str, table: Table, ids: Sequence[str]) -> dict[str, str]:
    """What stands under these ids and was not withdrawn."""
    stood: dict[str, str] = {}
    for start in range(0, len(ids), _READ_BACK):
        some = table.c.record_id.in_(ids[start : start + _READ_BACK])
        wanted = select(table.c.record_id, table.c.record).where(
            table.c.tenant == tenant, some, table.c.withdrawn_us.is_(None)
        )
        stood.update({row.record_id: row.record for row in await connection.execute(wanted)})
    return stood


def _replaced(kind: str, stood: Mapping[str, str], records: Mapping[str, str]) -> list[Change]:
    """One change for each record that is new or other than what stood."""
    return [
        Change(
            action=f"{kind}.put",
            kind=kind,
            object_id=x_id,
            scope={f"{kind}_id": x_id} if kind in ("learner", "class") else {},
            before=plain(stood.get(x_id)),
            after=plain(record),
        )
        for x_id, record in records.items()
        if stood.get(x_id) != record
    ]


def plain(record: str | None) -> object:
    """A record as the audit keeps it; None where none stood."""
    return None if record is None else msgspec.json.decode(record)


async def touch(connection: AwaitedConnection, database: Database, tenant: str, *, by: int = 1) -> None:
    """Count a change of the offer; also takes the tenant's lock until the transaction ends."""
    insert = database.insert(tables.tenants).values(tenant=tenant, seq=0, catalogue_version=by)
    counted = {"catalogue_version": tables.tenants.c.catalogue_version + by}
    await connection.execute(insert.on_conflict_do_update(index_elements=["tenant"], set_=counted))
