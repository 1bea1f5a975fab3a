"""How fast the store writes and reads, against what the machine's own disk allows."""

import asyncio
import hashlib
import os
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner
from serving.ladder import reach
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
    seen = [asyncio.run(_seen_elsewhere(name, url, redis_url)) for name, url in urls.items()]
    return "\n".join([*_WRITE_HEAD, *written, "", *_READ_HEAD, *read, "", *_SEEN_HEAD, *seen])


_WRITE_HEAD = (
    f"| store | fdatasync/s | events/s, {N_PRODUCERS} producers | ratio | p99 ms | one event, ms | in fdatasyncs |",
    "|--|--:|--:|--:|--:|--:|--:|",
)
_READ_HEAD = (
    f"| {N_EVENTS} events, μs of CPU | all from SQL | SQL, copy in process | SQL, copy in Redis | Redis alone |",
    "|--|--:|--:|--:|--:|",
)


def _event(i: int, learner_id: str = "") -> Interaction:
    return Interaction(
        event_id=hashlib.sha256(str(i).encode()).hexdigest()[:32],
        learner_id=learner_id or f"learner-{i % 500}",
        kind="attempted",
        source="bench",
        resource_id=f"resource-{i % 1000}",
        at=T0 + timedelta(seconds=i),
        outcome=0.5,
        duration_s=30.0,
    )


_SEEN_HEAD = ("| seen by another server after the acknowledgement | median ms | p99 ms |", "|--|--:|--:|")


async def _seen_elsewhere(name: str, url: str, redis_url: str, n: int = 300) -> str:
    """From the acknowledgement of an event until a second server has read it under its token."""
    times = []
    async with open_store(url, redis_url=redis_url) as one, open_store(url, redis_url=redis_url) as two:
        for i in range(n):
            told, asked = (one, two) if i % 2 else (two, one)
            kept = await told.events.append("seen", [_event(i, "lena")])
            reading = partial(reach, "seen", ["lena"], None, at_least=kept.seq, store=asked)
            times.append(await _timed(reading))
            await told.states.put("seen", "lena", kept.seq, os.urandom(STATE_BYTES))
    times.sort()
    return f"| {name} | {statistics.median(times) * 1e3:.1f} | {times[int(n * 0.99)] * 1e3:.1f} |"


class _Disk:
    """A file whose end is written and flushed, 4 kB at a time: the machine's own pace."""

    def __init__(self, work: Path) -> None:
        self._file = (work / "fdatasync").open("wb", buffering=0)

    def second(self) -> float:
        """How long one write and fdatasync took, in seconds."""
        began = time.perf_counter()
        self._file.write(b"x" * 4096)
        os.fdatasync(self._file.fileno())
        return time.perf_counter() - began


async def _writes(name: str, url: str, work: Path) -> str:
    """Medians of rounds, in which disk, group and single take turns: the disk's pace changes by the minute."""
    rounds: list[tuple[float, ...]] = []
    disk, n = _Disk(work), 0
    async with open_store(url) as opened:
        for round_ in range(ROUNDS):
            tenant = f"bench{round_}"
            syncs = [disk.second() for _ in range(40)]
            rate, p99, n = await _produced(opened, tenant, n)
            syncs += [disk.second() for _ in range(40)]
            beside, alone = [], []
            for _ in range(40):
                n += 1
                beside.append(disk.second())
                alone.append(await _timed(lambda i=n, t=tenant: opened.events.append(t, [_event(i)])))  # type: ignore[misc]
            one = statistics.median(alone)
            pace = statistics.mean(syncs)
            rounds.append((1 / pace, rate, rate * pace, p99 * 1e3, one * 1e3, one / statistics.median(beside)))
    figures = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return "| {} | {:,.0f} | {:,.0f} | {:.1f} | {:.1f} | {:.2f} | {:.2f} |".format(name, *figures)


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


async def _timed(work: Callable[[], Awaitable[object]], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    await work()
    return clock() - began


async def _reads(name: str, url: str, redis_url: str) -> str:
    """Medians over learners of the reader's own processor time: each learner is read as found in each place."""
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
                reading = partial(events.context, f"reads-{x}", x)
                taken[place].append(await _timed(reading, time.process_time))
            if shared is not None:
                taken["alone"].append(await _timed(partial(shared.get, f"reads-{x}", [x]), time.process_time))
    shown = (f"{statistics.median(t) * 1e6:,.0f}" if t else "-" for t in taken.values())
    return f"| {name} | {' | '.join(shown)} |"
