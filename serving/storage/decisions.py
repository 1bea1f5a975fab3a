"""What was offered to whom, one line per slot."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, func, select

from engine.domain.decision import Decision, NearTie, RuleHeld
from serving.storage import tables
from serving.storage.database import Database
from serving.storage.inserting import insert_new, next_seq
from serving.storage.port import Slot
from serving.storage.rows import Row, known_time, to_us

_encode = msgspec.json.Encoder().encode
_near_ties = msgspec.json.Decoder(tuple[NearTie, ...]).decode
_rules = msgspec.json.Decoder(tuple[RuleHeld, ...]).decode


class SqlDecisions:
    """`DecisionStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, tenant: str, *decisions: Decision) -> None:
        """All slots in one transaction, each decision's under one `seq`; one that was told before stays as it is."""
        if decisions:
            await self._database.write(record_all, _Told(tenant, decisions))

    async def after(self, tenant: str, seq: int, limit: int) -> list[Slot]:
        """One page; the decisions are picked first, so that none is cut in half."""
        c = tables.decisions.c
        some = select(c.seq).where(c.tenant == tenant, c.seq > seq).distinct().order_by(c.seq).limit(limit).subquery()
        last = select(func.max(some.c.seq))
        page = (
            select(tables.decisions)
            .where(c.tenant == tenant, c.seq > seq, c.seq <= last.scalar_subquery())
            .order_by(c.seq, c.slot)
        )
        async with self._database.reading() as connection:
            return [_slot_of(dict(row)) for row in (await connection.execute(page)).mappings()]


@dataclass(frozen=True, slots=True)
class _Told:
    tenant: str
    decisions: Sequence[Decision]

    def __len__(self) -> int:
        return sum(len(decision.slate) for decision in self.decisions)


def record_all(connection: Connection, told: Sequence[_Told]) -> list[None]:
    """Decisions of several askers, tenant by tenant in one order so that nobody waits in a ring."""
    by_tenant: dict[str, dict[str, Decision]] = {}
    for one in told:
        by_tenant.setdefault(one.tenant, {}).update({d.decision_id: d for d in one.decisions})
    for tenant, theirs in sorted(by_tenant.items()):
        last = next_seq(connection, tenant, len(theirs))
        rows = [
            tuple(({"tenant": tenant, "seq": seq} | row)[column.name] for column in tables.decisions.columns)
            for seq, decision in enumerate(theirs.values(), last - len(theirs) + 1)
            for row in _slot_rows(decision)
        ]
        insert_new(connection, tables.decisions, rows)
    return [None] * len(told)


def _slot_rows(decision: Decision) -> list[Row]:
    made: Row = {
        "decision_id": decision.decision_id,
        "at_us": to_us(decision.at),
        "learner_id": decision.learner_id,
        "class_id": decision.class_id,
        "mode": decision.mode,
        "bundle": decision.bundle,
        "catalogue_hash": decision.catalogue_hash,
        "rules": _encode(decision.rules).decode(),
    }
    slots: list[Row] = [
        {
            "slot": option.rank,
            "resource_id": option.resource_id,
            "score": option.score,
            "propensity": option.propensity,
            "origin": option.origin,
            "near_ties": _encode(option.near_ties).decode(),
        }
        for option in decision.slate
    ]
    empty: Row = {"slot": 0, "resource_id": None, "score": None, "propensity": None, "origin": None, "near_ties": "[]"}
    return [made | slot for slot in slots or [empty]]


def _slot_of(row: Row) -> Slot:
    at, near_ties, rules = known_time(row.pop("at_us")), _near_ties(row.pop("near_ties")), _rules(row.pop("rules"))
    del row["tenant"]
    return Slot(at=at, near_ties=near_ties, rules=rules, **row)
