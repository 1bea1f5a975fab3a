"""What learners' events come to; every row can be made again from the events."""

from typing import Any

from serving.storage import tables
from serving.storage.database import Database


class SqlStates:
    """`StateStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant: str, learner_id: str, seq: int, content: bytes) -> None:
        """One statement, so of two at once the later `seq` stays, whoever comes first."""
        table = tables.learner_states
        insert: Any = self._database.insert(table)
        newer = insert.on_conflict_do_update(
            index_elements=["tenant", "learner_id"],
            set_={"seq": insert.excluded.seq, "content": insert.excluded.content},
            where=table.c.seq <= insert.excluded.seq,
        )
        row = {"tenant": tenant, "learner_id": learner_id, "seq": seq, "content": content}
        async with self._database.writing() as connection:
            await connection.execute(newer, row)
