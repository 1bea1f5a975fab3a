"""Lines to PostgreSQL for what is asked all day, held from one time to the next, with nothing before the driver.

SQLAlchemy takes as long to lend a connection, begin, ask, commit and take it back as the driver takes for the work.
"""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only, greenlet_spawn

from serving.storage.awaited import AwaitedEngine
from serving.storage.glance import Looking

Found = TypeVar("Found")
# So many are held; who asks for more at once borrows from the pool.
_HELD = 4
_N_ROWS = re.compile(r"(?:INSERT \d+|UPDATE|DELETE|SELECT) (\d+)")


class _Told:
    """What a statement found, and how many rows it was about."""

    def __init__(self, rows: list[Any], status: str) -> None:
        counted = _N_ROWS.match(status)
        self.rowcount = int(counted[1]) if counted else -1
        self._rows = rows

    def fetchall(self) -> list[Any]:
        """All rows."""
        return self._rows


class _Line:
    """One connection of the pool, and the driver's own within it; it is `Looking` inside a greenlet."""

    dialect = SimpleNamespace(name="postgresql")

    def __init__(self, lent: PoolProxiedConnection) -> None:
        self.lent = lent
        self.driver: Any = lent.driver_connection
        self._prepared: dict[str, Any] = {}

    def exec_driver_sql(self, statement: str, parameters: Any, /) -> _Told:
        """Run it, for each of the parameters where they are a list; statements are prepared once and kept."""
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = await_only(self.driver.prepare(statement))
        if parameters.__class__ is list:
            await_only(prepared.executemany(parameters))
            return _Told([], "")
        rows = await_only(prepared.fetch(*parameters))
        return _Told(rows, prepared.get_statusmsg())


class Lines:
    """Asks over the line that was free last; raises what SQLAlchemy would."""

    def __init__(self, engine: AwaitedEngine) -> None:
        self._engine = engine
        self._free: list[_Line] = []

    async def transact(self, work: Callable[[Looking], Found]) -> Found:
        """What `work` gives, in one transaction that is on disk when this returns, or has not happened."""
        return await self._asked(work, begin="BEGIN", end="COMMIT")

    async def read(self, look: Callable[[Looking], Found]) -> Found:
        """What `look` finds with one statement, without a transaction around it: one way there and back, not three."""
        return await self._asked(look)

    async def close(self) -> None:
        """Give all lines back."""
        while self._free:
            await greenlet_spawn(self._free.pop().lent.close)

    async def _asked(self, work: Callable[[Looking], Found], *, begin: str = "", end: str = "") -> Found:
        line = await self._line()
        try:
            if begin:
                await line.driver.execute(begin)
            found: Found = await greenlet_spawn(work, line)
            if end:
                await line.driver.execute(end)
        except BaseException as problem:
            # Whatever it was: what was begun is undone with the line.
            is_gone = line.driver.is_closed()
            line.driver.terminate()
            await greenlet_spawn(line.lent.invalidate)
            driver = self._engine.driver
            if isinstance(problem, driver.PostgresError | driver.InterfaceError | driver.InternalClientError):
                raise DBAPIError(None, None, problem, connection_invalidated=is_gone) from None
            raise
        if len(self._free) < _HELD:
            self._free.append(line)
        else:
            await greenlet_spawn(line.lent.close)
        return found

    async def _line(self) -> _Line:
        """A line that is free, as far as one can know without asking."""
        while self._free:
            line = self._free.pop()
            if not line.driver.is_closed():
                return line
            await greenlet_spawn(line.lent.invalidate)
        return _Line(await self._engine.lend())
