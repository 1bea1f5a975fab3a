"""Connections to await: committed or undone as a block ends, and closed also where whoever waits is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import AsyncAdaptedQueuePool

from serving.storage.awaited import AwaitedEngine


@asynccontextmanager
async def _engine(path: Path) -> AsyncIterator[tuple[AwaitedEngine, AsyncAdaptedQueuePool]]:
    plain = create_engine(f"sqlite+aiosqlite:///{path / 'x.db'}", poolclass=AsyncAdaptedQueuePool)
    engine = AwaitedEngine(plain)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE n (n INTEGER)")
    try:
        assert isinstance(plain.pool, AsyncAdaptedQueuePool)
        yield engine, plain.pool
    finally:
        await engine.dispose()


async def _all(engine: AwaitedEngine) -> list[int]:
    async with engine.connect() as connection:
        return list((await connection.execute(text("SELECT n FROM n ORDER BY n"))).scalars())


def test_a_block_that_ends_is_committed_and_one_that_raises_is_undone(tmp_path: Path) -> None:
    async def story() -> None:
        async with _engine(tmp_path) as (engine, pool):
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO n VALUES (:n)"), [{"n": 1}, {"n": 2}])
            with pytest.raises(ValueError, match="no"):
                async with engine.begin() as connection:
                    await connection.execute(text("INSERT INTO n VALUES (3)"))
                    raise ValueError("no")
            assert await _all(engine) == [1, 2]
            assert pool.checkedout() == 0

    asyncio.run(story())


def test_parts_come_a_few_rows_at_a_time(tmp_path: Path) -> None:
    async def story() -> None:
        async with _engine(tmp_path) as (engine, _pool), engine.begin() as connection:
            await connection.execute(text("INSERT INTO n VALUES (:n)"), [{"n": n} for n in range(5)])
            found = [part async for part in connection.parts(text("SELECT n FROM n ORDER BY n"), 2)]
            assert found == [[(0,), (1,)], [(2,), (3,)], [(4,)]]

    asyncio.run(story())


def test_whoever_is_cancelled_leaves_nothing_written_and_no_connection_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with _engine(tmp_path) as (engine, pool):
            inside = asyncio.Event()

            async def write() -> None:
                async with engine.begin() as connection:
                    await connection.execute(text("INSERT INTO n VALUES (1)"))
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(write())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert pool.checkedout() == 0
            assert await _all(engine) == []

    asyncio.run(story())
