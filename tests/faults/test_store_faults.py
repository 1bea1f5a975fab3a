"""The database killed, hung or full, and Redis with it: answers go on, and no acknowledged event is ever lost."""

import asyncio
import itertools
import json
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.storage.opening import open_store
from tests.served import Served, key_for, served
from tests.servers import Server, new_database, postgres_server, valkey_server

IDS = itertools.count()


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[Server, str]]:
    """A PostgreSQL that may be maltreated."""
    with postgres_server() as made:
        yield made


@pytest.fixture(scope="module")
def redis() -> Iterator[tuple[Server, str]]:
    """A Valkey that may be maltreated."""
    with valkey_server() as made:
        yield made


def told(app: httpx.Client, *event_ids: str, learner_id: str = "lena") -> httpx.Response:
    events = [
        {"event_id": x, "learner_id": learner_id, "resource_id": f"r{i % 8:02d}", "kind": "completed"}
        for i, x in enumerate(event_ids)
    ]
    return app.post("/v1/events", json={"events": events})


def asked(app: httpx.Client, learner_id: str = "lena", **more: Any) -> httpx.Response:
    return app.post("/v1/recommendations", json={"learner_id": learner_id, "k": 3} | more)


def offered(answer: httpx.Response) -> list[str]:
    return [option["resource_id"] for option in answer.json()["slate"]]


def stocked(app: httpx.Client, *, mode: str = "personalised") -> None:
    """A school with an offer, a learner it knows, and an answer that was right."""
    resources = [{"resource_id": f"r{i:02d}", "title": f"Resource {i}", "position": i} for i in range(24)]
    assert app.put("/v1/resources", json={"resources": resources}).status_code == 200
    assert told(app, "e1", "e2").json()["accepted"] == 2
    assert asked(app).json()["mode"] == mode


def until(holds: Callable[[], bool], within_s: float = 15) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def log(url: str) -> list[str]:
    async def read() -> list[str]:
        async with open_store(url) as store:
            return [e.event_id for _, e in await store.events.after("school", 0, 10_000)]

    return asyncio.run(read())


def harmed(server: Server, harm: str) -> None:
    {"killed": server.kill, "frozen": server.freeze}[harm]()


def mended(server: Server, harm: str) -> None:
    {"killed": server.start, "frozen": server.thaw}[harm]()


def test_while_postgres_is_away_answers_go_on_and_events_are_refused(
    database: tuple[Server, str], tiny_bundle: Path, tmp_path: Path
) -> None:
    server, url = database[0], new_database(database[1])
    bundle = ["--bundle", str(tiny_bundle)]
    with served(tmp_path, *bundle, database_url=url) as one, one.client(key_for(tmp_path, "admin", url=url)) as app:
        stocked(app)
        for harm in ("killed", "frozen"):
            before, counted = offered(asked(app)), unrecorded(app)
            harmed(server, harm)
            try:
                without_a_database(app, before)
                # Those on their way are counted when the store's patience has ended.
                expected = counted + 10
                until(lambda expected=expected: unrecorded(app) >= expected)
                refused = told(app, harm)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            finally:
                mended(server, harm)
            until(lambda harm=harm: told(app, harm).status_code == 200)
            until(lambda: asked(app).json()["mode"] == "personalised")
    # What timed out may have been written all the same; once it is.
    assert sorted(log(url)) == ["e1", "e2", "frozen", "killed"]


def without_a_database(app: httpx.Client, before: list[str]) -> None:
    """Answers are those of before, labelled and quick; only what needs the database is refused."""
    times = []
    for _ in range(10):
        began = time.monotonic()
        answer = asked(app)
        times.append(time.monotonic() - began)
        assert (answer.status_code, answer.json()["mode"], offered(answer)) == (200, "reduced", before)
    assert sorted(times)[len(times) // 2] < 0.2
    assert asked(app, "a stranger").json()["mode"] == "cold"
    # A key of the request's own cannot be looked up; that costs no answer.
    keyed = app.post("/v1/recommendations", json={"learner_id": "lena"}, headers={"Idempotency-Key": "k1"})
    assert keyed.status_code == 200
    assert app.get("/readyz").status_code == 503
    assert asked(app, seen_token="s999999").status_code == 503


def unrecorded(app: httpx.Client) -> float:
    lines = app.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("trailmate_unrecorded_decisions_total "))


