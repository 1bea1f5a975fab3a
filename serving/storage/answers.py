"""Answers kept for a while, so that a repeated request gets the one it got first."""

from datetime import datetime

from sqlalchemy import delete, select, update

from serving.storage import tables
from serving.storage.database import Database
from serving.storage.port import Claim, KeptAnswer
from serving.storage.rows import to_us

_table = tables.answers


class SqlAnswers:
    """`AnswerStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, tenant: str, key: str, fingerprint: str, *, now: datetime, until: datetime) -> Claim:
        """One transaction: what ran out goes, and the first to insert holds the key."""
        c = _table.c
        mine = {"tenant": tenant, "answer_key": key, "fingerprint": fingerprint, "until_us": to_us(until)}
        taking = self._database.insert(_table).values(**mine).on_conflict_do_nothing()
        standing = select(c.fingerprint, c.status, c.content).where(c.tenant == tenant, c.answer_key == key)
        async with self._database.writing() as connection:
            await connection.execute(delete(_table).where(c.tenant == tenant, c.until_us <= to_us(now)))
            if (await connection.execute(taking)).rowcount == 1:
                return Claim(fingerprint=fingerprint, is_new=True, answer=None)
            kept = (await connection.execute(standing)).one()
        answer = None if kept.content is None else KeptAnswer(status=kept.status, content=kept.content)
        return Claim(fingerprint=kept.fingerprint, is_new=False, answer=answer)

    async def keep(self, tenant: str, key: str, answer: KeptAnswer, *, until: datetime) -> None:
        """Fill in what was held open."""
        c = _table.c
        held = update(_table).where(c.tenant == tenant, c.answer_key == key, c.content.is_(None))
        async with self._database.writing() as connection:
            await connection.execute(held.values(status=answer.status, content=answer.content, until_us=to_us(until)))

    async def release(self, tenant: str, key: str) -> None:
        """Delete what is held open, never an answer."""
        c = _table.c
        async with self._database.writing() as connection:
            await connection.execute(delete(_table).where(c.tenant == tenant, c.answer_key == key, c.content.is_(None)))
