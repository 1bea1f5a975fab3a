"""The groups that teachers chose, in SQL."""

from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from engine.domain.grouping import Group, Grouping
from serving.storage import tables
from serving.storage.database import Database
from serving.storage.inserting import rules_counted
from serving.storage.rows import to_record, to_us

_table = tables.groupings
_decode = msgspec.json.Decoder(Grouping).decode


class SqlGroupings:
    """`GroupingStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant: str, grouping: Grouping) -> bool:
        """Insert or replace, in one transaction."""
        c = _table.c
        row = {"tenant": tenant, "grouping_id": grouping.grouping_id, **_told(grouping)}
        insert: Any = self._database.insert(_table).values(**row)
        mine = (c.tenant == tenant, c.grouping_id == grouping.grouping_id)
        async with self._database.writing() as connection:
            # Rules may be for a group, so every server has to notice.
            await connection.run_sync(rules_counted, tenant)
            is_new = (await connection.execute(insert.on_conflict_do_nothing())).rowcount == 1
            if not is_new:
                await connection.execute(update(_table).where(*mine).values(**_told(grouping)))
        return is_new

    async def of_class(self, tenant: str, class_id: str, *, limit: int) -> list[Grouping]:
        """Newest first; ids of one moment in the order of their code points, which is the same in every database."""
        c = _table.c
        wanted = select(c.record, c.at_us).where(c.tenant == tenant, c.class_id == class_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted.order_by(c.at_us.desc()))).all()
        found = [(-row.at_us, _decode(row.record)) for row in rows]
        return [grouping for _, grouping in sorted(found, key=lambda one: (one[0], one[1].grouping_id))][:limit]

    async def forget(self, tenant: str, learner_id: str) -> int:
        """Every record that names them is written anew without them."""
        c, changed = _table.c, 0
        # The text of a record holds the id as JSON writes it; where it stands is seen after decoding.
        named = select(c.record).where(c.tenant == tenant, c.record.contains(to_record(learner_id), autoescape=True))
        async with self._database.writing() as connection:
            for record in (await connection.execute(named)).scalars().all():
                before = _decode(record)
                after = _without(before, learner_id)
                if after != before:
                    mine = (c.tenant == tenant, c.grouping_id == before.grouping_id)
                    await connection.execute(update(_table).where(*mine).values(**_told(after)))
                    changed += 1
        return changed


def groups_now(connection: Connection, tenant: str) -> dict[str, tuple[str, ...]]:
    """By learner, the names of their groups in the newest grouping of each class."""
    c, later = _table.c, _table.alias()
    newest = select(func.max(later.c.at_us)).where(later.c.tenant == tenant, later.c.class_id == c.class_id)
    wanted = select(c.record).where(c.tenant == tenant, c.at_us == newest.scalar_subquery())
    found = sorted(map(_decode, connection.execute(wanted).scalars()), key=lambda one: one.grouping_id)
    names: dict[str, list[str]] = {}
    for grouping in {one.class_id: one for one in reversed(found)}.values():
        for learner_id, name in grouping.names():
            names.setdefault(learner_id, []).append(name)
    return {learner_id: tuple(theirs) for learner_id, theirs in names.items()}


def _told(grouping: Grouping) -> dict[str, Any]:
    return {"class_id": grouping.class_id, "at_us": to_us(grouping.at), "record": to_record(grouping)}


def _without(grouping: Grouping, learner_id: str) -> Grouping:
    def left(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(x for x in ids if x != learner_id)

    groups: list[Group] = [replace(g, learner_ids=left(g.learner_ids)) for g in grouping.groups]
    return replace(
        grouping,
        groups=tuple(g for g in groups if g.learner_ids),
        proposed=tuple(kept for kept in map(left, grouping.proposed) if kept),
    )
