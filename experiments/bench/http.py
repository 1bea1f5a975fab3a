"""POST /v1/recommendations over HTTP, beside a no-op FastAPI endpoint that sends the same bytes, and the bare floor."""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from experiments.bench.decision import trained_on, twenty_masks
from experiments.bench.http_floors import KINDS
from experiments.bench.http_load import Load, get, load, post
from serving.auth import new_key
from serving.storage.opening import open_store
from training.log import interactions_of, read_log, resources_of, skills_of

SIZES, N_LEARNERS, ROUNDS, SECONDS = (1_000, 10_000, 100_000), 100, 5, 2.0
HEAD = (
    "| resources | state in | asked | objective | of a no-op | of bare | of a no-op, by CPU | CPU µs | no-op µs "
    "| p50, p99 ms at half | at full |",
    "|--:|--|--|--|--:|--:|--:|--:|--:|--:|--:|",
)


def http(work: Path, sizes: Sequence[int] = SIZES) -> str:
    """Throughput as ratios, medians of rounds in which all take turns on one core; the load comes from another one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    try:
        rows = [row for n in sizes for row in _of_size(work / str(n), n, core=cores[-1])]
    finally:
        os.sched_setaffinity(0, set(cores))
    return "\n".join([*HEAD, *rows])


@dataclass(frozen=True, slots=True)
class Rival:
    """A server that is up, and what is asked of it."""

    process: "subprocess.Popen[bytes]"
    port: int
    requests: Sequence[bytes]

    def cpu_s(self) -> float:
        """The processor time of its process so far, all threads."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _of_size(place: Path, n: int, *, core: int) -> Iterator[str]:
    trained_on(place, n)
    redis = os.environ.get("TRAILMATE_TEST_REDIS_URL", "")
    key = filled(place)
    with ExitStack() as stack:
        ours: dict[str, Rival] = {}
        for name, url in {"SQLite": "", **({"Redis": redis} if redis else {})}.items():
            ours[name] = stack.enter_context(served(place, url, core=core))
        _save_rules(n, ours["SQLite"].port, key)
        for objective in ("uptake", "learning"):
            again = [asked_by(i, objective, n, key) for i in range(N_LEARNERS)]
            # Each leaves out something else than the one before, so that nothing that was kept of the learner fits.
            anew = [asked_by(i % N_LEARNERS, objective, n, key, without=i) for i in range(20 * N_LEARNERS)]
            answer = place / f"{objective}.json"
            answer.write_bytes(_answer(ours["SQLite"].port, again[0]))
            with ExitStack() as floors:
                rivals = {kind: floors.enter_context(floor(kind, answer, core=core)) for kind in KINDS}
                theirs = {f"{name} | again": Rival(r.process, r.port, again) for name, r in ours.items()}
                theirs |= {f"{name} | anew": Rival(r.process, r.port, anew) for name, r in ours.items()}
                yield from _compared(rivals, theirs, f"{n:,}", objective)


def _save_rules(n: int, port: int, key: str) -> None:
    """Twenty rules of the whole school, as a teacher's page sends them."""
    for rule in twenty_masks(n):
        what = {name: list(ids) for name, ids in asdict(rule.what).items() if ids}
        body = {"id": rule.rule_id, "verb": rule.verb, "value": rule.value, "strength": rule.strength, "what": what}
        _answer_to(f"http://127.0.0.1:{port}/v1/rules", key, json.dumps(body).encode())


