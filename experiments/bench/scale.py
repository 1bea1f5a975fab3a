"""What learners cost in PostgreSQL and in Redis: bytes by how much they told, measured and carried on to a million."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl

from engine.bundle import read_bundle
from experiments.bench.decision import trained_on
from experiments.bench.school import SIZE, learner_named
from serving.current_bundle import CurrentBundle
from serving.known_learner import keep_states, learner_in_sight
from serving.storage.database import connected
from serving.storage.opening import open_store
from serving.storage.port import Store
from training.log import add_to_log, read_log

_TABLES = ("interactions", "learner_states")
# A tool takes its time.
_TOGETHER, _PATIENCE_S = 200, 240.0
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What was added for so many learners with so many events each: bytes, and seconds to load and to fold.

    `keys` are those that came into Redis: where it does not answer in time, a copy is left out.
    """

    n: int
    n_events: int
    bytes_of: dict[str, int]
    load_s: float
    fold_s: float


def scale(work: Path, *, n_learners: int) -> str:
    """Bytes a learner, by table and in Redis, in steps: `n_learners` who told little, a twentieth who told much."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    url, redis = (os.environ.get(f"TRAILMATE_TEST_{name}_URL", "") for name in ("DATABASE", "REDIS"))
    if not (url and redis):
        raise SystemExit("run it as python -m tests.servers python -m experiments.bench --only scale")
    steps = [(n_learners // 4, 8), (n_learners // 4, 8), (n_learners // 2, 8), (n_learners // 20, 80)]
    costs, first = [], 0
    for n, n_events in steps:
        costs.append(_cost(place, url, redis, range(first, first + n), n_events))
        first += n
    return "\n".join([*_HEAD, *map(_row, costs), "", _told(costs)])


_HEAD = (
    "| learners added | events each | log, bytes a learner | state | Redis | all in PostgreSQL | loaded, events/s "
    "| folded, learners/s |",
    "|--:|--:|--:|--:|--:|--:|--:|--:|",
)


def _row(cost: Cost) -> str:
    log, state = (cost.bytes_of[name] / cost.n for name in _TABLES)
    redis = cost.bytes_of["redis"] / cost.bytes_of["keys"]
    return (
        f"| {cost.n:,} | {cost.n_events} | {log:,.0f} | {state:,.0f} | {redis:,.0f} | {log + state:,.0f} "
        f"| {cost.n * cost.n_events / cost.load_s:,.0f} | {cost.n / cost.fold_s:,.0f} |"
    )


def _told(costs: Sequence[Cost]) -> str:
    """A million, from the largest step of those who told little and from those who told much."""
    lines = []
    for cost in costs[-2:]:
        sql = sum(cost.bytes_of[name] for name in _TABLES) / cost.n
        redis = cost.bytes_of["redis"] / cost.bytes_of["keys"]
        lines.append(
            f"a million learners with {cost.n_events} events each: {sql * MILLION / 1e9:.1f} GB in PostgreSQL, "
            f"{redis * MILLION / 1e9:.1f} GB in Redis"
        )
    return "; ".join(lines)


def _cost(place: Path, url: str, redis: str, learners: Sequence[int], n_events: int) -> Cost:
    log = _log(place, learners, n_events)
    before = asyncio.run(_bytes(url, redis))
    began = time.perf_counter()
    given = {**os.environ, "TRAILMATE_DATABASE_URL": url, "TRAILMATE_DATA": str(place / "data")}
    words = ["-m", "trailmate.cli", "load", str(log), "--tenant", "scale", "--json"]
    told = subprocess.run([sys.executable, *words], env=given, check=True, capture_output=True)
    assert json.loads(told.stdout)["accepted"] == len(learners) * n_events
    loaded = time.perf_counter()
    asyncio.run(_folded(place / "bundle", url, redis, learners))
    folded = time.perf_counter()
    after = asyncio.run(_bytes(url, redis))
    grown = {name: after[name] - before[name] for name in after}
    return Cost(len(learners), n_events, grown, loaded - began, folded - loaded)


def _log(place: Path, learners: Sequence[int], n_events: int) -> Path:
    """A log of these learners, beside the catalogue that the bundle knows; made once."""
    folder = place / f"scale-{learners[0]}-{len(learners)}-{n_events}"
    if folder.exists():
        return folder
    rng = np.random.default_rng(learners[0])
    n = len(learners) * n_events
    who = np.repeat(np.arange(learners[0], learners[0] + len(learners)), n_events)
    events = pl.DataFrame(
        {
            "event_id": [f"scale-{learners[0]}-{i:08d}" for i in range(n)],
            "learner_id": [learner_named(int(x)) for x in who],
            "resource_id": [f"r{x:06d}" for x in (who * 13 + rng.integers(0, 60, n)) % SIZE],
            "at": [datetime(2026, 9, 1, tzinfo=UTC) + timedelta(minutes=int(x)) for x in rng.integers(0, 100_000, n)],
            "outcome": (rng.random(n) < 0.6).astype(float),
            "duration_s": rng.integers(20, 200, n).astype(float),
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    ).with_columns(kind=pl.lit("attempted"), source=pl.lit("bench"))
    known = read_log(place / "log")
    add_to_log(
        folder, interactions=[events], resources=known.resources(), skills=known.skills(), source="bench",
        now=datetime.now(UTC), report=lambda _what, _share: None,
    )  # fmt: skip
    return folder


async def _folded(bundle: Path, url: str, redis: str, learners: Sequence[int]) -> None:
    """Each learner looked at, folded and kept, as an answer does it, and their copies in Redis."""
    bundles = CurrentBundle(read_bundle(bundle))
    async with open_store(url, redis_url=redis, patience_s=_PATIENCE_S) as store:
        for start in range(0, len(learners), _TOGETHER):
            await _fold(store, bundles, [learner_named(x) for x in learners[start : start + _TOGETHER]])


async def _fold(store: Store, bundles: CurrentBundle, learner_ids: Sequence[str]) -> None:
    contexts = await store.events.contexts("scale", learner_ids)
    version = max(c.catalogue_version for c in contexts.values())
    recommender = await bundles.recommender("scale", version, store.catalogue)
    await keep_states([learner_in_sight("scale", x, c, recommender) for x, c in contexts.items()], store)


async def _bytes(url: str, redis: str) -> dict[str, int]:
    """What the tables take with their indexes, and what Redis holds, when all that is on its way has arrived."""
    async with connected(url, patience_s=600.0) as database:
        sizes = {name: await database.read(partial(_size, name=name)) for name in _TABLES}
    used, keys = (_said(redis, word) for word in ("INFO memory", "DBSIZE"))
    used = next(x.partition(":")[2] for x in used.splitlines() if x.startswith("used_memory:"))
    return {**sizes, "redis": int(used), "keys": int(keys.lstrip(":"))}


def _size(connection: Any, *, name: str) -> int:
    if not connection.exec_driver_sql("SELECT to_regclass($1) IS NOT NULL", (name,)).scalar_one():
        return 0
    connection.exec_driver_sql(f"VACUUM {name}")
    return int(connection.exec_driver_sql("SELECT pg_total_relation_size($1::regclass)", (name,)).scalar_one())


def _said(redis: str, word: str) -> str:
    """What Redis answers, in plain text."""
    place = urlsplit(redis)
    with socket.create_connection((place.hostname or "127.0.0.1", place.port or 6379), 10) as line:
        line.sendall(f"{word}\r\n".encode())
        return line.recv(65_536).decode()
