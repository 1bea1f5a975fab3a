"""What learners' events come to; every row can be made again from the events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete

from serving.storage import tables
from serving.storage.copies import Copies
from serving.storage.database import Database
from serving.storage.glance import Looking
from serving.storage.port import KeptState

_NEWER_ROW = (
    "INSERT INTO learner_states (tenant, learner_id, seq, content) VALUES ({}) ON CONFLICT (tenant, learner_id) "
    "DO UPDATE SET seq = excluded.seq, content = excluded.content WHERE learner_states.seq <= excluded.seq"
)
_NEWER = {"sqlite": _NEWER_ROW.format("?, ?, ?, ?"), "postgresql": _NEWER_ROW.format("$1, $2, $3, $4")}


class SqlStates:
    """`StateStore` in SQL."""

    def __init__(self, database: Database, copies: Copies) -> None:
        self._database = database
        self._copies = copies

    async def put(self, tenant: str, learner_id: str, seq: int, content: bytes) -> None:
        """One state."""
        await self.put_all(tenant, {learner_id: KeptState(seq=seq, content=content)})

    async def put_all(self, tenant: str, states: Mapping[str, KeptState]) -> None:
        """Close at hand first: there they are of use even while the database is away."""
        if states:
            self._copies.keep_states(tenant, states)
            await self._database.write(write_states, _States(tenant, states))

    async def forget(self, tenant: str, learner_id: str) -> None:
        """The row and every copy."""
        c = tables.learner_states.c
        await self._copies.forget(tenant, learner_id)
        async with self._database.writing() as connection:
            gone = delete(tables.learner_states).where(c.tenant == tenant, c.learner_id == learner_id)
            await connection.execute(gone)


@dataclass(frozen=True, slots=True)
class _States:
    tenant: str
    states: Mapping[str, KeptState]

    def __len__(self) -> int:
        return len(self.states)


def write_states(connection: Looking, given: Sequence[_States]) -> list[None]:
    """One statement for each, so of two at once the later `seq` stays, whoever comes first."""
    # In one order, so that two at once never wait for each other in a ring.
    rows = sorted((one.tenant, x, state.seq, state.content) for one in given for x, state in one.states.items())
    connection.exec_driver_sql(_NEWER[connection.dialect.name], rows)
    return [None] * len(given)
