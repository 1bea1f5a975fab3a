"""What a school offers, in SQL: resources that come, change and are withdrawn, and skills."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import select, update

from engine.domain.resource import Resource
from engine.domain.skill import Skill
from serving.storage import tables
from serving.storage.acts import Act, Change
from serving.storage.audit import write_entries
from serving.storage.awaited import AwaitedConnection
from serving.storage.database import Database
from serving.storage.offered import SyncCounts
from serving.storage.records import all_of, plain, put, standing, touch
from serving.storage.rows import known_time, to_record, to_us


class SqlCatalogue:
    """`CatalogueStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resources(self, tenant: str) -> list[Resource]:
        """Those offered now, by id."""
        return await all_of(self._database, tenant, tables.resources, Resource)

    async def withdrawn(self, tenant: str) -> list[Resource]:
        """Those offered once, each ending when it was withdrawn."""
        c = tables.resources.c
        gone = select(c.record_id, c.record, c.withdrawn_us).where(c.tenant == tenant, c.withdrawn_us.is_not(None))
        async with self._database.reading() as connection:
            found = sorted(tuple(row) for row in await connection.execute(gone))
        return [_ended(msgspec.json.decode(record, type=Resource), known_time(us)) for _, record, us in found]

    async def sync_resources(
        self,
        tenant: str,
        resources: Sequence[Resource],
        *,
        at: datetime,
        keep: frozenset[str] = frozenset(),
        dry_run: bool = False,
        act: Act | None = None,
    ) -> SyncCounts:
        """Compare and write under the tenant's lock, so that two syncs at once end as one of them."""
        wanted = {r.resource_id: to_record(r) for r in resources}
        async with self._database.writing() as connection:
            if not dry_run:
                await touch(connection, self._database, tenant, by=0)
            offered = await _offered(connection, tenant)
            changed = {x_id for x_id, record in wanted.items() if offered.get(x_id, record) != record}
            added = wanted.keys() - offered.keys()
            withdrawn = offered.keys() - wanted.keys() - keep
            if not dry_run and (added or changed or withdrawn):
                await put(connection, self._database, tenant, tables.resources, {i: wanted[i] for i in added | changed})
                await _withdraw(connection, tenant, withdrawn, at)
                await touch(connection, self._database, tenant)
                if act is not None:
                    change = _synced(offered, wanted, withdrawn, added | changed)
                    await connection.run_sync(write_entries, tenant, act, [change])
        unchanged = len(offered) - len(changed) - len(withdrawn)
        return SyncCounts(added=len(added), changed=len(changed), withdrawn=len(withdrawn), unchanged=unchanged)

    async def put_resources(self, tenant: str, resources: Sequence[Resource], *, act: Act | None = None) -> None:
        """Add or replace these; where nothing of them changes, nothing is written."""
        records = {r.resource_id: to_record(r) for r in resources}
        async with self._database.writing() as connection:
            await touch(connection, self._database, tenant, by=0)
            stood = await standing(connection, tenant, tables.resources, list(records))
            changed = {x: record for x, record in records.items() if stood.get(x) != record}
            if changed:
                await put(connection, self._database, tenant, tables.resources, changed, act=act)
                await touch(connection, self._database, tenant)

    async def change_resource(
        self, tenant: str, resource_id: str, change: Callable[[Resource], Resource], *, act: Act | None = None
    ) -> Resource | None:
        """Look and write under the tenant's lock, so that of two changes at once none is lost."""
        async with self._database.writing() as connection:
            stood = await self._locked(connection, tenant, resource_id)
            if stood is None:
                return None
            changed = change(msgspec.json.decode(stood, type=Resource))
            record = to_record(changed)
            if record != stood:
                await put(connection, self._database, tenant, tables.resources, {resource_id: record}, act=act)
                await touch(connection, self._database, tenant)
        return changed

    async def withdraw_resource(
        self, tenant: str, resource_id: str, *, at: datetime, act: Act | None = None
    ) -> Resource | None:
        """What the offer loses is told of it as it was."""
        async with self._database.writing() as connection:
            stood = await self._locked(connection, tenant, resource_id)
            if stood is None:
                return None
            await _withdraw(connection, tenant, {resource_id}, at)
            await touch(connection, self._database, tenant)
            if act is not None:
                change = Change(
                    action="resource.withdraw", kind="resource", object_id=resource_id, before=plain(stood), after=None
                )
                await connection.run_sync(write_entries, tenant, act, [change])
        return msgspec.json.decode(stood, type=Resource)

    async def _locked(self, connection: AwaitedConnection, tenant: str, resource_id: str) -> str | None:
        """The record of a resource on offer, None where it is not; the tenant's lock is held from here on."""
        await touch(connection, self._database, tenant, by=0)
        return (await standing(connection, tenant, tables.resources, [resource_id])).get(resource_id)

    async def skills(self, tenant: str) -> list[Skill]:
        """All skills, by id."""
        return await all_of(self._database, tenant, tables.skills, Skill)

    async def put_skills(self, tenant: str, skills: Sequence[Skill], *, act: Act | None = None) -> None:
        """Add or replace these."""
        async with self._database.writing() as connection:
            records = {s.skill_id: to_record(s) for s in skills}
            await put(connection, self._database, tenant, tables.skills, records, act=act)
            # Whoever answers from the catalogue also says the names of its skills.
            await touch(connection, self._database, tenant)


async def _offered(connection: AwaitedConnection, tenant: str) -> dict[str, str]:
    c = tables.resources.c
    wanted = select(c.record_id, c.record).where(c.tenant == tenant, c.withdrawn_us.is_(None))
    return {row.record_id: row.record for row in await connection.execute(wanted)}


def _synced(offered: Mapping[str, str], wanted: Mapping[str, str], withdrawn: set[str], put: set[str]) -> Change:
    """One change for a whole sync: the records it touched, as they were and as they are."""
    touched = sorted(withdrawn | put)
    return Change(
        action="catalogue.sync",
        kind="catalogue",
        object_id="resources",
        before={x: plain(offered[x]) for x in touched if x in offered},
        after={x: plain(wanted[x]) for x in touched if x in put},
        about=tuple(("resource", x) for x in touched),
    )


async def _withdraw(connection: AwaitedConnection, tenant: str, ids: set[str], at: datetime) -> None:
    table = tables.resources
    for x_id in sorted(ids):
        gone = update(table).where(table.c.tenant == tenant, table.c.record_id == x_id).values(withdrawn_us=to_us(at))
        await connection.execute(gone)


def _ended(resource: Resource, at: datetime) -> Resource:
    return replace(resource, available_until=min(at, resource.available_until or at))
