"""A backup is taken while servers write, and is tried: restored, on the same database and on the other one."""

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.domain.errors import BadInput
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from engine.domain.skill import Skill
from serving.auth import KeyRing, new_key
from serving.storage.archive import back_up, restore
from serving.storage.opening import open_store
from serving.storage.port import Store
from serving.storage.tables import HEAD
from tests.contracts.test_store import FULL, T0, decision
from tests.servers import drop_database, new_database
from trailmate.cli import main

OLD = Path(__file__).parent / "store_before_revisions.sql"


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Addresses of empty stores, by kind."""
    made: list[str] = []
    numbers = itertools.count()

    def new(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite+aiosqlite:///{tmp_path / f'store{next(numbers)}.db'}"
        made.append(new_database(request.getfixturevalue("postgres")))
        return made[-1]

    yield new
    for url in made:
        drop_database(request.getfixturevalue("postgres"), url)


def more(i: int) -> Interaction:
    return Interaction(event_id=f"m{i}", learner_id="kim", kind="viewed", source="t", resource_id="r", value="ünï")


async def filled(store: Store) -> str:
    await store.events.append("school", [FULL, *map(more, range(600))])
    await store.catalogue.sync_resources("school", [Resource(resource_id="a", title="A")], at=T0)
    await store.catalogue.sync_resources("school", [Resource(resource_id="b", title="B")], at=T0)
    await store.catalogue.put_skills("school", [Skill(skill_id="s", title="S")])
    await store.people.put_learners("school", [Learner(learner_id="lena", classes=("7b",))])
    await store.people.put_classes("school", [SchoolClass(class_id="7b", starts_at=T0)])
    await store.decisions.record("school", decision("d1", 3))
    await store.states.put("school", "lena", 1, b"\x00\xff")
    key, text = new_key("school", ["events"], now=T0)
    await store.keys.add(key)
    return text


async def all_of(store: Store) -> list[object]:
    return [
        await store.events.after("school", 0, 10_000),
        await store.events.context("school", "lena"),
        await store.decisions.after("school", 0, 10_000),
        await store.catalogue.resources("school"),
        await store.catalogue.withdrawn("school"),
        await store.catalogue.skills("school"),
        await store.keys.of_tenant("school"),
    ]


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_what_was_backed_up_is_there_after_a_restore_and_goes_on(
    source: str, target: str, place: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.db"

    url, targets = place(source), [place(target), place(source)]

    async def run() -> None:
        async with open_store(url) as store:
            text = await filled(store)
            wanted = await all_of(store)
            counts = await back_up(url, archive)
            # It goes on meanwhile.
            await store.events.append("school", [more(9999)])
        for other in targets:
            assert await restore(archive, other) == counts
            async with open_store(other) as again:
                assert await all_of(again) == wanted
                assert again.store_id != store.store_id
                assert (await KeyRing(again.keys, remember_s=0).verified(f"Bearer {text}")).scopes == ("events",)
                assert (await again.events.append("school", [FULL, more(9999)])).accepted == 1
            with pytest.raises(BadInput, match="holds something"):
                await restore(archive, other)

    asyncio.run(run())
    assert (archive.stat().st_mode & 0o777, [p.name for p in tmp_path.glob(".*")]) == (0o600, [])


def test_a_backup_of_a_store_that_is_written_to_is_the_store_at_one_moment(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"

    async def run() -> None:
        async with open_store(url) as store:
            await store.events.append("school", [more(i) for i in range(20_000)])

            async def writing() -> None:
                for i in range(20_000, 20_050):
                    await store.events.append("school", [more(i), more(i + 100_000)])

            writer = asyncio.create_task(writing())
            await back_up(url, tmp_path / "backup.db")
            await writer
        await restore(tmp_path / "backup.db", f"sqlite+aiosqlite:///{tmp_path / 'again.db'}")
        async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'again.db'}") as again:
            kept = await again.events.after("school", 0, 100_000)
            # Batches are there as a whole, and none is missing in between.
            assert [seq for seq, _ in kept] == list(range(1, len(kept) + 1))
            assert len(kept) >= 20_000
            assert len(kept) % 2 == 0

    asyncio.run(run())


def test_a_backup_of_an_older_store_is_brought_to_this_version(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as connection:
        connection.executescript(OLD.read_text())
    connection.close()
    before = (tmp_path / "old.db").read_bytes()
    url = f"sqlite+aiosqlite:///{tmp_path / 'new.db'}"
    counts = asyncio.run(restore(tmp_path / "old.db", url))
    assert (counts["interactions"], counts["decisions"], counts["keys"]) == (4, 1, 1)
    assert (tmp_path / "old.db").read_bytes() == before


def test_commands_say_what_they_did_and_refuse_what_they_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        out, err = capfd.readouterr()
        return json.loads(out) if ended.value.code == 0 else err

    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "no store" in run("backup", "b.db")
    assert run("migrate") == {"from": "base", "to": HEAD}
    assert run("migrate", "--down", "--to", "0001") == {"from": HEAD, "to": "0001"}
    assert run("migrate", "--to", "0002") == {"from": "0001", "to": "0002"}
    assert run("migrate", "--down") == {"from": "0002", "to": "0001"}
    assert "does not lie" in run("migrate", "--down", "--to", "0002")
    assert run("migrate")["to"] == HEAD
    assert run("backup", "b.db")["rows"]["interactions"] == 0
    assert "there already" in run("backup", "b.db")
    (tmp_path / "junk.db").write_bytes((tmp_path / "b.db").read_bytes()[:5000])
    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path / "new"))
    assert "no whole backup" in run("restore", "junk.db")
    assert "no whole backup" in run("restore", "absent.db")
    assert run("restore", "b.db")["rows"]["tenants"] == 0
