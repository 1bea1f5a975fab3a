"""Group commit: all that waits to be written goes to disk together, each asker hears of their own part."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from engine.domain.errors import Unavailable
from serving.storage.glance import Looking


class Item(Protocol):
    """Something to be written for one tenant."""

    @property
    def tenant(self) -> str:
        """Whose it is."""

    def __len__(self) -> int:
        """How many rows, about."""


# Writes several items in the order they came, inside a transaction that somebody else ends: one answer for each.
Apply = Callable[[Looking, Sequence[Any]], list[Any]]
Work = Callable[[Looking], list[Any]]
# So many rows in one transaction, or a little more: the first should not wait for tens of thousands of others.
_MOST = 2_000


@dataclass(slots=True)
class _Waiting:
    apply: Apply
    item: Item
    told: "asyncio.Future[Any]"


class Groups:
    """One writer; while a transaction is on its way to the disk, the next one gathers.

    `transact` runs work in one transaction and returns when it is on disk; it raises Unavailable where it is not.
    `committed` is told how many rows each of them wrote.
    """

    def __init__(self, transact: Callable[[Work], Awaitable[list[Any]]]) -> None:
        self._transact = transact
        self.committed: Callable[[int], None] | None = None
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def write(self, apply: Apply, item: Item) -> Any:
        """What `apply` says of this item once it is on disk."""
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(apply, item, told))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await told

    async def close(self) -> None:
        """Wait for what is on its way."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        while self._waiting:
            group, n_rows = [], 0
            while self._waiting and n_rows < _MOST:
                group.append(self._waiting.popleft())
                n_rows += len(group[-1].item)
            try:
                _tell(group, await self._transact(partial(_applied, group=group)))
            except Exception as problem:
                # One of them may be at fault: it must not take the others along.
                await self._one_by_one(group, problem)
            else:
                if self.committed is not None:
                    self.committed(n_rows)

    async def _one_by_one(self, group: list[_Waiting], problem: Exception) -> None:
        """Each in a transaction of its own, until it is plain that the fault lies with none of them."""
        if len(group) == 1:
            return _refuse(group, problem)
        away = 0
        for place, one in enumerate(group):
            try:
                _tell([one], await self._transact(partial(_applied, group=[one])))
                away = 0
            except Exception as own:
                _refuse([one], own)
                away += isinstance(own, Unavailable)
            if away > 1:
                return _refuse(group[place + 1 :], problem)
        return None


def _applied(connection: Looking, group: Sequence[_Waiting]) -> list[Any]:
    """Things of one kind are written together, and kinds in one order, so that no two servers wait in a ring."""
    places: dict[Apply, list[int]] = {}
    for place, one in enumerate(group):
        places.setdefault(one.apply, []).append(place)
    _lock(connection, sorted({one.item.tenant for one in group}))
    answers: list[Any] = [None] * len(group)
    for apply, theirs in sorted(places.items(), key=lambda one: one[0].__name__):
        for place, answer in zip(theirs, apply(connection, [group[i].item for i in theirs]), strict=True):
            answers[place] = answer
    return answers


def _lock(connection: Looking, tenants: Sequence[str]) -> None:
    """Take the locks of several tenants in the order of their names; of one alone, its first write takes it."""
    if len(tenants) > 1 and connection.dialect.name == "postgresql":
        locking = "SELECT 1 FROM tenants WHERE tenant = ANY($1::text[]) ORDER BY tenant FOR UPDATE"
        connection.exec_driver_sql(locking, (list(tenants),))


def _tell(group: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    for one, answer in zip(group, answers, strict=True):
        if not one.told.done():
            one.told.set_result(answer)


def _refuse(group: Sequence[_Waiting], problem: Exception) -> None:
    for one in group:
        if not one.told.done():
            one.told.set_exception(problem)
