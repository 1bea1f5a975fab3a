"""`python -m tests.dying FOLDER WHAT STRIDE`: die before every so many-th step on the disk, and say what was left.

Run with tests/interposed.c before it. A child keeps a batch (`append`), or puts it into the outbox because the store is
away (`outbox`), or makes a store first (`open`), and is killed before its n-th step; another one opens what was left,
tells the log, sends the batch again, and tells the log then. A line of JSON for each step, until a child comes through.
"""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from serving.storage.outbox import Entry, Outbox
from serving.storage.port import Store

T0 = datetime(2026, 9, 1, tzinfo=UTC)
FIRST, SECOND = range(6), (2, 7, 6, 8, 6, 3, 9, 10)


def event(number: int) -> Interaction:
    return Interaction(
        event_id=f"e{number}", learner_id=f"l{number % 2}", kind="attempted", source="app", resource_id=f"r{number}",
        outcome=0.5, at=T0 + timedelta(minutes=number),
    )  # fmt: skip


def opened(folder: Path, do: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        # What waits in the outbox is put into the store when it is opened.
        async with open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}", outbox=folder / "outbox") as store:
            return await do(store)

    return asyncio.run(run())


async def first(store: Store) -> None:
    await store.events.append("t", [event(i) for i in FIRST])


async def second(store: Store) -> None:
    """The batch, of which some stood there already and one comes twice, and what it comes to."""
    await store.events.append("t", [event(i) for i in SECOND])
    for learner_id in ("l0", "l1"):
        context = await store.events.context("t", learner_id)
        ids = ",".join(e.event_id for e in context.interactions)
        await store.states.put("t", learner_id, context.arrived[-1], ids.encode())


async def waiting(folder: Path) -> None:
    """The batch, while the store is away."""

    async def away(_entry: Entry) -> None:
        raise Unavailable("the store is away")

    outbox = Outbox(folder / "outbox", away)
    await outbox.add(Entry(tenant="t", events=[event(i) for i in SECOND]))
    # What comes then is the end of the store, which `append` dies in.
    die_before(0)
    await outbox.close()


async def log(store: Store) -> Any:
    states = []
    for learner_id in ("l0", "l1"):
        context = await store.events.context("t", learner_id)
        ids = ",".join(e.event_id for e in context.interactions)
        states.append([ids, context.state.content.decode() if context.state else None])
    return [[seq, e.event_id] for seq, e in await store.events.after("t", 0, 1_000)], states


def child(do: Callable[[], Any]) -> tuple[bytes, int]:
    """What a process of its own says, and how it ended."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reads)
            said = json.dumps(do()).encode()
            die_before(0)
            os.write(writes, said)
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        said = pipe.read()
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def dying(folder: Path, n: int, what: str) -> bool:
    """Do it all up to step `n`; tells by its end whether the batch was acknowledged."""

    async def do(store: Store) -> bool:
        if what != "open":
            await first(store)
            die_before(n)
        await {"open": lambda: first(store), "append": lambda: second(store), "outbox": lambda: waiting(folder)}[what]()
        return True

    if what == "open":
        die_before(n)
    acknowledged: bool = opened(folder, do)
    return acknowledged


def after(folder: Path, what: str) -> Any:
    async def do(store: Store) -> Any:
        left = await log(store)
        await first(store)
        if what != "open":
            await second(store)
        return [left, await log(store)]

    return opened(folder, do)


def main() -> None:
    folder, what = Path(sys.argv[1]), sys.argv[2]
    n, stride, code = 1 - int(sys.argv[3]), int(sys.argv[3]), -signal.SIGKILL
    while code == -signal.SIGKILL:
        n += stride
        place = folder / f"{what}{n}"
        place.mkdir()
        said, code = child(partial(dying, place, n, what))
        told, _ = child(partial(after, place, what))
        line = {"step": n, "acknowledged": said == b"true", "code": code, "told": json.loads(told)}
        sys.stdout.write(json.dumps(line) + "\n")
        shutil.rmtree(place)


def die_before(n: int) -> None:
    """As tests/interposed.c has it; without it nobody dies."""
    ctypes.CDLL(None).die_before(ctypes.c_long(n))


if __name__ == "__main__":
    main()
