"""The audit in SQL: written in the transaction of the change it tells of, one chain for each tenant."""

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from serving.storage import tables
from serving.storage.acts import Act, Change, Content, Entry, Wanted
from serving.storage.chain import ERASE, ROOT, linked
from serving.storage.database import Database
from serving.storage.inserting import insert_new, next_seq

_chain, _contents, _subjects = tables.audit.c, tables.audit_contents.c, tables.audit_subjects.c
_AT_ONCE = 500


def write_entries(connection: Connection, tenant: str, act: Act, changes: Sequence[Change]) -> None:
    """Add an entry for each change; holds the tenant's lock until the transaction ends, so the chain never forks.

    Call it in the transaction that makes the changes, from async code by `connection.run_sync`. Where it writes to
    rows that others write to as well, take the lock first, with `next_seq(connection, tenant, 0)`.
    """
    if not changes:
        return
    next_seq(connection, tenant, 0)
    last = select(_chain.seq, _chain.hash).where(_chain.tenant == tenant).order_by(_chain.seq.desc()).limit(1)
    seq, head = connection.execute(last).one_or_none() or (0, ROOT)
    entries = []
    for change in changes:
        seq += 1
        entry = linked(tenant, seq, head, act, change, salt=secrets.token_hex(16))
        head = entry.hash
        entries.append(entry)
    connection.execute(tables.audit.insert(), [_facts(entry) for entry in entries])
    contents = [(tenant, e.seq, c.salt, c.told, c.before, c.after) for e in entries if (c := e.content)]
    insert_new(connection, tables.audit_contents, contents)
    about = [
        (tenant, kind, x_id, entry.seq)
        for entry, change in zip(entries, changes, strict=True)
        for kind, x_id in change.subjects()
    ]
    insert_new(connection, tables.audit_subjects, about)


class SqlAudit:
    """`AuditStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, tenant: str, act: Act, *changes: Change) -> None:
        """In a transaction of its own."""
        async with self._database.writing() as connection:
            await connection.run_sync(write_entries, tenant, act, changes)

    async def entries(self, tenant: str, wanted: Wanted, *, before: int | None, limit: int) -> list[Entry]:
        """Newest first."""
        chosen = _whole(tenant).order_by(_chain.seq.desc()).limit(limit)
        if before is not None:
            chosen = chosen.where(_chain.seq < before)
        if wanted.kind is not None:
            chosen = chosen.where(_chain.kind == wanted.kind)
        if wanted.actor is not None:
            chosen = chosen.where(_chain.actor == wanted.actor)
        if wanted.object_id is not None:
            kinds = {} if wanted.kind is None else {"kind": wanted.kind}
            chosen = chosen.where(_chain.seq.in_(_about(tenant, wanted.object_id, **kinds)))
        if wanted.learner_id is not None:
            chosen = chosen.where(_chain.seq.in_(_about(tenant, wanted.learner_id, kind="learner")))
        return await self._read(chosen)

    async def after(self, tenant: str, seq: int, limit: int) -> list[Entry]:
        """Oldest first."""
        return await self._read(_whole(tenant).where(_chain.seq > seq).order_by(_chain.seq).limit(limit))

    async def head(self, tenant: str) -> tuple[int, str]:
        """The last one."""
        last = select(_chain.seq, _chain.hash).where(_chain.tenant == tenant).order_by(_chain.seq.desc()).limit(1)
        found = await self._database.read(lambda connection: connection.execute(last).one_or_none())
        return (0, ROOT) if found is None else (int(found.seq), str(found.hash))

    async def tenants(self) -> list[str]:
        """By name."""
        named = select(_chain.tenant).distinct()
        async with self._database.reading() as connection:
            return sorted((await connection.execute(named)).scalars())

    async def erase(self, tenant: str, learner_id: str, act: Act) -> int:
        """Contents and salts of all that speaks of the learner, and an entry that says which were erased."""
        async with self._database.writing() as connection:
            return int(await connection.run_sync(_erased, tenant, learner_id, act))

    async def _read(self, chosen: Select[Any]) -> list[Entry]:
        async with self._database.reading() as connection:
            return [_entry(row) for row in (await connection.execute(chosen)).mappings()]


def _erased(connection: Connection, tenant: str, learner_id: str, act: Act) -> int:
    next_seq(connection, tenant, 0)
    seqs = sorted(connection.execute(_about(tenant, learner_id, kind="learner")).scalars())
    for start in range(0, len(seqs), _AT_ONCE):
        some = seqs[start : start + _AT_ONCE]
        for table in (tables.audit_contents, tables.audit_subjects):
            connection.execute(delete(table).where(table.c.tenant == tenant, table.c.seq.in_(some)))
    if seqs:
        change = Change(action=ERASE, kind="audit", object_id="", after={"entries": seqs})
        write_entries(connection, tenant, act, [change])
    return len(seqs)


def _about(tenant: str, x_id: str, *, kind: str | None = None) -> Select[Any]:
    """The numbers of what speaks of this thing."""
    found = select(_subjects.seq).where(_subjects.tenant == tenant, _subjects.subject_id == x_id)
    return found if kind is None else found.where(_subjects.kind == kind)


def _whole(tenant: str) -> Select[Any]:
    """Entries with what is still there of their contents."""
    joined = tables.audit.outerjoin(
        tables.audit_contents, (_chain.tenant == _contents.tenant) & (_chain.seq == _contents.seq)
    )
    wanted = (*tables.audit.columns, _contents.salt, _contents.told, _contents.before, _contents.after)
    return select(*wanted).select_from(joined).where(_chain.tenant == tenant)


def _facts(entry: Entry) -> dict[str, Any]:
    return {column.name: getattr(entry, column.name) for column in tables.audit.columns}


def _entry(row: Any) -> Entry:
    content = None
    if row["salt"] is not None:
        content = Content(salt=row["salt"], told=row["told"], before=row["before"], after=row["after"])
    return Entry(**{column.name: row[column.name] for column in tables.audit.columns}, content=content)
