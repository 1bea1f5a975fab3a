"""One database: its connections, its durability, its errors in our own words."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from engine.domain.errors import BadInput, Unavailable
from serving.storage.address import POSTGRES, address_of
from serving.storage.awaited import AwaitedConnection, AwaitedEngine
from serving.storage.breaker import Breaker
from serving.storage.glance import Looking
from serving.storage.groups import Apply, Groups, Item, Work
from serving.storage.inserting import insert_of
from serving.storage.lines import Lines
from serving.storage.postgres import postgres_engine
from serving.storage.sqlite import SqliteThreads, sqlite_engines

Found = TypeVar("Found")
# How long PostgreSQL may take for one statement while somebody waits for an answer; commands take their time. A look
# gets half of it: an answer can also be made of what was last known.
PATIENCE_S = 2.0
_REST_S = 0.5
# So long a write to SQLite may wait for its turn; what comes too late to be told of is written all the same.
_TURN_S = 10.0
# Two transactions waited for each other: PostgreSQL ended one of them, and nothing of it has happened.
_AGAIN = ("DeadlockDetectedError", "SerializationError")
# What an operator meets on the first day, in words.
_IN_WORDS = {
    "InvalidCatalogNameError": "there is no such database, make it with createdb",
    "InvalidPasswordError": "wrong account or password",
    "InvalidAuthorizationSpecificationError": "wrong account or password",
    "InsufficientPrivilegeError": "the account lacks a right",
    "TooManyConnectionsError": "it takes no more connections",
}


class Database:
    """Reads, and writes that are on disk when they return; raises Unavailable where the database is away.

    What is written often goes through `write`, which gathers; everything else through `writing`.
    """

    def __init__(self, engine: AwaitedEngine, threads: SqliteThreads | None, *, patience_s: float = PATIENCE_S) -> None:
        self.dialect = engine.dialect.name
        self._engine = engine
        self._threads = threads
        self._patience_s = patience_s
        self._breaker = Breaker(failures=1)
        self._probing: asyncio.Task[None] | None = None
        self._groups = Groups(self._transact)
        self._lines = Lines(engine)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AwaitedConnection]:
        """A connection to read with."""
        with self._asked():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AwaitedConnection]:
        """A transaction that is on disk when the block ends, or has not happened."""
        with self._asked():
            async with self._engine.execution_options(writes=True).begin() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AwaitedConnection]:
        """A connection that sees the database as it was when it first looked, however long it looks."""
        engine = self._engine
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with self._asked():
            async with engine.connect() as connection:
                yield connection

    async def read(self, look: Callable[[Connection], Found]) -> Found:
        """What `look` finds."""
        if self._threads is not None:
            with self._asked():
                return await self._threads.read(look)
        found: Found = await self._in_time(partial(self._looked, look), self._patience_s / 2)
        return found

    async def look(self, look: Callable[[Looking], Found]) -> Found:
        """The same where `look` asks in the driver's own words."""
        if self._threads is not None:
            return await self.read(look)
        found: Found = await self._in_time(partial(self._lines.read, look), self._patience_s / 2)
        return found

    def glance(self, look: Callable[[Looking], Found]) -> Found | None:
        """What `look` finds of a few rows by their keys, without a thread; None where that cannot be had at once."""
        return None if self._threads is None else self._threads.glance.at(look)

    async def write(self, apply: Apply, item: Item) -> Any:
        """What `apply` says of this item once it is on disk, together with all that was waiting beside it."""
        return await self._groups.write(apply, item)

    def tell(self, committed: Callable[[int], None] | None) -> None:
        """Tell from now on how many rows each transaction of `write` put on disk."""
        self._groups.committed = committed

    def away_s(self) -> float:
        """For how many seconds it has not answered; 0 while it does."""
        return self._breaker.open_for_s

    def insert(self, table: Table) -> Any:
        """An insert that knows ON CONFLICT in this database's dialect."""
        return insert_of(self.dialect)(table)

    async def close(self) -> None:
        """Write what is on its way, then let go."""
        await self._groups.close()
        if self._probing is not None:
            self._probing.cancel()
        await self._lines.close()
        await self._engine.dispose()

    async def _looked(self, look: Callable[[Connection], Found]) -> Found:
        # One statement needs no transaction around it: one way there and back instead of three.
        async with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            return await connection.run_sync(look)

    async def _transact(self, work: Work) -> list[Any]:
        if self._threads is not None:
            # A process that is frozen in its turn would keep all others waiting for ever.
            patience_s = max(_TURN_S, self._patience_s)
            turned: list[Any] = await self._in_time(partial(self._threads.transact, work), patience_s)
            return turned
        written: list[Any] = await self._in_time(partial(self._written, work), self._patience_s)
        return written

    async def _written(self, work: Work) -> list[Any]:
        try:
            return await self._lines.transact(work)
        except DBAPIError as problem:
            if _cause(problem) not in _AGAIN:
                raise
        return await self._lines.transact(work)

    async def _in_time(self, ask: Callable[[], Awaitable[Any]], patience_s: float) -> Any:
        """The answer, or Unavailable when patience ends: a driver may take longer than that to let go of a dead line.

        It is left to end by itself, so that a transaction on its way is never torn in the middle by us.
        """
        with self._asked():
            task = asyncio.ensure_future(ask())
            task.add_done_callback(_forget)
            done, _ = await asyncio.wait({task}, timeout=patience_s)
            if not done:
                raise TimeoutError("it took too long")
            return task.result()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Ask unless it was away a moment ago; turn what the driver raises into Unavailable, without the statement."""
        if self._breaker.is_open:
            raise Unavailable(self._words("it was away a moment ago"))
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError) as problem:
            if self._is_away(problem):
                self._went_away()
            raise Unavailable(self._words(_cause(problem))) from None

    def _went_away(self) -> None:
        """Refuse at once from now on; whether it is back, no request has to find out."""
        self._breaker.went_wrong()
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        while self._breaker.is_open:
            await asyncio.sleep(_REST_S)
            with suppress(SQLAlchemyError, OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S), self._engine.connect() as connection:
                    await connection.exec_driver_sql("SELECT 1")
                self._breaker.went_well()

    def _is_away(self, problem: BaseException) -> bool:
        """A full disk still reads; only a server can be away as a whole."""
        if self.dialect != "postgresql":
            return False
        return not isinstance(problem, DBAPIError) or problem.connection_invalidated

    def _words(self, cause: str) -> str:
        check = (
            "TRAILMATE_DATABASE_URL and the server" if self.dialect == "postgresql" else "TRAILMATE_DATA, its rights"
        )
        return f"the store did not answer ({cause}); check {check} and free space"


def _cause(problem: BaseException) -> str:
    """What the driver said, in its first line: the others may hold what was written."""
    orig = getattr(problem, "orig", None)
    if orig is None:
        return getattr(problem, "strerror", None) or str(problem)[:80] or type(problem).__name__
    driver = orig.__cause__ or orig
    # SQLite names tables and columns, PostgreSQL may name values: those are learners'.
    name = type(driver).__name__
    return str(orig) if orig.__class__.__module__.startswith("sqlite3") else _IN_WORDS.get(name, name)


def _forget(task: "asyncio.Future[Any]") -> None:
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def connected(url: str, *, patience_s: float = PATIENCE_S) -> AsyncIterator[Database]:
    """The database behind `url`, whatever it holds; a statement may take `patience_s` seconds.

    Raises Unavailable where it is away, BadInput where it is of another kind.
    """
    address = address_of(url)
    if address is None:
        raise BadInput("the store is SQLite or PostgreSQL; mend TRAILMATE_DATABASE_URL")
    if address.startswith(POSTGRES):
        async with _closing(
            Database(postgres_engine(address, patience_s=patience_s), None, patience_s=patience_s)
        ) as database:
            yield database
        return
    with sqlite_engines(address) as (engine, threads):
        async with _closing(Database(engine, threads, patience_s=patience_s)) as database:
            yield database


@asynccontextmanager
async def _closing(database: Database) -> AsyncIterator[Database]:
    try:
        yield database
    finally:
        await database.close()
