"""What was offered to whom: a row for each decision, read as one line per slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from sqlalchemy import select

from engine.domain.decision import Decision
from serving.storage import tables
from serving.storage.database import Database
from serving.storage.glance import Looking
from serving.storage.inserting import insert_new, next_seq
from serving.storage.port import Slot
from serving.storage.rows import Row, known_time, to_us
from serving.storage.slates import Offered, rules_of, rules_text, slots_of, slots_text

_NOTHING = (Offered(0, None, None, None, None, ()),)


class SqlDecisions:
    """`DecisionStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, tenant: str, *decisions: Decision) -> None:
        """All in one transaction, each under a `seq` of its own; one that was told before stays as it is."""
        if decisions:
            await self._database.write(record_all, _Told(tenant, decisions))

    async def after(self, tenant: str, seq: int, limit: int) -> list[Slot]:
        """One page of decisions, slot by slot."""
        c = tables.decisions.c
        page = select(tables.decisions).where(c.tenant == tenant, c.seq > seq).order_by(c.seq).limit(limit)
        async with self._database.reading() as connection:
            return [s for row in (await connection.execute(page)).mappings() for s in _slots_of(dict(row))]


@dataclass(frozen=True, slots=True)
class _Told:
    tenant: str
    decisions: Sequence[Decision]

    def __len__(self) -> int:
        return len(self.decisions)


def record_all(connection: Looking, told: Sequence[_Told]) -> list[None]:
    """Decisions of several askers, tenant by tenant in one order so that nobody waits in a ring."""
    by_tenant: dict[str, dict[str, Decision]] = {}
    for one in told:
        by_tenant.setdefault(one.tenant, {}).update({d.decision_id: d for d in one.decisions})
    for tenant, theirs in sorted(by_tenant.items()):
        last = next_seq(connection, tenant, len(theirs))
        rows = [_row(tenant, seq, made) for seq, made in enumerate(theirs.values(), last - len(theirs) + 1)]
        insert_new(connection, tables.decisions, rows)
    return [None] * len(told)


class DecisionRow(NamedTuple):
    """The columns of the table `decisions`, in their order; a test holds both equal."""

    tenant: str
    seq: int
    decision_id: str
    at_us: int | None
    learner_id: str
    class_id: str | None
    mode: str
    bundle: str
    catalogue_hash: str
    slots: str
    rules: str


def _row(tenant: str, seq: int, made: Decision) -> DecisionRow:
    slots, rules = _texts(made)
    return DecisionRow(
        tenant, seq, made.decision_id, to_us(made.at), made.learner_id, made.class_id, made.mode, made.bundle,
        made.catalogue_hash, slots, rules,
    )  # fmt: skip


def _texts(made: Decision) -> tuple[str, str]:
    """What was offered and which rules touched it, as they are kept: made once for a slate that is kept."""
    texts: tuple[str, str] | None = made.beside.get("record")
    if texts is None:
        texts = made.beside["record"] = slots_text(made), rules_text(made)
    return texts


def _slots_of(row: Row) -> list[Slot]:
    at, offered, rules = (
        known_time(row.pop("at_us")),
        slots_of(row.pop("slots")) or _NOTHING,
        rules_of(row.pop("rules")),
    )
    del row["tenant"]
    return [Slot(at=at, rules=rules, **row, **msgspec.structs.asdict(slot)) for slot in offered]
