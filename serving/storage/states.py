"""What learners' events come to; every row can be made again from the events."""

from collections.abc import Mapping
from typing import Any

from serving.storage import tables
from serving.storage.database import Database
from serving.storage.port import KeptState


class SqlStates:
    """`StateStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant: str, learner_id: str, seq: int, content: bytes) -> None:
        """One state."""
        await self.put_all(tenant, {learner_id: KeptState(seq=seq, content=content)})

    async def put_all(self, tenant: str, states: Mapping[str, KeptState]) -> None:
        """One statement for each, so of two at once the later `seq` stays, whoever comes first."""
        table = tables.learner_states
        insert: Any = self._database.insert(table)
        newer = insert.on_conflict_do_update(
            index_elements=["tenant", "learner_id"],
            set_={"seq": insert.excluded.seq, "content": insert.excluded.content},
            where=table.c.seq <= insert.excluded.seq,
        )
        # In one order, so that two at once never wait for each other.
        rows = [
            {"tenant": tenant, "learner_id": learner_id, "seq": state.seq, "content": state.content}
            for learner_id, state in sorted(states.items())
        ]
        if not rows:
            return
        async with self._database.writing() as connection:
            await connection.execute(newer, rows)
