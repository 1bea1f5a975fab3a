"""Copies make nothing differ: whoever has them answers as one who reads everything afresh."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from redis import Redis

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage.breaker import Breaker
from serving.storage.copies import Copies
from serving.storage.opening import open_store
from serving.storage.packing import packed, unpacked
from serving.storage.port import KeptState, LearnerContext, Store
from serving.storage.redis_copies import redis_copies
from tests.fault_proxy import FAIR, FaultProxy, Weather
from tests.servers import Server, valkey_server

T0 = datetime(2026, 9, 1, 8, 30, 0, 123456, tzinfo=UTC)
LEARNERS = ("lena", "kim", "Ünal 🎒 }{")
DATABASES = itertools.count()


def event(event_id: str, learner_id: str, **more: object) -> Interaction:
    given = {"kind": "viewed", "source": "app", "resource_id": "r", "at": T0} | more
    return Interaction(event_id=event_id, learner_id=learner_id, **given)


def context(n: int, seq: int = 9) -> LearnerContext:
    events = [event(f"e{i}", "lena", skills=("a", "b"), with_learner_ids=(), outcome=0.1) for i in range(n)]
    return LearnerContext(
        learner=Learner(learner_id="lena", classes=("7b",)),
        interactions=[*events, Interaction(event_id="bare", learner_id="lena", kind="voided", source="x")],
        arrived=list(range(n + 1)),
        state=KeptState(seq=n, content=b"\x00\xff"),
        classes={"7b": SchoolClass(class_id="7b", starts_at=T0)},
        seq=seq,
        catalogue_version=3,
    )


def test_a_context_comes_back_as_it_was_packed_and_an_altered_one_not_at_all() -> None:
    value = packed(context(3))
    assert unpacked(value) == context(3)
    assert unpacked(None) is None
    for place in range(0, len(value), 7):
        altered = bytearray(value)
        altered[place] ^= 1
        assert unpacked(bytes(altered)) is None
    assert unpacked(value[:5]) is None
    assert unpacked(b"") is None


def test_only_so_many_bytes_stay_at_hand_and_the_last_asked_for_among_them() -> None:
    copies = Copies(None, most_bytes=60_000)
    for i in range(50):
        copies.keep("t", {f"l{i}": context(8)}, unknown=())
    found = asyncio.run(copies.known("t", [f"l{i}" for i in range(50)]))
    stay = [x for x, known in found.items() if known]
    # Each has nine events.
    assert 10 < len(stay) < 20
    assert stay == [f"l{i}" for i in range(50 - len(stay), 50)]
    # A state counts with them, and one that is larger than all the room stays alone.
    large = replace(context(8), state=KeptState(seq=9, content=bytes(30_000)), seq=10)
    copies.keep("t", {"l49": large}, unknown=())
    found = asyncio.run(copies.known("t", [f"l{i}" for i in range(50)]))
    assert sum(known is not None for known in found.values()) < len(stay) * 0.6
    copies.keep("t", {"l0": replace(large, state=KeptState(seq=9, content=bytes(90_000)))}, unknown=())
    found = asyncio.run(copies.known("t", [f"l{i}" for i in range(50)]))
    assert [x for x, known in found.items() if known] == ["l0"]


def test_an_older_reading_does_not_take_the_place_of_a_newer_one() -> None:
    copies = Copies(None)
    copies.keep("t", {"lena": context(4, seq=9)}, unknown=())
    copies.keep("t", {"lena": context(2, seq=8)}, unknown=())
    assert asyncio.run(copies.known("t", ["lena"])) == {"lena": context(4, seq=9)}
    # A state that knows more events than the copy holds is none of its states.
    copies.keep_states("t", {"lena": KeptState(seq=99, content=b"later")})
    assert asyncio.run(copies.known("t", ["lena"])) == {"lena": context(4, seq=9)}


def test_a_breaker_opens_after_failures_in_a_row_and_closes_when_it_goes_well() -> None:
    breaker = Breaker(failures=2)
    breaker.went_wrong()
    breaker.went_well()
    breaker.went_wrong()
    assert not breaker.is_open
    breaker.went_wrong()
    assert breaker.is_open
    breaker.went_well()
    assert not breaker.is_open


def test_a_breaker_says_since_when_it_is_open() -> None:
    now = [10.0]
    breaker = Breaker(failures=2, clock=lambda: now[0])
    breaker.went_wrong()
    now[0] = 20
    assert breaker.open_for_s == 0
    breaker.went_wrong()
    now[0] = 25
    breaker.went_wrong()
    assert breaker.open_for_s == 5
    breaker.went_well()
    assert breaker.open_for_s == 0


def test_of_a_redis_that_swallows_what_is_said_three_wait_and_nobody_else_until_it_is_back(
    shaken: tuple[Server, str],
) -> None:
    async def run() -> None:
        port = int(shaken[1].rpartition(":")[2].partition("/")[0])
        async with (
            FaultProxy(port) as line,
            redis_copies(f"redis://127.0.0.1:{line.port}/0", "store") as copies,
        ):
            copies.put("t", {"lena": context(2)})
            await copies.close()
            assert await copies.get("t", ["lena"]) == {"lena": context(2)}
            line.weather = Weather(swallows=True)
            asked = 0
            while not copies.breaker.is_open:
                assert await copies.get("t", ["lena"]) == {}
                asked += 1
            assert asked == 3
            # Nobody waits while it is away, though somebody looks each second whether it is back.
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                asking = asyncio.create_task(copies.get("t", ["lena"]))
                await asyncio.sleep(0)
                # Not even for one turn of the loop.
                assert asking.done()
                assert asking.result() == {}
                copies.put("t", {"lena": context(2)})
                await asyncio.sleep(0.05)
            line.weather = FAIR
            until = time.monotonic() + 10
            while copies.breaker.is_open:
                assert time.monotonic() < until
                await asyncio.sleep(0.02)
            assert await copies.get("t", ["lena"]) == {"lena": context(2)}

    asyncio.run(run())


@pytest.fixture(scope="module")
def shaken() -> Iterator[tuple[Server, str]]:
    """A Valkey that may be maltreated."""
    with valkey_server() as made:
        yield made


@asynccontextmanager
async def stores(folder: Path, redis_url: str, n: int) -> AsyncIterator[list[Store]]:
    """As many servers on one database."""
    url = f"sqlite+aiosqlite:///{folder / f'{next(DATABASES)}.db'}"
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(url, redis_url=redis_url)) for _ in range(n)]


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 1), st.sampled_from(LEARNERS), st.integers(1, 3)),
    st.tuples(st.just("read"), st.integers(0, 1), st.sampled_from(LEARNERS), st.just(0)),
    st.tuples(st.just("state"), st.integers(0, 1), st.sampled_from(LEARNERS), st.just(0)),
    st.tuples(st.just("told"), st.integers(0, 1), st.sampled_from(LEARNERS), st.integers(0, 2)),
    st.tuples(st.just("empty"), st.just(0), st.just(""), st.just(0)),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_two_servers_with_copies_read_what_one_without_reads(
    steps: list[tuple[str, int, str, int]], shaken: tuple[Server, str], tmp_path: Path
) -> None:
    async def run() -> None:
        ids = itertools.count()
        async with stores(tmp_path, shaken[1], 2) as servers:
            for step, place, learner_id, n in steps:
                store = servers[place]
                if step == "append":
                    await store.events.append("t", [event(f"e{next(ids)}", learner_id) for _ in range(n)])
                elif step == "told":
                    classes = tuple(f"c{i}" for i in range(n))
                    await store.people.put_learners("t", [Learner(learner_id=learner_id, classes=classes)])
                    await store.people.put_classes("t", [SchoolClass(class_id=c, title=str(n)) for c in classes])
                elif step == "empty":
                    Redis.from_url(shaken[1]).flushall()
                found = await store.events.context("t", learner_id) if learner_id else None
                if step == "state" and found and found.arrived:
                    await store.states.put("t", learner_id, found.arrived[-1], f"{found.arrived}".encode())
            await same_everywhere(servers, tmp_path)

    asyncio.run(run())


def latest(folder: Path) -> Path:
    return max(folder.glob("*.db"), key=lambda path: int(path.stem))


async def same_everywhere(servers: list[Store], folder: Path) -> None:
    async with open_store(f"sqlite+aiosqlite:///{latest(folder)}") as fresh:
        wanted = await fresh.events.contexts("t", LEARNERS, "c1")
        for store in servers:
            found = await store.events.contexts("t", LEARNERS, "c1")
            # Which state a copy holds is free: it is one of its own events, and folding on from it comes to the same.
            assert {x: replace(c, state=None) for x, c in found.items()} == {
                x: replace(c, state=None) for x, c in wanted.items()
            }
            for c in found.values():
                assert c.state is None or c.state.content.decode() == str([n for n in c.arrived if n <= c.state.seq])


def test_a_server_takes_up_what_another_has_shared_and_a_stale_copy_only_costs_rows(
    shaken: tuple[Server, str], tmp_path: Path
) -> None:
    async def run() -> None:
        async with stores(tmp_path, shaken[1], 3) as (one, two, three):
            await one.events.append("t", [event("e1", "lena"), event("e2", "lena")])
            await one.events.context("t", "lena")
            await one.states.put("t", "lena", 2, b"two")
            await asyncio.sleep(0.05)
            remembered = (await two.events.remembered("t", ["lena"]))["lena"]
            assert remembered is not None
            assert (remembered.arrived, remembered.state) == ([1, 2], KeptState(seq=2, content=b"two"))
            await three.events.append("t", [event("e3", "lena")])
            assert [e.event_id for e in (await two.events.context("t", "lena")).interactions] == ["e1", "e2", "e3"]

    asyncio.run(run())


def test_a_copy_of_events_that_are_gone_is_not_believed(shaken: tuple[Server, str], tmp_path: Path) -> None:
    import sqlite3

    async def run() -> None:
        async with stores(tmp_path, shaken[1], 2) as (one, two):
            await one.events.append("t", [event(f"e{i}", "lena", at=T0 + timedelta(hours=i)) for i in range(3)])
            for store in (one, two):
                await store.events.context("t", "lena")
                await store.states.put("t", "lena", 3, b"three")
            path = latest(tmp_path)
            for statement, left in (
                ("UPDATE interactions SET event_id = 'other' WHERE seq = 3", ["e0", "e1", "other"]),
                ("DELETE FROM interactions WHERE seq = 3", ["e0", "e1"]),
                ("DELETE FROM interactions", []),
            ):
                with sqlite3.connect(path) as connection:
                    connection.execute(statement)
                    connection.execute("DELETE FROM learner_states")
                connection.close()
                for store in (one, two):
                    found = await store.events.context("t", "lena")
                    assert ([e.event_id for e in found.interactions], found.state) == (left, None)

    asyncio.run(run())


@pytest.mark.parametrize("harm", ["frozen", "killed", "full"])
def test_without_redis_answers_are_the_same_and_soon_as_quick(
    harm: str, shaken: tuple[Server, str], tmp_path: Path
) -> None:
    server, url = shaken

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with stores(tmp_path, url, 2) as (one, two):
            await one.events.append("t", [event("e1", "lena")])
            await one.events.context("t", "lena")
            await one.states.put("t", "lena", 1, b"one")
            {"frozen": server.freeze, "killed": server.kill, "full": lambda: fill(url)}[harm]()
            try:
                times = []
                for i in range(2, 30):
                    await one.events.append("t", [event(f"e{i}", f"l{i}")])
                    began = loop.time()
                    found = await two.events.context("t", f"l{i}")
                    times.append(loop.time() - began)
                    assert [e.event_id for e in found.interactions] == [f"e{i}"]
                    await two.states.put("t", f"l{i}", i, b"x")
                # Three wait for it, then nobody does.
                assert sorted(times)[len(times) // 2] < 0.04
            finally:
                {"frozen": server.thaw, "killed": server.start, "full": lambda: empty(url)}[harm]()
            await asyncio.sleep(1.1)
            for x in ("lena", "lena", "l5"):
                assert len((await two.events.context("t", x)).interactions) == 1
            await two.states.put("t", "lena", 1, b"one")
            await asyncio.sleep(0.1)
            assert Redis.from_url(url).dbsize() > 0

    asyncio.run(run())


def fill(url: str) -> None:
    client = Redis.from_url(url)
    client.config_set("maxmemory", "1")
    client.config_set("maxmemory-policy", "noeviction")


def empty(url: str) -> None:
    client = Redis.from_url(url)
    client.config_set("maxmemory", "0")
    client.flushall()
