"""However events are sent, at once, again, in any order or past a lost answer, the log ends as if each came once."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from serving.storage.port import Store
from tests.contracts.test_store import decision

TENANTS = itertools.count()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    sqlite = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    return sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def event(i: int) -> Interaction:
    return Interaction(
        event_id=f"e{i}", learner_id=f"l{i % 3}", kind="attempted", source="t", resource_id=f"r{i}", outcome=i / 1000
    )


async def log(store: Store, tenant: str = "t") -> list[tuple[int, Interaction]]:
    return await store.events.after(tenant, 0, 100_000)


BATCHES = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=5), max_size=10)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES, again=st.lists(st.integers(0, 9), max_size=5))
def test_batches_at_once_and_again_end_as_one_after_the_other(
    url: str, batches: list[list[int]], again: list[int]
) -> None:
    sent = [*batches, *(batches[i] for i in again if i < len(batches))]

    one, other = f"t{next(TENANTS)}", f"t{next(TENANTS)}"

    async def run() -> None:
        async with open_store(url) as store:
            told = await asyncio.gather(*(store.events.append(one, [event(i) for i in b]) for b in sent))
            for batch in batches:
                await store.events.append(other, [event(i) for i in batch])
            assert await log(store, one) == await log(store, other)
            assert sum(t.accepted for t in told) == len({i for batch in batches for i in batch})
            assert sum(t.accepted + t.duplicates for t in told) == sum(map(len, sent))
            assert all(t.rejected == () for t in told)

    asyncio.run(run())


def test_two_servers_at_once_keep_each_event_once(url: str) -> None:
    async def run() -> None:
        async with open_store(url) as one, open_store(url) as two:
            batches = [[event(i) for i in range(n, n + 4)] for n in range(0, 60, 2)]
            told = await asyncio.gather(*(s.events.append(t, b) for b in batches for s in (one, two) for t in "tu"))
            assert sum(t.accepted for t in told) == 2 * 62
            for tenant in "tu":
                kept = await log(one, tenant)
                assert [seq for seq, _ in kept] == list(range(1, 63))
                assert {e.event_id for _, e in kept} == {f"e{i}" for i in range(62)}

    asyncio.run(run())


def test_servers_that_write_for_two_schools_crosswise_do_not_stand_in_each_others_way(url: str) -> None:
    async def run() -> None:
        async with open_store(url) as one, open_store(url) as two:
            for i in range(12):
                await asyncio.gather(
                    one.events.append("b", [event(i)]),
                    one.decisions.record("a", decision(f"one{i}", 1)),
                    two.events.append("a", [event(i)]),
                    two.decisions.record("b", decision(f"two{i}", 1)),
                )
            for tenant in "ab":
                assert [e.event_id for _, e in await log(one, tenant)] == [f"e{i}" for i in range(12)]
                assert len(await one.decisions.after(tenant, 0, 99)) == 12

    asyncio.run(run())


def test_one_event_that_cannot_be_written_takes_no_other_along(url: str) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            poison = Interaction(event_id="p", learner_id="l", kind="viewed", source="t", resource_id="r", order=2**70)
            told = await asyncio.gather(
                *(store.events.append("t", [e]) for e in (event(1), poison, event(2))), return_exceptions=True
            )
            assert [isinstance(t, BaseException) for t in told] == [False, True, False]
            assert [e.event_id for _, e in await log(store)] == ["e1", "e2"]

    asyncio.run(run())


def test_who_stops_waiting_leaves_the_others_and_their_own_event_whole(url: str) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            tasks = [asyncio.create_task(store.events.append("t", [event(i)])) for i in range(20)]
            await asyncio.sleep(0)
            tasks[3].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            again = await asyncio.gather(*(store.events.append("t", [event(i)]) for i in range(20)))
            assert sum(t.accepted for t in again) <= 1
            assert sorted(e.event_id for _, e in await log(store)) == sorted(f"e{i}" for i in range(20))

    asyncio.run(run())


WRITER = """
import asyncio, sys
from engine.domain.interaction import Interaction
from serving.storage.opening import open_store

def event(i):
    return Interaction(
        event_id=f"e{i}", learner_id=f"l{i % 3}", kind="attempted", source="t", resource_id=f"r{i}", outcome=i / 1000
    )

async def one(store, lane):
    for i in range(lane, 4000, 8):
        await store.events.append("t", [event(i)])
        print(i, flush=True)

async def run():
    async with open_store(sys.argv[1]) as store:
        print("ready", flush=True)
        await asyncio.gather(*(one(store, lane) for lane in range(8)))

asyncio.run(run())
"""


@pytest.mark.parametrize("after_s", [0.02, 0.11, 0.23])
def test_killed_at_any_step_what_was_acknowledged_is_there_and_the_rest_can_be_sent_again(
    url: str, after_s: float, tmp_path: Path
) -> None:
    acknowledged = killed_writer(WRITER, url, after_s, tmp_path / "told")

    async def run() -> None:
        async with open_store(url) as store:
            there = {e.event_id for _, e in await log(store)}
            assert {f"e{i}" for i in acknowledged} <= there
            assert len(there) <= len(acknowledged) + 8
            # Nobody knows which answers were lost: all are sent again.
            upto = max([*acknowledged, 0]) + 9
            await asyncio.gather(*(store.events.append("t", [event(i)]) for i in range(upto)))
            kept = await log(store)
            assert [seq for seq, _ in kept] == list(range(1, len(kept) + 1))
            assert sorted(kept_event.event_id for _, kept_event in kept) == sorted(
                {f"e{i}" for i in range(upto)} | there
            )
            assert {e.event_id: e for _, e in kept} == {e.event_id: event(int(e.event_id[1:])) for _, e in kept}

    asyncio.run(run())


def killed_writer(program: str, url: str, after_s: float, told: Path) -> list[int]:
    """What a process had been told is on disk when it was killed."""
    with told.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, url], stdout=out, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        )
    try:
        until = time.monotonic() + 30
        while b"ready" not in told.read_bytes():
            assert time.monotonic() < until
            time.sleep(0.01)
        time.sleep(after_s)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait(20)
    return [int(line) for line in told.read_text().split("\n")[:-1] if line != "ready"]