@pytest.fixture(scope="module")
def pair(
    database: tuple[Server, str],
    redis: tuple[Server, str],
    tiny_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two servers on one PostgreSQL and one Valkey."""
    folder, url = tmp_path_factory.mktemp("pair"), new_database(database[1])
    options, bundle = {"database_url": url, "redis_url": redis[1]}, ["--bundle", str(tiny_bundle)]
    with served(folder / "a", *bundle, **options) as one, served(folder / "b", *bundle, **options) as two:
        key = key_for(folder, "admin", url=url)
        with one.client(key) as app, two.client(key) as other:
            stocked(app)
            yield app, other


def test_a_second_server_answers_from_redis_what_it_never_read_itself(
    pair: tuple[httpx.Client, httpx.Client], database: tuple[Server, str], redis: tuple[Server, str]
) -> None:
    app, other = pair
    assert asked(other, "somebody else").status_code == 200
    time.sleep(0.2)
    wanted = offered(asked(app))
    database[0].freeze()
    try:
        answer = asked(other)
        assert (answer.json()["mode"], offered(answer)) == ("reduced", wanted)
        redis[0].kill()
        assert offered(asked(app)) == wanted
        assert asked(other).status_code == 200
    finally:
        database[0].thaw()
        redis[0].start()
    for one in pair:
        until(lambda one=one: asked(one).json()["mode"] == "personalised")
        assert offered(asked(one)) == wanted


def test_events_told_to_one_server_are_seen_by_the_next_answer_of_another(
    pair: tuple[httpx.Client, httpx.Client],
) -> None:
    times = []
    for i in range(12):
        here, there = pair if i % 2 else pair[::-1]
        taken_up = offered(asked(here))[0]
        event = {"event_id": f"n{i}", "learner_id": "lena", "resource_id": taken_up, "kind": "completed"}
        token = here.post("/v1/events", json={"events": [event]}).json()["seen_token"]
        began = time.monotonic()
        answer = asked(there, seen_token=token)
        times.append(time.monotonic() - began)
        assert answer.status_code == 200
        assert taken_up not in offered(answer)
    assert sorted(times)[-2] < 0.5


def test_with_an_outbox_events_are_taken_in_and_are_in_the_log_once_when_it_is_back(
    database: tuple[Server, str], tiny_bundle: Path, tmp_path: Path
) -> None:
    server, url = database[0], new_database(database[1])
    key = key_for(tmp_path, "admin", url=url)
    with served(tmp_path, "--bundle", str(tiny_bundle), database_url=url, outbox="on") as one, one.client(key) as app:
        stocked(app)
        for harm in ("frozen", "killed"):
            harmed(server, harm)
            try:
                for i in range(3):
                    assert told(app, f"{harm}{i}", f"{harm}{i + 1}", "e1").json()["accepted"] == 3
                assert asked(app).json()["mode"] == "reduced"
                assert unrecorded(app) == 0
                assert "wait" in app.get("/readyz").json()["outbox"]
                if harm == "killed":
                    # A decision is written a moment after its answer; of who is killed in that moment it is lost.
                    time.sleep(0.5)
                    # The server with its full outbox as well: the next one takes over.
                    one.process.send_signal(signal.SIGKILL)
                    one.process.wait(10)
            finally:
                mended(server, harm)
            if harm == "frozen":
                until(lambda: "outbox" not in app.get("/readyz").json())
                assert told(app, "e9").json()["accepted"] == 1
    # Also where it shall take in nothing any more.
    with served(tmp_path, database_url=url) as again, again.client(key) as app:
        assert told(app, "killed3", "e2", "new").json()["accepted"] == 1
    names = [f"{harm}{i}" for harm in ("frozen", "killed") for i in range(4)]
    assert sorted(log(url)) == sorted([*names, "e1", "e2", "e9", "new"])
    assert recorded_modes(url).count("reduced") == 2
    assert not list((tmp_path / "outbox").glob("*.log"))
    # The same id with another resource: refused by the log, and set aside.
    assert (tmp_path / "outbox" / "refused.jsonl").read_text().count('"e1"') >= 1


def recorded_modes(url: str) -> list[str]:
    async def read() -> list[str]:
        async with open_store(url) as store:
            return [slot.mode for slot in await store.decisions.after("school", 0, 1000) if slot.slot < 2]

    return asyncio.run(read())


def test_on_a_full_disk_answers_go_on_and_nothing_is_taken_in_that_cannot_be_kept(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    acknowledged: set[str] = set()
    key = key_for(tmp_path, "admin")
    full = {"limit": little_room, "outbox": "on"}
    with served(tmp_path, "--bundle", str(tiny_bundle), **full) as one, one.client(key) as app:
        stocked(app)
        acknowledged |= {"e1", "e2"}
        refused = 0
        while refused < 3:
            batch = [f"n{next(IDS)}" for _ in range(100)]
            answer = told(app, *batch, learner_id=f"l{next(IDS)}")
            assert answer.status_code in (200, 503)
            refused += answer.status_code == 503
            acknowledged |= set(batch) if answer.status_code == 200 else set()
        for _ in range(5):
            assert asked(app).status_code == 200
        assert all(json.loads(line).get("event") != "failed" for line in log_lines(one))
    with served(tmp_path) as again, again.client(key) as app:
        assert told(app, "after").status_code == 200
    kept = log(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}")
    assert len(kept) == len(set(kept))
    assert acknowledged <= set(kept)


def log_lines(one: Served) -> list[str]:
    # The very file that is full, too, may be cut off in its last line.
    return [line for line in one.log_file.read_text().splitlines() if line.endswith("}")]


def test_the_rules_last_known_hold_while_the_database_is_away(database: tuple[Server, str], tmp_path: Path) -> None:
    server, url = database[0], new_database(database[1])
    hides = {"id": "not-this", "verb": "hide", "what": {"resources": ["r02"]}}
    with served(tmp_path, database_url=url) as one, one.client(key_for(tmp_path, "admin", url=url)) as app:
        stocked(app, mode="fallback")
        assert "r02" in offered(asked(app))
        assert app.post("/v1/rules", json=hides).status_code == 201
        assert "r02" not in offered(asked(app))
        harmed(server, "killed")
        try:
            for who in ("lena", "a stranger"):
                answer = asked(app, who)
                assert (answer.status_code, "r02" in offered(answer)) == (200, False)
                assert [r["rule_id"] for r in answer.json()["rules"]] == ["not-this"]
            refused = app.delete("/v1/rules/not-this")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        finally:
            mended(server, "killed")
        until(lambda: app.delete("/v1/rules/not-this").status_code == 200)
        until(lambda: "r02" in offered(asked(app)))


def test_who_is_not_at_hand_while_the_database_is_away_sees_nothing_that_any_class_is_not_to_see(
    database: tuple[Server, str], tmp_path: Path
) -> None:
    server, url = database[0], new_database(database[1])
    only = {"id": "this-unit", "verb": "only", "scope": {"class_id": "b"}, "what": {"resources": ["r03", "r04", "r05"]}}
    pin = {"id": "read-this", "verb": "pin", "scope": {"class_id": "c"}, "what": {"resources": ["r07"]}}
    of_a_group = {"id": "not-these", "verb": "hide", "scope": {"group_id": "g"}, "what": {"resources": ["r03"]}}
    with served(tmp_path, database_url=url) as one, one.client(key_for(tmp_path, "admin", url=url)) as app:
        stocked(app, mode="fallback")
        for rule in (only, pin, of_a_group):
            assert app.post("/v1/rules", json=rule).status_code == 201
        assert app.put("/v1/learners/kim", json={"classes": ["b"]}).status_code < 300
    # Begun again, it knows the school and its rules, and of all learners only lena.
    with served(tmp_path, database_url=url) as one, one.client(key_for(tmp_path, "admin", url=url)) as app:
        assert len(offered(asked(app))) == 3
        harmed(server, "killed")
        try:
            assert offered(asked(app, "kim")) == ["r04", "r05"]
            assert offered(asked(app, "kim", class_id="c"))[0] == "r07"
            assert "r03" not in offered(asked(app, "kim", class_id="b"))
            assert "r03" in offered(asked(app, exclude=["r00", "r01", "r02"]))
        finally:
            mended(server, "killed")
        until(lambda: offered(asked(app, "kim")) == ["r03", "r04", "r05"])
