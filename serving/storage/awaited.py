"""Connections of an asyncio driver to await, without SQLAlchemy's own, which import its whole ORM.

They are what `sqlalchemy.ext.asyncio` does for the few calls that are used here: the plain engine runs in a greenlet
that waits where the driver is asked. That package takes 35 ms of a start and 7 MB of every process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn

Found = TypeVar("Found")


class AwaitedConnection:
    """One connection; but in parts, what it finds is read whole, so results are used without waiting."""

    def __init__(self, plain: Connection) -> None:
        self._plain = plain

    async def execute(self, statement: Executable, given: Any = None) -> CursorResult[Any]:
        """What a statement finds, for one set of parameters or a list of them."""
        return await greenlet_spawn(self._plain.execute, statement, given)

    async def parts(self, statement: Executable, n: int) -> AsyncIterator[list[tuple[Any, ...]]]:
        """What a statement finds, `n` rows at a time and never more of them in memory."""
        found = await greenlet_spawn(self._plain.execute, statement, execution_options={"stream_results": True})
        while some := await greenlet_spawn(found.fetchmany, n):
            yield [tuple(row) for row in some]

    async def exec_driver_sql(self, statement: str, given: Any = None) -> CursorResult[Any]:
        """The same in the driver's own words."""
        return await greenlet_spawn(self._plain.exec_driver_sql, statement, given)

    async def run_sync(self, work: Callable[..., Found], *given: Any) -> Found:
        """What `work` gives, called with the plain connection and these."""
        return await greenlet_spawn(work, self._plain, *given)

    async def rollback(self) -> None:
        """Undo what the transaction did so far."""
        await greenlet_spawn(self._plain.rollback)


class AwaitedEngine:
    """The connections to one database."""

    def __init__(self, plain: Engine) -> None:
        self._plain = plain

    @property
    def dialect(self) -> Dialect:
        """How this database speaks SQL."""
        return self._plain.dialect

    @property
    def driver(self) -> Any:
        """The module of the driver beneath PostgreSQL."""
        dbapi: Any = self._plain.dialect.dbapi
        return dbapi.asyncpg

    async def lend(self) -> PoolProxiedConnection:
        """A connection of the pool as the driver knows it, until it is closed."""
        try:
            return await greenlet_spawn(self._plain.raw_connection)
        except self._plain.dialect.loaded_dbapi.Error as problem:
            raise DBAPIError(None, None, problem, connection_invalidated=True) from None

    def execution_options(self, **options: Any) -> "AwaitedEngine":
        """The same connections with these options."""
        return AwaitedEngine(self._plain.execution_options(**options))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AwaitedConnection]:
        """A connection for a block; what was not committed is undone."""
        plain = await greenlet_spawn(self._plain.connect)
        try:
            yield AwaitedConnection(plain)
        finally:
            await _to_its_end(greenlet_spawn(plain.close))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AwaitedConnection]:
        """A transaction, committed when the block ends and undone where it raises."""
        async with self.connect() as connection:
            transaction = await connection.run_sync(lambda plain: plain.begin())
            try:
                yield connection
            except BaseException as problem:
                await greenlet_spawn(transaction.__exit__, type(problem), problem, problem.__traceback__)
                raise
            await greenlet_spawn(transaction.__exit__, None, None, None)

    async def dispose(self) -> None:
        """Close every connection."""
        await greenlet_spawn(self._plain.dispose)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work` also where whoever waits is cancelled meanwhile: half-closed connections go astray."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as told:
            cancelled = told
    if cancelled is not None:
        raise cancelled
    task.result()
