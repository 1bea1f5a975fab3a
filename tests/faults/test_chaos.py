"""A school under load while everything around it fails: no error, no lost event, no broken rule."""

import asyncio
import json
import random
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from engine.bundle import read_bundle
from engine.domain.interaction import Interaction
from engine.learner.fold import folded
from engine.recommender import Recommender, recommender_of
from serving.known_learner import learner_in_sight
from serving.promotion import Place
from serving.storage.opening import open_store
from serving.storage.port import Slot, Store
from tests.chaos_faults import School, Step, drawn, faults_of, harm
from tests.chaos_load import Books, Load
from tests.conftest import train_quietly
from tests.fault_proxy import FaultProxy
from tests.interposed import Interposed, compiled
from tests.served import key_for, served
from tests.servers import Server, new_database, postgres_server, valkey_server

CUT = {
    "postgres": [
        Step(["redis killed"], 2.0, 1.0),
        Step(["database frozen"], 2.0, 1.5),
        Step(["worker killed"], 1.0, 1.0),
        Step(["redis swallowed", "clock 3 days ahead"], 1.5, 1.0),
        Step(["database killed"], 2.0, 1.5),
        Step(["spoilt bundle promoted", "disk full"], 1.0, 1.0),
        Step(["database cut in a word", "worker frozen"], 1.5, 1.0),
        Step(["bundle promoted", "redis frozen"], 1.5, 1.0),
        Step(["database slow", "apps cut in a word"], 1.5, 1.0),
    ],
    "sqlite": [
        Step(["disk full"], 1.5, 1.0),
        Step(["worker killed", "apps cut in a word"], 1.5, 1.0),
        Step(["worker frozen"], 1.5, 1.0),
        Step(["spoilt bundle promoted", "clock 3 days back"], 1.5, 1.0),
        Step(["bundle promoted", "apps cut"], 1.0, 1.0),
    ],
}


@pytest.fixture(scope="module")
def bundles(tiny_log: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Place], Place]:
    """Two bundles that are good, and one that is not what its name says."""
    folder = tmp_path_factory.mktemp("chaos")
    train_quietly(tiny_log, folder / "other", seed=1)
    shutil.copytree(folder / "other", folder / "spoilt")
    (folder / "spoilt" / "golden.json").write_text("[]")
    good = [Place(str(path), read_bundle(path).version) for path in (tiny_bundle, folder / "other")]
    return good, Place(str(folder / "spoilt"), "v-spoilt")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Interposed:
    return compiled(tmp_path_factory.mktemp("clock"))


