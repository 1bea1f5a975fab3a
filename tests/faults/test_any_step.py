"""Killed before any step, cut after any byte: the log ends as if nothing had happened, to the last number."""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage import database as database_module
from serving.storage.opening import open_store
from serving.storage.port import Store
from tests.dying import FIRST, SECOND, event
from tests.fault_proxy import FaultProxy
from tests.interposed import compiled
from tests.servers import Server, new_database, postgres_server

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """Memory where it can be had: who is killed, unlike who loses power, loses nothing that was not flushed."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


# In `make soak` every single step.
EVERY = [
    ("append", 5),
    ("outbox", 1),
    ("open", 17),
    pytest.param("append", 1, marks=pytest.mark.soak),
    pytest.param("open", 1, marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("what", "stride"), EVERY)
def test_a_store_killed_before_any_step_on_its_disk_loses_nothing_that_was_acknowledged(
    what: str, stride: int, tmp_path: Path, quick_disk: Path
) -> None:
    given = compiled(tmp_path)
    told = subprocess.run(
        [sys.executable, "-m", "tests.dying", str(quick_disk), what, str(stride)],
        env={**os.environ, **given.environment, "PYTHONPATH": str(HOUSE)},
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    runs = [json.loads(line) for line in told.stdout.splitlines()]
    undisturbed = runs[-1]["told"][1]
    before = [] if what == "open" else [f"e{i}" for i in FIRST]
    for run in runs:
        (left, states), whole = run["told"]
        ids = [event_id for _, event_id in left]
        # All of the batch or nothing of it, numbered without a gap; what was acknowledged is there.
        if run["acknowledged"]:
            assert left == undisturbed[0]
            assert what != "append" or states == undisturbed[1]
        assert [seq for seq, _ in left] == list(range(1, len(left) + 1))
        assert ids in (before, [x for _, x in undisturbed[0]])
        # What was kept of a learner is what their events come to, or there is nothing yet.
        assert all(state in (None, came_to) for came_to, state in states)
        assert whole == undisturbed
    assert len(runs) > 3
    assert [run["code"] for run in runs[:-1]] == [-9] * (len(runs) - 1)
    assert [run["acknowledged"] for run in runs][-1]


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[Server, str]]:
    with postgres_server() as made:
        yield made


def through(line: FaultProxy, url: str) -> str:
    name = url.partition("?")[0].rpartition("/")[2]
    return f"postgresql://postgres@127.0.0.1:{line.port}/{name}?sslmode=disable"


async def sent(store: Store, tenant: str, batch: list[Interaction]) -> int:
    """Send it until it is acknowledged, as apps do; how often that was."""
    for tries in range(1, 400):
        try:
            kept = await store.events.append(tenant, batch)
        except Unavailable:
            await asyncio.sleep(0.01)
        else:
            assert kept.rejected == ()
            return tries
    raise AssertionError("it was never taken in")


async def numbered(store: Store, tenant: str) -> list[tuple[int, Interaction]]:
    return await store.events.after(tenant, 0, 10_000)


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the database is back is looked at every few milliseconds."""
    monkeypatch.setattr(database_module, "_REST_S", 0.005)


def test_a_line_to_postgres_cut_after_any_byte_leaves_the_log_of_a_run_without_a_cut(
    database: tuple[Server, str], soon_again: None
) -> None:
    url = new_database(database[1])
    first, second = [event(i) for i in FIRST], [event(i) for i in SECOND]

    async def run() -> None:
        async with (
            FaultProxy(str(database[0].folder / ".s.PGSQL.5432")) as line,
            open_store(through(line, url)) as store,
        ):
            for tenant in ("warm", "calm"):
                await sent(store, tenant, first)
                began = line.passed
                await sent(store, tenant, second)
            n_bytes, calm = line.passed - began, await numbered(store, "calm")
            again = 0
            cuts = [*range(0, n_bytes, max(1, n_bytes // 50)), *range(max(0, n_bytes - 24), n_bytes)]
            for place, n in enumerate(cuts):
                tenant = f"cut-{place}"
                await sent(store, tenant, first)
                n_cut = line.n_cut
                line.cut_after(n)
                sending = asyncio.create_task(sent(store, tenant, second))
                while not sending.done() and line.n_cut == n_cut:  # noqa: ASYNC110 - one of two things
                    await asyncio.sleep(0.001)
                line.cut_after(None)
                again += await sending > 1
                assert await numbered(store, tenant) == calm
            # Nearly every cut was one.
            assert again > len(cuts) * 0.8

    asyncio.run(run())


@pytest.mark.parametrize("seed", range(3))
def test_batches_reordered_repeated_and_at_once_with_kills_at_any_moment_come_to_the_log_of_a_run_in_turn(
    seed: int, database: tuple[Server, str], soon_again: None
) -> None:
    server, url = database[0], new_database(database[1])
    chance = random.Random(seed)
    events = [event(i) for i in range(400)]

    async def run(keeper: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        async with (
            FaultProxy(str(server.folder / ".s.PGSQL.5432")) as line,
            open_store(through(line, url)) as one,
            open_store(url) as two,
        ):
            await one.events.append("turns", events)
            batches = [events[i : i + 5] for i in range(0, 400, 5)]
            batches += [chance.sample(events, chance.randint(1, 9)) for _ in range(40)]
            chance.shuffle(batches)

            async def tell(store: Store, own: list[list[Interaction]]) -> None:
                for batch in own:
                    await sent(store, "storm", chance.sample(batch, len(batch)))
                    await asyncio.sleep(chance.uniform(0, 0.05))

            telling = [asyncio.create_task(tell((one, two)[i % 2], batches[i::8])) for i in range(8)]
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0.02, 0.3))
                await loop.run_in_executor(keeper, server.kill)
                await loop.run_in_executor(keeper, server.start)
                line.cut_after(chance.randrange(30_000))
                await asyncio.sleep(0.1)
                line.cut_after(None)
            await asyncio.gather(*telling)
        async with open_store(url) as store:
            calm, storm = await numbered(store, "turns"), await numbered(store, "storm")
        assert [seq for seq, _ in storm] == list(range(1, 401))
        assert by_id(storm) == by_id(calm)

    with ThreadPoolExecutor(1) as keeper:
        asyncio.run(run(keeper))
        # It ends with the thread that began it: the next test begins it again.
        server.kill()
    server.start()


def by_id(log: list[tuple[int, Interaction]]) -> list[Any]:
    return sorted((e for _, e in log), key=lambda e: e.event_id)
