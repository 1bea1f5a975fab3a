"""How fast the store writes and reads, against what the machine's own disk allows."""

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner
from serving.storage.opening import open_store
from serving.storage.port import Store

T0 = datetime(2026, 9, 1, tzinfo=UTC)
N_PRODUCERS, SECONDS, ROUNDS, N_EVENTS, STATE_BYTES = 64, 2.0, 5, 300, 14_000


def store(work: Path) -> str:
    """Durable writes and reads of one learner, in SQLite and in the servers that the environment names, as Markdown."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    urls = {"SQLite": f"sqlite+aiosqlite:///{(work / 'store.db').absolute()}"}
    if "TRAILMATE_TEST_DATABASE_URL" in os.environ:
        urls["PostgreSQL"] = os.environ["TRAILMATE_TEST_DATABASE_URL"]
    redis_url = os.environ.get("TRAILMATE_TEST_REDIS_URL", "")
    written = [asyncio.run(_writes(name, url, work)) for name, url in urls.items()]
    read = [asyncio.run(_reads(name, url, redis_url)) for name, url in urls.items()]
    return "\n".join([*_WRITE_HEAD, *written, "", *_READ_HEAD, *read])


_WRITE_HEAD = (
    f"| store | fdatasync/s | events/s, {N_PRODUCERS} producers | ratio | p99 ms | one event, ms | in fdatasyncs |",
    "|--|--:|--:|--:|--:|--:|--:|",
)
_READ_HEAD = (
    f"| {N_EVENTS} events, μs | all from SQL | SQL, copy in process | SQL, copy in Redis | Redis alone |",
    "|--|--:|--:|--:|--:|",
)


def _event(i: int, learner_id: str = "") -> Interaction:
    return Interaction(
        event_id=f"event-{i}", learner_id=learner_id or f"learner-{i % 500}", kind="attempted", source="bench",
        resource_id=f"resource-{i % 1000}", at=T0 + timedelta(seconds=i), outcome=0.5, duration_s=30.0,
    )  # fmt: skip


def _fdatasync_seconds(work: Path, n: int = 60) -> list[float]:
    """Times of writing 4 kB to the end of a file and having them on disk."""
    times = []
    with (work / "fdatasync").open("wb", buffering=0) as file:
        for _ in range(n):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return times


async def _writes(name: str, url: str, work: Path) -> str:
    """Medians of rounds, in which disk, group and single take turns."""
    disk, rates, tails, singles, single_ratios, ratios = [], [], [], [], [], []
    n = 0
    async with open_store(url) as opened:
        for round_ in range(ROUNDS):
            tenant = f"bench{round_}"
            sync = _fdatasync_seconds(work)
            rate, p99, n = await _produced(opened, tenant, n)
            alone = []
            for _ in range(40):
                n += 1
                alone.append(await _timed(lambda i=n, t=tenant: opened.events.append(t, [_event(i)])))  # type: ignore[misc]
            sync += _fdatasync_seconds(work)
            one, alone_s = statistics.median(sync), statistics.median(alone)
            disk.append(1 / statistics.mean(sync))
            rates.append(rate)
            tails.append(p99 * 1e3)
            singles.append(alone_s * 1e3)
            ratios.append(rate * statistics.mean(sync))
            single_ratios.append(alone_s / one)
    m = statistics.median
    return (
        f"| {name} | {m(disk):,.0f} | {m(rates):,.0f} | {m(ratios):.1f} | {m(tails):.1f} | {m(singles):.2f} "
        f"| {m(single_ratios):.2f} |"
    )


async def _produced(opened: Store, tenant: str, n: int) -> tuple[float, float, int]:
    """Events a second, the 99th percentile of waiting, and the last number used."""
    times: list[float] = []
    count = n

    async def produce() -> None:
        nonlocal count
        while time.perf_counter() < until:
            count += 1
            event = _event(count)
            began = time.perf_counter()
            await opened.events.append(tenant, [event])
            times.append(time.perf_counter() - began)

    began = time.perf_counter()
    until = began + SECONDS
    await asyncio.gather(*(produce() for _ in range(N_PRODUCERS)))
    return len(times) / (time.perf_counter() - began), sorted(times)[int(len(times) * 0.99)], count


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _reads(name: str, url: str, redis_url: str) -> str:
    """Medians over learners: each of them is read as it is found in each place."""
    from serving.storage.copies import Copies
    from serving.storage.events import SqlEvents

    learners = [f"reader-{i}" for i in range(60)]
    async with open_store(url, redis_url=redis_url) as opened:
        events, states = opened.events, opened.states
        assert isinstance(events, SqlEvents)
        for x in learners:
            told = [_event(i, x) for i in range(N_EVENTS)]
            seq = (await events.append(f"reads-{x}", told)).seq
            await opened.people.put_learners(f"reads-{x}", [Learner(learner_id=x)])
            await events.context(f"reads-{x}", x)
            await states.put(f"reads-{x}", x, seq, os.urandom(STATE_BYTES))
        near, shared = events._copies, events._copies._shared
        await asyncio.sleep(0.5)
        places = {"sql": Copies(None), "near": near, "redis": Copies(shared)}
        taken: dict[str, list[float]] = {place: [] for place in (*places, "alone")}
        for x in learners:
            for place, copies in places.items():
                if place == "redis" and shared is None:
                    continue
                events._copies = copies
                taken[place].append(await _timed(lambda x=x: events.context(f"reads-{x}", x)))  # type: ignore[misc]
            if shared is not None:
                taken["alone"].append(await _timed(lambda x=x: shared.get(f"reads-{x}", [x])))  # type: ignore[misc]
    shown = (f"{statistics.median(t) * 1e6:,.0f}" if t else "-" for t in taken.values())
    return f"| {name} | {' | '.join(shown)} |"
