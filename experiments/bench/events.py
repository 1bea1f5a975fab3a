"""POST /v1/events over HTTP, ten new events in each batch, beside a no-op POST that looks at nothing."""

import os
import statistics
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from experiments.bench.decision import trained_on
from experiments.bench.http import floor, served
from experiments.bench.http_load import N_CONNECTIONS, load
from experiments.bench.school import SIZE, event, filled, telling

ROUNDS, SECONDS, BATCH, N_LEARNERS = 5, 2.0, 10, 500
# More batches than we take in a round: none is told us twice. Who looks at none may get one again.
_MOST = 12_000


def events(work: Path) -> str:
    """Throughput and processor time as ratios, medians of rounds in turns on one core, as Markdown."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    cores = sorted(os.sched_getaffinity(0))
    urls = {"SQLite": "", "PostgreSQL": os.environ.get("TRAILMATE_TEST_DATABASE_URL", "")}
    rows = ["| store | of a no-op POST | by CPU | batches/s | events/s | CPU μs a batch | no-op μs | p50, p99 ms |"]
    rows.append("|--|--:|--:|--:|--:|--:|--:|--:|")
    os.sched_setaffinity(0, {cores[0]})
    try:
        for name, url in urls.items():
            if name == "SQLite" or url:
                rows.append(_beside(place, name, url, core=cores[-1]))
    finally:
        os.sched_setaffinity(0, set(cores))
    return "\n".join(rows)


def _beside(place: Path, name: str, url: str, *, core: int) -> str:
    key = filled(place, url, tenant="events", told=[10] * N_LEARNERS)
    answer = place / "told.json"
    answer.write_bytes(b'{"accepted":10,"duplicates":0,"rejected":[],"seen_token":"s123456"}')
    chance = np.random.default_rng(2)
    mine: list[tuple[float, float]] = []
    no_op: list[tuple[float, float]] = []
    times: list[tuple[float, float]] = []
    with ExitStack() as stack:
        ours = stack.enter_context(served(place, "", core=core, database=url))
        theirs = stack.enter_context(floor("no-op POST", answer, core=core))
        for turn in range(-1, ROUNDS):
            sent = [_batch(f"{turn}-{i}", key, chance) for i in range(_MOST)]
            for rival, told in ((ours, mine), (theirs, no_op)):
                began = rival.cpu_s()
                came = load(rival.port, iter(sent) if rival is ours else sent, seconds=SECONDS)
                assert came.refused == 0
                assert rival is theirs or len(came.times) < _MOST - N_CONNECTIONS
                if turn >= 0:
                    told.append((came.rate, (rival.cpu_s() - began) / len(came.times)))
                    times += [(came.at(0.5), came.at(0.99))] if rival is ours else []
    rate, cpu = (statistics.median(column) for column in zip(*mine, strict=True))
    ratio = statistics.median(a[0] / b[0] for a, b in zip(mine, no_op, strict=True))
    floor_cpu = statistics.median(cpu for _, cpu in no_op)
    p50, p99 = (statistics.median(column) for column in zip(*times, strict=True))
    return (
        f"| {name} | {ratio:.3f} | {floor_cpu / cpu:.3f} | {rate:,.0f} | {rate * BATCH:,.0f} | {cpu * 1e6:,.0f} "
        f"| {floor_cpu * 1e6:.0f} | {p50:.1f}, {p99:.1f} |"
    )


def _batch(name: str, key: str, chance: np.random.Generator) -> bytes:
    return telling([event(f"{name}-{i}", int(chance.integers(N_LEARNERS)), chance) for i in range(BATCH)], key)