def _compared(floors: dict[str, Rival], ours: dict[str, Rival], size: str, objective: str) -> Iterator[str]:
    rates: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    full: dict[str, list[Load]] = {}
    everybody = {**floors, **ours}
    for rival in everybody.values():
        load(rival.port, rival.requests, seconds=1.0)
    for _ in range(ROUNDS):
        for name, rival in everybody.items():
            began = rival.cpu_s()
            told = load(rival.port, rival.requests, seconds=SECONDS)
            assert told.refused == 0, f"{name} refused {told.refused} requests"
            rates.setdefault(name, []).append(told.rate)
            cpu.setdefault(name, []).append((rival.cpu_s() - began) / len(told.times))
            full.setdefault(name, []).append(told)
    for name, rival in ours.items():
        # Whoever was asked something else meanwhile is asked once more first.
        load(rival.port, rival.requests, seconds=1.0)
        half = load(rival.port, rival.requests, seconds=2 * SECONDS, rate=statistics.median(rates[name]) / 2)
        most = sorted(full[name], key=lambda told: told.at(0.99))[ROUNDS // 2]
        to_no_op, to_bare = (_ratio(rates[name], rates[kind]) for kind in KINDS)
        mine, theirs = (statistics.median(cpu[x]) * 1e6 for x in (name, KINDS[0]))
        yield (
            f"| {size} | {name} | {objective} | {to_no_op:.3f} | {to_bare:.3f} | {theirs / mine:.3f} | {mine:.0f} "
            f"| {theirs:.0f} | {half.at(0.5):.1f}, {half.at(0.99):.1f} | {most.at(0.5):.1f}, {most.at(0.99):.1f} |"
        )


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def filled(place: Path) -> str:
    """A store with the log's catalogue and the events of some learners; the key to it."""
    data = place / "data"
    shutil.rmtree(data, ignore_errors=True)
    log = read_log(place / "log")
    events = list(interactions_of(log.interactions().filter(pl.col("learner_id") < _learner(N_LEARNERS)).collect()))

    async def fill() -> str:
        now = datetime.now(UTC)
        key, text = new_key("school", ["recommend", "rules"], now=now)
        async with open_store(f"sqlite+aiosqlite:///{(data / 'store.db').absolute()}") as store:
            await store.keys.add(key)
            await store.catalogue.put_resources("school", resources_of(log.resources()))
            await store.catalogue.put_skills("school", skills_of(log.skills()))
            await store.events.append("school", events, stamp=now)
        return text

    data.mkdir(parents=True)
    return asyncio.run(fill())


def _learner(i: int) -> str:
    return f"l{i:04d}"


def asked_by(i: int, objective: str, n: int, key: str, *, without: int | None = None) -> bytes:
    """What the learner of this number asks, as it goes over the line; `n` is the size of the catalogue."""
    goal = [f"s{(7 * i + j) % (n // 10):05d}" for j in range(4)]
    body: dict[str, object] = {"learner_id": _learner(i), "k": 5, "objective": objective, "goal": goal}
    if without is not None:
        body["exclude"] = [f"r{without % n:06d}"]
    return post("/v1/recommendations", json.dumps(body).encode(), key)


def _answer(port: int, request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    key = head.partition(b"Bearer ")[2].partition(b"\r")[0].decode()
    content = _answer_to(f"http://127.0.0.1:{port}/v1/recommendations", key, body)
    assert json.loads(content)["mode"] == "personalised"
    return content


def _answer_to(url: str, key: str, body: bytes) -> bytes:
    asking = urllib.request.Request(url, data=body, headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    with urllib.request.urlopen(asking, timeout=60) as answer:  # noqa: S310 - our own server
        content: bytes = answer.read()
    return content


@contextmanager
def served(
    place: Path, redis: str, *, core: int | None = None, database: str = "", workers: int = 1
) -> Iterator[Rival]:
    """`trailmate serve` on the data of this place or on a database, on its own core where one is named."""
    given = {
        "TRAILMATE_DATA": str(place / "data"),
        "TRAILMATE_REDIS_URL": redis,
        "TRAILMATE_DATABASE_URL": database,
        "TRAILMATE_WORKERS": str(workers),
    }
    words = ["-m", "trailmate.cli", "serve", "--port", "0", "--json", "--bundle", str(place / "bundle")]
    with _started(words, core=core, log=place / "server.log", **given) as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        yield Rival(process, port, ())


@contextmanager
def floor(kind: str, answer: Path, *, core: int) -> Iterator[Rival]:
    """A server on this core that sends the bytes in `answer`, of one of the kinds of `http_floors`."""
    words = ["-m", "experiments.bench.http_floors", kind, str(answer)]
    with _started(words, core=core, log=answer.with_suffix(".log")) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Rival(process, port, [get(f"/v1/learners/{_learner(i)}/next?k=5") for i in range(N_LEARNERS)])


@contextmanager
def _started(
    words: Sequence[str], *, core: int | None, log: Path, **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process on its own core."""
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.PIPE, stderr=told, env={**os.environ, **settings}
        )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)
        time.sleep(0.1)
