"""A look at SQLite where one stands: a few rows by their keys take less time than to hand the question to a thread."""

import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

Found = TypeVar("Found")
# A reader waits for nobody while others write; where it would have to all the same, a thread waits in its place.
_PATIENCE_MS = 5


class Looking(Protocol):
    """What a look needs of a connection; SQLAlchemy's are such."""

    @property
    def dialect(self) -> Any:
        """Its `name` is that of the database."""

    def exec_driver_sql(self, statement: str, parameters: Any, /) -> Any:
        """Run a statement as the driver knows it."""


class Glance:
    """One plain connection to the file, opened when it is first needed, for one thread at a time."""

    dialect = SimpleNamespace(name="sqlite")

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def at(self, look: Callable[[Looking], Found]) -> Found | None:
        """What `look` finds; None where it cannot be had at once."""
        try:
            return look(self)
        except sqlite3.Error:
            return None

    def exec_driver_sql(self, statement: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run it; statements are prepared once and kept."""
        if self._connection is None:
            # The file is there: whoever opened the store has written to it.
            address = f"file:{self._path.replace('%', '%25').replace('?', '%3f').replace('#', '%23')}?mode=rw"
            connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
            connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            connection.execute("PRAGMA query_only=ON")
            self._connection = connection
        return self._connection.execute(statement, parameters)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
