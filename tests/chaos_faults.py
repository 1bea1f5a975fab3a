"""What is done to a running school: each fault is begun, lasts for a while, and is undone."""

import asyncio
import os
import random
import resource
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from serving.promotion import Place, promote, promoted_in
from tests.chaos_load import Load
from tests.fault_proxy import FAIR, FaultProxy, Weather
from tests.interposed import Interposed
from tests.served import Served
from tests.servers import Server

Fault = Callable[[], AbstractAsyncContextManager[None]]


@dataclass
class School:
    """What there is to be harmed.

    `keeper` is one thread that outlives all: servers end with the thread that began them.
    """

    served: Served
    bundles: Sequence[Place]
    spoilt: Place
    chance: random.Random
    keeper: Executor
    clock: Interposed | None = None
    servers: dict[str, tuple[Server, FaultProxy]] = field(default_factory=dict)
    apps: FaultProxy | None = None
    done: list[str] = field(default_factory=list)

    def workers(self) -> list[int]:
        pid = self.served.process.pid
        with suppress(FileNotFoundError, ProcessLookupError):
            return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def a_worker(self) -> list[int]:
        """One of them; none where all are about to be begun again."""
        there = self.workers()
        return [self.chance.choice(there)] if there else []

    async def done_by_keeper(self, do: Callable[[], Any]) -> None:
        await asyncio.get_running_loop().run_in_executor(self.keeper, do)


@asynccontextmanager
async def _killed(school: School, server: Server) -> AsyncIterator[None]:
    await school.done_by_keeper(server.kill)
    try:
        yield
    finally:
        await school.done_by_keeper(server.start)


@asynccontextmanager
async def _frozen(server: Server) -> AsyncIterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@asynccontextmanager
async def _weather(line: FaultProxy, weather: Weather) -> AsyncIterator[None]:
    line.weather = weather
    try:
        yield
    finally:
        line.weather = FAIR


@asynccontextmanager
async def _cut(line: FaultProxy) -> AsyncIterator[None]:
    line.cut()
    async with _weather(line, Weather(refuses=True)):
        yield


@asynccontextmanager
async def _cut_in_a_word(line: FaultProxy, chance: random.Random) -> AsyncIterator[None]:
    """Every line ends after some bytes, wherever that is in what is said, again and again."""
    try:
        async with asyncio.TaskGroup() as meanwhile:
            cutting = meanwhile.create_task(_cut_again(line, chance))
            yield
            cutting.cancel()
    finally:
        line.cut_after(None)


async def _cut_again(line: FaultProxy, chance: random.Random) -> None:
    while True:
        line.cut_after(chance.randrange(20_000))
        await asyncio.sleep(0.2)


@asynccontextmanager
async def _told(pids: Sequence[int], number: int, then: int = 0) -> AsyncIterator[None]:
    """Send these processes a signal, and another one when it is over."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    try:
        yield
    finally:
        for pid in pids if then else ():
            with suppress(ProcessLookupError):
                os.kill(pid, then)


@asynccontextmanager
async def _disk_full(pids: Sequence[int], n_bytes: int) -> AsyncIterator[None]:
    """No file of these processes may grow beyond `n_bytes`: a write there fails as on a full disk."""
    before = {}
    for pid in pids:
        with suppress(ProcessLookupError):
            before[pid] = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (n_bytes, before[pid][1]))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@asynccontextmanager
async def _clock_at(clock: Interposed, ahead_s: float) -> AsyncIterator[None]:
    clock.set_clock(ahead_s)
    try:
        yield
    finally:
        clock.set_clock(0)


@asynccontextmanager
async def _promoted(school: School, place: Place) -> AsyncIterator[None]:
    """It stands until another one is promoted, or a server takes it back."""
    base, now = school.bundles[0].version, promoted_in(school.served.data)
    promote(school.served.data, place, over=base, serving=now.current.version if now else base)
    yield


def faults_of(school: School) -> dict[str, Fault]:
    """Everything that can be done to this school, by name."""
    s = school
    found: dict[str, Fault] = {
        "worker killed": lambda: _told(s.a_worker(), signal.SIGKILL),
        "worker frozen": lambda: _told(s.a_worker(), signal.SIGSTOP, then=signal.SIGCONT),
        "disk full": lambda: _disk_full([s.served.process.pid, *s.workers()], 1_000),
        "spoilt bundle promoted": lambda: _promoted(s, s.spoilt),
        "bundle promoted": lambda: _promoted(s, s.chance.choice(s.bundles)),
    }
    if s.clock is not None:
        found["clock 3 days ahead"] = partial(_clock_at, s.clock, 3 * 86_400)
        found["clock 3 days back"] = partial(_clock_at, s.clock, -3 * 86_400)
    for name, (server, line) in s.servers.items():
        found[f"{name} killed"] = partial(_killed, s, server)
        found[f"{name} frozen"] = partial(_frozen, server)
        found |= _of_line(name, line, s.chance)
    if s.apps is not None:
        found |= _of_line("apps", s.apps, s.chance)
    return found


def _of_line(name: str, line: FaultProxy, chance: random.Random) -> dict[str, Fault]:
    weathers = {
        "slow": Weather(delay_s=0.02, jitter_s=0.02),
        "very slow": Weather(delay_s=0.3, jitter_s=0.3),
        "narrow": Weather(bytes_per_s=50_000),
        "swallowed": Weather(swallows=True),
    }
    return {
        **{f"{name} {how}": partial(_weather, line, weather) for how, weather in weathers.items()},
        f"{name} cut": partial(_cut, line),
        f"{name} cut in a word": partial(_cut_in_a_word, line, chance),
    }


@dataclass(frozen=True, slots=True)
class Step:
    """These faults at once for so many seconds, and then so many seconds of rest."""

    names: Sequence[str]
    lasting_s: float
    rest_s: float


async def harm(school: School, load: Load, plan: Sequence[Step]) -> None:
    """Go through the plan; the load knows at each moment what is being done."""
    found = faults_of(school)
    for step in plan:
        load.books.phase = " + ".join(step.names)
        async with AsyncExitStack() as undone:
            for name in step.names:
                await undone.enter_async_context(found[name]())
                school.done.append(name)
            await asyncio.sleep(step.lasting_s)
        # Who was harmed needs a moment: their answers are not calm yet.
        load.books.phase = f"after {load.books.phase}"
        await asyncio.sleep(step.rest_s / 2)
        load.books.phase = "calm"
        await asyncio.sleep(step.rest_s / 2)


def drawn(names: Sequence[str], chance: random.Random, *, seconds: float) -> list[Step]:
    """A plan of about so many seconds: every fault once before any comes again, now and then two at once."""
    plan: list[Step] = []
    waiting: list[str] = []
    while sum(step.lasting_s + step.rest_s for step in plan) < seconds:
        if len(waiting) < 2:
            fresh = list(names)
            chance.shuffle(fresh)
            waiting += fresh
        together = [waiting.pop(0) for _ in range(1 + (chance.random() < 0.25))]
        plan.append(Step(list(dict.fromkeys(together)), chance.uniform(0.5, 6.0), chance.uniform(1.0, 5.0)))
    return plan
