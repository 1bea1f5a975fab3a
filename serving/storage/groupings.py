"""The groups that teachers chose, in SQL."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, select, update

from engine.domain.grouping import Group, Grouping, group_ids_of
from serving.storage import tables
from serving.storage.acts import Act, Change
from serving.storage.audit import write_entries
from serving.storage.awaited import AwaitedConnection
from serving.storage.chosen import Check
from serving.storage.database import Database
from serving.storage.inserting import rules_counted
from serving.storage.rows import to_record, to_us

_table = tables.groupings
_decode = msgspec.json.Decoder(Grouping).decode


class SqlGroupings:
    """`GroupingStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant: str, grouping: Grouping, *, act: Act | None = None, check: Check | None = None) -> bool:
        """Look, then insert or replace, under the tenant's lock."""
        async with self._database.writing() as connection:
            # Rules may be for a group, so every server has to notice.
            await connection.run_sync(rules_counted, tenant)
            stood = await _standing(connection, tenant, grouping.grouping_id)
            if stood is not None and stood.class_id != grouping.class_id:
                return False
            if check is not None:
                check(stood)
            if stood is None:
                row = {"tenant": tenant, "grouping_id": grouping.grouping_id, **_told(grouping)}
                await connection.execute(_table.insert().values(**row))
            else:
                mine = _of_id(tenant, grouping.grouping_id)
                await connection.execute(update(_table).where(*mine).values(**_told(grouping)))
            if act is not None and stood != grouping:
                await connection.run_sync(write_entries, tenant, act, [_change("put", stood, grouping)])
        return True

    async def delete(
        self, tenant: str, grouping_id: str, *, act: Act | None = None, check: Check | None = None
    ) -> Grouping | None:
        """The row and its entry in the audit, in one transaction."""
        async with self._database.writing() as connection:
            await connection.run_sync(rules_counted, tenant)
            stood = await _standing(connection, tenant, grouping_id)
            if stood is None:
                return None
            if check is not None:
                check(stood)
            await connection.execute(delete(_table).where(*_of_id(tenant, grouping_id)))
            if act is not None:
                await connection.run_sync(write_entries, tenant, act, [_change("delete", stood, None)])
        return stood

    async def of_class(self, tenant: str, class_id: str, *, limit: int) -> list[Grouping]:
        """Newest first; ids of one moment in the order of their code points, which is the same in every database."""
        c = _table.c
        wanted = select(c.record, c.at_us).where(c.tenant == tenant, c.class_id == class_id)
        async with self._database.reading() as connection:
            return in_order((await connection.execute(wanted)).all())[:limit]

    async def forget(self, tenant: str, learner_id: str) -> int:
        """Every record that names them is written anew without them."""
        c, changed = _table.c, 0
        # The text of a record holds the id as JSON writes it; where it stands is seen after decoding.
        named = select(c.record).where(c.tenant == tenant, c.record.contains(to_record(learner_id), autoescape=True))
        async with self._database.writing() as connection:
            await connection.run_sync(rules_counted, tenant)
            for record in (await connection.execute(named)).scalars().all():
                before = _decode(record)
                after = _without(before, learner_id)
                if after != before:
                    mine = (c.tenant == tenant, c.grouping_id == before.grouping_id)
                    await connection.execute(update(_table).where(*mine).values(**_told(after)))
                    changed += 1
        return changed


async def _standing(connection: AwaitedConnection, tenant: str, grouping_id: str) -> Grouping | None:
    wanted = select(_table.c.record).where(*_of_id(tenant, grouping_id))
    record = (await connection.execute(wanted)).scalar_one_or_none()
    return None if record is None else _decode(record)


def _of_id(tenant: str, grouping_id: str) -> tuple[ColumnElement[bool], ...]:
    return (_table.c.tenant == tenant, _table.c.grouping_id == grouping_id)


def _change(action: str, before: Grouping | None, after: Grouping | None) -> Change:
    """What the audit is told; everybody who stands in the groups has a say in how long it is kept."""
    told = [g for g in (after, before) if g is not None]
    named = {x for g in told for ids in (*(one.learner_ids for one in g.groups), *g.proposed) for x in ids}
    return Change(
        action=f"grouping.{action}",
        kind="grouping",
        object_id=told[0].grouping_id,
        scope={"class_id": told[0].class_id},
        before=msgspec.to_builtins(before),
        after=msgspec.to_builtins(after),
        about=tuple(("learner", x) for x in sorted(named)),
    )


def in_order(rows: Iterable[Any]) -> list[Grouping]:
    """Groupings of rows with `record` and `at_us`, newest first, those of one moment by the code points of ids."""
    found = [(-row.at_us, _decode(row.record)) for row in rows]
    return [grouping for _, grouping in sorted(found, key=lambda one: (one[0], one[1].grouping_id))]


def _told(grouping: Grouping) -> dict[str, Any]:
    return {"class_id": grouping.class_id, "at_us": to_us(grouping.at), "record": to_record(grouping)}


def _without(grouping: Grouping, learner_id: str) -> Grouping:
    def left(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(x for x in ids if x != learner_id)

    if not any(learner_id in ids for ids in (*(g.learner_ids for g in grouping.groups), *grouping.proposed)):
        return grouping
    # A group keeps its name though one before it may be gone.
    names = group_ids_of(grouping)
    groups: list[Group] = [
        replace(g, learner_ids=left(g.learner_ids), group_id=name)
        for g, name in zip(grouping.groups, names, strict=True)
    ]
    return replace(
        grouping,
        groups=tuple(g for g in groups if g.learner_ids),
        proposed=tuple(kept for kept in map(left, grouping.proposed) if kept),
    )
