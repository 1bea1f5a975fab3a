"""SQLite: one file, one thread that writes to it, a few that read."""

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import AsyncAdaptedQueuePool

from engine.domain.errors import Unavailable
from serving.storage.awaited import AwaitedEngine
from serving.storage.glance import Glance, Looking
from serving.storage.writer import Writer

Found = TypeVar("Found")

# FULL: an answered event survives power loss. The timeout lets `trailmate load` and a server share one file.
# 4,000 pages between two checkpoints: each puts a page in its place once, however often it was written since. The cache
# of each connection is SQLite's own 2 MB: with 32 MB a large load takes a twelfth less processor time, which a server
# would hold for ever.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "busy_timeout=10000",
    "foreign_keys=ON",
    "wal_autocheckpoint=4000",
)
_N_READERS = 4


class SqliteThreads:
    """Plain connections in threads of their own: a thread hop for each transaction, not for each statement."""

    def __init__(self, engine: Engine, path: str, turn: IO[bytes]) -> None:
        self._engine = engine
        self.glance = Glance(path)
        self._writer = Writer(partial(_connected, path))
        self._turn = turn
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(_N_READERS, thread_name_prefix="store-reader")

    def transact(self, work: Callable[[Looking], Found]) -> "asyncio.Future[Found]":
        """Run `work` in one transaction, on disk when this is done."""
        return asyncio.get_running_loop().run_in_executor(self._writing, self._written, work)

    async def read(self, look: Callable[[Connection], Found]) -> Found:
        """What `look` finds."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._looked, look)

    def close(self) -> None:
        """End the threads, then the connections."""
        for pool in (self._writing, self._readers):
            pool.shutdown()
        self._writer.close()
        self.glance.close()
        self._engine.dispose()

    def _written(self, work: Callable[[Looking], Found]) -> Found:
        # Several servers on one file take turns: SQLite itself only looks again, up to a tenth of a second later.
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            return self._writer.transact(work)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def _looked(self, look: Callable[[Connection], Found]) -> Found:
        with self._engine.connect() as connection:
            return look(connection)


@contextmanager
def sqlite_engines(url: str) -> Iterator[tuple[AwaitedEngine, SqliteThreads]]:
    """Both ways to the file behind `url`; raises Unavailable where it cannot be written."""
    require_writable(url)
    # Parameters hold learners' data, and errors may reach a log.
    awaited = create_engine(url, hide_parameters=True, poolclass=AsyncAdaptedQueuePool, pool_size=4)
    plain = create_engine(url.replace("+aiosqlite", ""), hide_parameters=True, pool_size=_N_READERS)
    for one in (awaited, plain):
        event.listen(one, "connect", _set_up)
        event.listen(one, "begin", _begin)
    path = make_url(url).database or ""
    with Path(f"{path}-turn").open("wb") as turn:
        threads = SqliteThreads(plain, path, turn)
        try:
            yield AwaitedEngine(awaited), threads
        finally:
            threads.close()


def require_writable(url: str) -> None:
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


def _connected(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    _set_up(connection, None)
    return connection


def _set_up(connection: Any, _record: Any) -> None:
    # The driver begins no transaction on its own, least of all none for a change of the tables.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # Who will write waits for other writers before reading, so that what was read still stands when it is written.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