Plan = Callable[[School], Sequence[Step]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_forty_seconds_of_chaos(
    kind: str, bundles: tuple[list[Place], Place], clock: Interposed, tmp_path: Path
) -> None:
    lived_through(kind, bundles, clock, tmp_path, plan=lambda _: CUT[kind], n_learners=30, seed=7)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kind", "seconds"), [("postgres", 600.0), ("sqlite", 300.0)])
def test_ten_minutes_of_chaos(
    kind: str, seconds: float, bundles: tuple[list[Place], Place], clock: Interposed, tmp_path: Path
) -> None:
    def plan(school: School) -> Sequence[Step]:
        return drawn(sorted(faults_of(school)), school.chance, seconds=seconds)

    lived_through(kind, bundles, clock, tmp_path, plan=plan, n_learners=300, seed=11)


def lived_through(
    kind: str,
    bundles: tuple[list[Place], Place],
    clock: Interposed,
    folder: Path,
    *,
    plan: Plan,
    n_learners: int,
    seed: int,
) -> None:
    """The whole of it: servers, load, harm, and what stands at the end against what was promised."""
    with ExitStack() as stack:
        (folder / "data").mkdir()
        keeper = stack.enter_context(ThreadPoolExecutor(1))
        servers: dict[str, tuple[Server, str, int | str]] = {}
        url = f"sqlite+aiosqlite:///{(folder / 'data' / 'store.db').absolute()}"
        if kind == "postgres":
            database, given = stack.enter_context(postgres_server())
            redis, redis_url = stack.enter_context(valkey_server())
            url = new_database(given)
            servers["database"] = (database, url, str(database.folder / ".s.PGSQL.5432"))
            servers["redis"] = (redis, redis_url, int(redis_url.rpartition(":")[2].partition("/")[0]))
        books = asyncio.run(_lived(folder / "data", url, servers, bundles, clock, keeper, plan, n_learners, seed))
        asyncio.run(_held(books, url, [Path(place.path or "") for place in bundles[0]], n_learners))


async def _lived(
    data: Path,
    url: str,
    servers: dict[str, tuple[Server, str, int | str]],
    bundles: tuple[list[Place], Place],
    clock: Interposed,
    keeper: ThreadPoolExecutor,
    plan: Plan,
    n_learners: int,
    seed: int,
) -> Books:
    async with _proxies(servers, seed) as lines:
        settings = _settings(url, lines)
        options = ["--workers", "2", "--bundle", str(bundles[0][0].path)]
        key = await asyncio.to_thread(key_for, data, "admin", url=url)
        with ExitStack() as stack:
            # In a thread: what it waits for goes through the proxies of this loop.
            starting = served(data, *options, around=clock.environment, **settings)
            server = await asyncio.to_thread(stack.enter_context, starting)
            async with FaultProxy(int(server.url.rpartition(":")[2]), seed=seed) as apps:
                chance = random.Random(seed)
                addresses = random.Random(seed)
                load = Load(
                    lambda: addresses.choice([server.url, f"http://127.0.0.1:{apps.port}"]),
                    key,
                    n_learners=n_learners,
                    seed=seed,
                )
                harmed = {name: (one, lines[name]) for name, (one, _, _) in servers.items()}
                school = School(server, *bundles, chance, keeper, clock, harmed, apps)
                await _all(school, load, plan(school))
                assert len(school.workers()) == 2
            server.process.terminate()
            assert await asyncio.to_thread(server.process.wait, 30) == 0
    return load.books


async def _all(school: School, load: Load, plan: Sequence[Step]) -> None:
    await load.prepare()
    running = asyncio.create_task(load.run(n_askers=5, n_tellers=3))
    try:
        await asyncio.sleep(1.0)
        await harm(school, load, plan)
    finally:
        load.stop()
        await running
        sys.stdout.write(f"\n{told_of(load.books)}\n")
    await load.settle(120.0 if len(plan) > 20 else 60.0)


@asynccontextmanager
async def _proxies(
    servers: dict[str, tuple[Server, str, int | str]], seed: int
) -> AsyncIterator[dict[str, FaultProxy]]:
    lines = {name: FaultProxy(upstream, seed=seed) for name, (_, _, upstream) in servers.items()}
    for line in lines.values():
        await line.__aenter__()
    try:
        yield lines
    finally:
        for line in lines.values():
            await line.__aexit__()


def _settings(url: str, lines: dict[str, FaultProxy]) -> dict[str, str]:
    if not lines:
        return {}
    name = url.partition("?")[0].rpartition("/")[2]
    return {
        "database_url": f"postgresql://postgres@127.0.0.1:{lines['database'].port}/{name}?sslmode=disable",
        "redis_url": f"redis://127.0.0.1:{lines['redis'].port}/0",
    }


async def _held(books: Books, url: str, bundles: Sequence[Path], n_learners: int) -> None:
    """What was promised, against the store itself, now that nobody serves any more."""
    # All of 300 learners in one look, on a machine that may be busy: it is no server that must answer.
    async with open_store(url, patience_s=60.0) as store:
        log = [pair async for pair in _log(store)]
        # Events and decisions draw their numbers from one row: none is missing and none was given twice.
        decided = {slot.seq async for slot in _decisions(store)}
        assert sorted([*(seq for seq, _ in log), *decided]) == list(range(1, len(log) + len(decided) + 1))
        ids = [event.event_id for _, event in log]
        assert len(set(ids)) == len(ids)
        assert books.faults == []
        assert books.kept - set(ids) == set()
        assert set(ids) == set(books.events)
        await _states_are_the_log(store, log, bundles, n_learners)
    # It was a test of something.
    assert books.n_duplicates > 10
    assert books.n_options > 100
    assert books.statuses["tell", 503] + sum(books.lost.values()) > 0


async def _states_are_the_log(
    store: Store, log: Sequence[tuple[int, Interaction]], bundles: Sequence[Path], n: int
) -> None:
    """A state that is kept is what the log came to when it was kept, to the bit, and served is what it comes to now.

    What is kept may lag behind, where the database went away before it was written: it is caught up when asked for.
    """
    resources = await store.catalogue.resources("school")
    contexts = await store.events.contexts("school", [f"l{i:03d}" for i in range(n)])
    made = [recommender_of(read_bundle(path), resources) for path in bundles]
    for learner_id, context in contexts.items():
        own = [(seq, event) for seq, event in log if event.learner_id == learner_id]
        assert list(zip(context.arrived, context.interactions, strict=True)) == own
        assert context.state is not None
        known = [event for seq, event in own if seq <= context.state.seq]
        assert context.state.content in [_folded(known, one) for one in made]
        for one in made:
            assert learner_in_sight("school", learner_id, context, one).made.content == _folded(
                [e for _, e in own], one
            )


def _folded(events: Sequence[Interaction], recommender: Recommender) -> bytes:
    assert recommender.learner is not None
    return folded(events, recommender.learner, recommender.offer).to_bytes()


async def _log(store: Store) -> AsyncIterator[tuple[int, Interaction]]:
    seq = 0
    while page := await store.events.after("school", seq, 5_000):
        for pair in page:
            yield pair
        seq = page[-1][0]


async def _decisions(store: Store) -> AsyncIterator[Slot]:
    seq = 0
    while page := await store.decisions.after("school", seq, 5_000):
        for slot in page:
            yield slot
        seq = page[-1].seq


def told_of(books: Books) -> str:
    """What came of it, as a table of Markdown."""
    rows = ["| while | answers | p50 ms | p99 ms | longest |", "|--|--:|--:|--:|--:|"]
    for phase, times in sorted(books.times.items()):
        if phase.startswith("after "):
            continue
        ordered = sorted(times)
        shown = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1e3 for share in (0.5, 0.99, 1.0)]
        rows.append(f"| {phase} | {len(ordered)} | {' | '.join(f'{ms:,.1f}' for ms in shown)} |")
    counts = {f"{what} {status}": n for (what, status), n in sorted(books.statuses.items())}
    lost = {f"{what} while {phase}": n for (what, phase), n in sorted(books.lost.items())}
    return "\n".join([*rows, json.dumps(counts), json.dumps(dict(books.modes)), json.dumps(lost)])
