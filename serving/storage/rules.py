"""Rules and overrides with all their versions, and the count of changes that every reader sees."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Select, delete, func, select

from serving.storage import tables
from serving.storage.acts import COMMAND, Act, Change
from serving.storage.audit import write_entries
from serving.storage.awaited import AwaitedConnection
from serving.storage.database import Database
from serving.storage.groupings import in_order
from serving.storage.inserting import rules_counted
from serving.storage.port import KeptRule, Standing
from serving.storage.rows import from_us, known_time, to_us

_rules, _versions, _frozen = tables.rules, tables.rule_versions, tables.frozen_paths
_VERSION_COLUMNS = [column.name for column in tables.rule_versions.columns]
# So many of each class are read with the rules: the one that holds, those planned ahead, and the last before.
_MOST_GROUPINGS = 12
_names = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlRules:
    """`RuleStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, tenant: str) -> Standing:
        """What stands now; four statements on one snapshot."""
        t = tables.tenants.c
        version = select(t.rules_version, t.catalogue_version).where(t.tenant == tenant)
        found = select(_rules).where(_rules.c.tenant == tenant, _rules.c.ended_us.is_(None)).order_by(_rules.c.rule_id)
        paths = select(_frozen).where(
            _frozen.c.tenant == tenant,
            _frozen.c.rule_id.in_(
                select(_rules.c.rule_id).where(_rules.c.tenant == tenant, _rules.c.ended_us.is_(None))
            ),
        )
        async with self._database.snapshot() as connection:
            stands = (await connection.execute(version)).one_or_none()
            at, offer = (0, 0) if stands is None else (stands.rules_version, stands.catalogue_version)
            rules = tuple(_kept(row) for row in (await connection.execute(found)).mappings())
            frozen: dict[str, dict[str, tuple[str, ...]]] = {}
            for row in await connection.execute(paths):
                frozen.setdefault(row.rule_id, {})[row.learner_id] = _names(row.resources)
            groupings = in_order((await connection.execute(_last_groupings(tenant))).all())
        return Standing(version=at, catalogue_version=offer, rules=rules, frozen=frozen, groupings=tuple(groupings))

    async def find(self, tenant: str, rule_id: str) -> KeptRule | None:
        """The last version of one of them."""
        found = await self._read(select(_rules).where(_rules.c.tenant == tenant, _rules.c.rule_id == rule_id))
        return found[0] if found else None

    async def versions(self, tenant: str, rule_id: str) -> list[KeptRule]:
        """All versions of one of them, oldest first."""
        mine = (_versions.c.tenant == _rules.c.tenant) & (_versions.c.rule_id == _rules.c.rule_id)
        told = select(
            _versions, _rules.c.origin, _rules.c.verb, _rules.c.scope_kind, _rules.c.scope_id, _rules.c.created_us
        ).join(_rules, mine)
        wanted = told.where(_rules.c.tenant == tenant, _rules.c.rule_id == rule_id).order_by(_versions.c.version)
        return await self._read(wanted)

    async def page(
        self, tenant: str, *, origin: str, after: str, limit: int, scope: tuple[str, str] | None, verb: str | None
    ) -> list[KeptRule]:
        """One page of the last versions, by id."""
        wanted = select(_rules).where(_rules.c.tenant == tenant, _rules.c.origin == origin, _rules.c.rule_id > after)
        if scope is not None:
            wanted = wanted.where(_rules.c.scope_kind == scope[0], _rules.c.scope_id == scope[1])
        if verb is not None:
            wanted = wanted.where(_rules.c.verb == verb)
        return await self._read(wanted.order_by(_rules.c.rule_id).limit(limit))

    async def put(
        self,
        tenant: str,
        rule: KeptRule,
        *,
        seen: int,
        frozen: Mapping[str, tuple[str, ...]] | None = None,
        act: Act | None = None,
    ) -> bool:
        """Compare and write under the tenant's lock, so that of two at once the second looks again."""
        async with self._database.writing() as connection:
            if await connection.run_sync(rules_counted, tenant) != seen + 1:
                await connection.rollback()
                return False
            stood = select(_rules).where(_rules.c.tenant == tenant, _rules.c.rule_id == rule.rule_id)
            before = (await connection.execute(stood)).mappings().one_or_none()
            insert: Any = self._database.insert(_rules)
            row = _row(tenant, rule)
            changed = {name: insert.excluded[name] for name in row if name not in ("tenant", "rule_id", "created_us")}
            put = insert.on_conflict_do_update(index_elements=["tenant", "rule_id"], set_=changed)
            await connection.execute(put, row)
            version = {name: row[name] for name in _VERSION_COLUMNS}
            await connection.execute(self._database.insert(_versions), version)
            if frozen is not None:
                await self._freeze(connection, tenant, rule.rule_id, frozen)
            change = _change(None if before is None else _kept(before), rule)
            await connection.run_sync(write_entries, tenant, act or _act(rule), [change])
        return True

    async def _freeze(
        self, connection: AwaitedConnection, tenant: str, rule_id: str, frozen: Mapping[str, tuple[str, ...]]
    ) -> None:
        await connection.execute(delete(_frozen).where(_frozen.c.tenant == tenant, _frozen.c.rule_id == rule_id))
        rows = [
            {"tenant": tenant, "rule_id": rule_id, "learner_id": x, "resources": msgspec.json.encode(names).decode()}
            for x, names in sorted(frozen.items())
        ]
        if rows:
            await connection.execute(self._database.insert(_frozen), rows)

    async def _read(self, wanted: Select[Any]) -> list[KeptRule]:
        async with self._database.reading() as connection:
            return [_kept(row) for row in (await connection.execute(wanted)).mappings()]


def _last_groupings(tenant: str) -> Select[Any]:
    g = tables.groupings.c
    place = func.row_number().over(partition_by=g.class_id, order_by=(g.at_us.desc(), g.grouping_id))
    mine = select(g.record, g.at_us, place.label("place")).where(g.tenant == tenant).subquery()
    return select(mine.c.record, mine.c.at_us).where(mine.c.place <= _MOST_GROUPINGS)


def _act(rule: KeptRule) -> Act:
    """Who changed it, where no key did."""
    reason = msgspec.json.decode(rule.record).get("reason")
    return Act(at=rule.at, actor=COMMAND, author=rule.author, reason=reason)


def _change(before: KeptRule | None, after: KeptRule) -> Change:
    """What the audit is told of a new version."""
    kind, scope_id = after.scope
    told = [_told(one) for one in (before, after) if one is not None]
    learners = {x for one in told for x in (one["record"].get("what") or {}).get("learners", ())}
    learners |= {one.scope[1] for one in (before, after) if one is not None and one.scope[0] == "learner_id"}
    return Change(
        action=f"{after.origin}.{after.action}",
        kind=after.origin,
        object_id=after.rule_id,
        scope={kind: scope_id} if scope_id else {},
        before=None if before is None else told[0],
        after=told[-1],
        about=tuple(("learner", x) for x in sorted(learners)),
    )


def _told(rule: KeptRule) -> dict[str, Any]:
    record = msgspec.json.decode(rule.record)
    return {"version": rule.version, "ended_at": rule.ended_at, "record": record}


def _kept(row: Mapping[Any, Any]) -> KeptRule:
    return KeptRule(
        rule_id=row["rule_id"],
        origin=row["origin"],
        verb=row["verb"],
        scope=(row["scope_kind"], row["scope_id"]),
        version=row["version"],
        record=row["record"],
        created_at=known_time(row["created_us"]),
        at=known_time(row["at_us"]),
        action=row["action"],
        author=row["author"],
        ended_at=from_us(row["ended_us"]),
    )


def _row(tenant: str, rule: KeptRule) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "rule_id": rule.rule_id,
        "origin": rule.origin,
        "verb": rule.verb,
        "scope_kind": rule.scope[0],
        "scope_id": rule.scope[1],
        "version": rule.version,
        "record": rule.record,
        "created_us": to_us(rule.created_at),
        "at_us": to_us(rule.at),
        "action": rule.action,
        "author": rule.author,
        "ended_us": to_us(rule.ended_at),
    }
