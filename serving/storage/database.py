"""One database: its connections, its durability, its version."""

import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from engine.domain.errors import BadInput, Unavailable
from serving.storage import tables

# FULL: an answered event survives power loss. The timeout lets `trailmate load` and a server share one file.
# 32 MB of cache: with SQLite's own 2 MB a large load spends half its time on pages it has just put away.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON", "cache_size=-32768")


class Database:
    """Connections that read and transactions that write, with errors in our own words."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with."""
        with _translated():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is on disk when the block ends, or has not happened."""
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    async def insert_new(self, connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
        """Insert rows, each a tuple in the order of the columns; those whose keys stand there already are left out.

        Gives how many went in, or a negative number where the driver does not say.
        Goes to the driver without looking at each value again, which halves the time of a large batch.
        """
        statement = self.insert(table).on_conflict_do_nothing().compile(dialect=self._engine.dialect)
        return (await connection.exec_driver_sql(str(statement), list(rows))).rowcount

    def insert(self, table: Table) -> Any:
        """An insert that knows ON CONFLICT in this database's dialect."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the driver raises into Unavailable, without the statement or its parameters."""
    try:
        yield
    except SQLAlchemyError as problem:
        cause = problem.orig if isinstance(problem, DBAPIError) else type(problem).__name__
        raise Unavailable(
            f"the store did not answer ({cause}); check TRAILMATE_DATA, its rights and free space"
        ) from None


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[tuple[Database, str]]:
    """The database behind `url` and its id, with its tables made where they are absent.

    Raises Unavailable where it cannot be written, BadInput where it is of another version.
    """
    _require_writable(url)
    # Parameters hold learners' data, and errors may reach a log.
    engine = create_async_engine(url, hide_parameters=True, poolclass=AsyncAdaptedQueuePool, pool_size=4)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    try:
        database = Database(engine)
        yield database, await _prepared(database)
    finally:
        await engine.dispose()


async def _prepared(database: Database) -> str:
    """Make what is absent, check the version, and give the id of the store."""
    async with database.writing() as connection:
        await connection.run_sync(tables.metadata.create_all)
        await connection.run_sync(tables.interactions_by_class.create, checkfirst=True)
        given = [
            {"name": "schema_version", "value": str(tables.SCHEMA_VERSION)},
            {"name": "store_id", "value": uuid.uuid4().hex[:12]},
        ]
        await connection.execute(database.insert(tables.about).on_conflict_do_nothing(), given)
        about = {r.name: r.value for r in await connection.execute(select(tables.about))}
    if about["schema_version"] != str(tables.SCHEMA_VERSION):
        raise BadInput(
            f"the store has version {about['schema_version']}, this Trailmate reads {tables.SCHEMA_VERSION}; "
            "start the Trailmate that wrote it, or name another store in TRAILMATE_DATABASE_URL"
        )
    return str(about["store_id"])


def _require_writable(url: str) -> None:
    """Try the file in plain code: a driver whose first connection fails leaves a thread behind that prints a traceback.

    Raises Unavailable where the folder cannot be made, or the file cannot be written or is no database.
    """
    path = make_url(url).database
    try:
        Path(path or "").parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path or ":memory:", timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
    except (OSError, sqlite3.Error) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise Unavailable(
            f"the store cannot be written ({reason}); name a folder that can in TRAILMATE_DATA, or mend its rights"
        ) from None


def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
