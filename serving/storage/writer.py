"""The connection that writes to SQLite all day: its statements stay prepared and its pages at hand."""

import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from serving.storage.glance import Looking

Done = TypeVar("Done")


class Writer:
    """One plain connection, opened when it is first needed, for one thread at a time; it is `Looking`."""

    dialect = SimpleNamespace(name="sqlite")

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def transact(self, work: Callable[[Looking], Done]) -> Done:
        """What `work` gives, in one transaction that is on disk when this returns, or has not happened."""
        if self._connection is None:
            self._connection = self._connect()
        try:
            # Who will write waits for other writers before reading, so that what was read still stands then.
            self._connection.execute("BEGIN IMMEDIATE")
            done = work(self)
            self._connection.execute("COMMIT")
        except BaseException:
            # Whatever it was: what was begun is undone with the connection.
            self.close()
            raise
        return done

    def exec_driver_sql(self, statement: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run it, for each of the parameters where they are a list."""
        assert self._connection is not None
        run = self._connection.executemany if parameters.__class__ is list else self._connection.execute
        return run(statement, parameters)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
