"""Revisions of the tables: both ways, on both databases, empty and filled; an older store is taken over."""

import asyncio
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from engine.domain.errors import BadInput
from engine.domain.interaction import Interaction
from serving.storage import tables
from serving.storage.database import Database, connected
from serving.storage.migrating import migrate, prepared, revision_of, revisions
from serving.storage.opening import open_store
from serving.storage.port import KeptState
from tests.contracts.test_store import FULL, decision

LAST = """
CREATE TABLE answers (
    tenant VARCHAR NOT NULL, answer_key VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, until_us BIGINT NOT NULL,
    status INTEGER, content BLOB, PRIMARY KEY (tenant, answer_key)
);
CREATE INDEX answers_by_end ON answers (tenant, until_us);
"""
OLD = Path(__file__).parent / "store_before_revisions.sql"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    made: str = request.getfixturevalue("postgres_url")
    return made


def at(url: str, act: Any) -> Any:
    async def run() -> Any:
        async with connected(url) as database:
            return await act(database)

    return asyncio.run(run())


async def shape(database: Database) -> dict[str, Any]:
    """Every table with its columns, keys and indexes, as the database itself tells them."""

    def look(connection: Any) -> dict[str, Any]:
        seen = inspect(connection)
        return {
            name: (
                [(c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(name)],
                seen.get_pk_constraint(name)["constrained_columns"],
                sorted((i["name"] or "", i["column_names"], bool(i["unique"])) for i in seen.get_indexes(name)),
                sorted(u["column_names"] for u in seen.get_unique_constraints(name)),
                seen.get_table_options(name) if seen.dialect.name == "sqlite" else None,
            )
            for name in seen.get_table_names()
        }

    async with database.writing() as connection:
        return await connection.run_sync(look)


def walked(*steps: tuple[str | None, bool]) -> Any:
    async def act(database: Database) -> Any:
        for to, down in steps:
            await migrate(database, to, down=down)
        return await shape(database)

    return act


def test_the_newest_revision_is_the_one_the_tables_tell_of() -> None:
    assert revisions()[-1] == tables.HEAD


def test_an_empty_store_gets_exactly_what_the_migrations_make(url: str) -> None:
    async def fresh(database: Database) -> Any:
        await prepared(database)
        return await shape(database)

    made = at(url, fresh)
    again = at(url, walked(("base", True), (None, False)))
    assert made == again
    assert set(made) == {*tables.metadata.tables, "alembic_version"}


def test_the_guards_of_the_audit_are_the_same_whichever_way_the_tables_came(url: str) -> None:
    async def guards(database: Database) -> list[Any]:
        asked = {
            "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
            "postgresql": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        }
        async with database.writing() as connection:
            return sorted((await connection.exec_driver_sql(asked[database.dialect])).all())

    at(url, prepared)
    made = at(url, guards)
    at(url, walked(("base", True), (None, False)))
    assert at(url, guards) == made
    assert len(made) == (5 if url.startswith("sqlite") else 2)


def test_each_step_down_and_up_again_leaves_what_was_there(url: str) -> None:
    before = at(url, walked((None, False)))
    for revision in reversed(revisions()):
        at(url, walked((None, True)))
        assert at(url, revision_of) != revision
    assert at(url, walked((None, False))) == before


def test_a_filled_store_goes_down_and_up_with_all_it_holds(url: str) -> None:
    asyncio.run(_filled(url))
    before = asyncio.run(_told(url))
    assert at(url, lambda database: migrate(database, "0001", down=True)) == (tables.HEAD, "0001")
    assert "decisions_once" not in str(at(url, shape))
    assert at(url, lambda database: migrate(database, None)) == ("0001", tables.HEAD)
    assert asyncio.run(_told(url)) == before


def test_what_a_server_writes_after_its_revision_was_taken_back_goes_down_and_up_too(url: str) -> None:
    async def run() -> None:
        async with open_store(url) as store:
            await store.decisions.record("school", decision("d1", 3))
            async with connected(url) as database:
                await migrate(database, "0008", down=True)
            await store.decisions.record("school", decision("d2", 2))

    asyncio.run(run())
    at(url, lambda database: migrate(database, "0001", down=True))
    at(url, lambda database: migrate(database, None))
    [_, slots, *_] = asyncio.run(_told(url))
    assert [s.decision_id for s in slots] == ["d1"] * 3 + ["d2"] * 2
    told = [(s.slot, s.resource_id, s.score, s.propensity, s.near_ties, s.rules) for s in slots]
    assert told[3:] == told[:2]


def test_a_store_from_before_there_were_revisions_is_taken_over_with_all_it_held(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.executescript(OLD.read_text())
    # The oldest of them had neither states nor the index by class.
    with sqlite3.connect(tmp_path / "oldest.db") as connection:
        connection.executescript(OLD.read_text())
        connection.executescript("DROP TABLE learner_states; DROP INDEX interactions_by_class")
    # The last of them had a table more.
    with sqlite3.connect(tmp_path / "last.db") as connection:
        connection.executescript(OLD.read_text() + LAST)
    kept = KeptState(seq=4, content=b"\x00state")
    for name, state in (("store", kept), ("oldest", None), ("last", kept)):
        url = f"sqlite+aiosqlite:///{tmp_path / f'{name}.db'}"
        events, slots, found, members = asyncio.run(_told(url))
        assert [e for e, _ in events] == [1, 2, 3, 4]
        assert ([s.decision_id for s in slots], found, members) == (["d1"], state, ["kim", "lena"])
        assert at(url, revision_of) == tables.HEAD
        assert at(url, shape) == at(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}", walked((None, False)))


def test_servers_that_start_at_once_on_an_empty_store_find_the_same_one(url: str) -> None:
    async def run() -> set[str]:
        async def opened() -> str:
            async with open_store(url) as store:
                return store.store_id

        return set(await asyncio.gather(*(opened() for _ in range(4))))

    assert len(asyncio.run(run())) == 1
    assert at(url, revision_of) == tables.HEAD


def test_postgres_waits_for_the_operator_before_an_older_store_is_changed(postgres_url: str) -> None:
    at(postgres_url, lambda database: migrate(database, "0001"))
    with pytest.raises(BadInput, match="trailmate migrate"):
        at(postgres_url, prepared)
    at(postgres_url, lambda database: migrate(database, None))
    assert len(at(postgres_url, prepared)) == 12


def test_a_store_of_a_newer_trailmate_is_refused_in_words(url: str) -> None:
    async def lifted(database: Database) -> None:
        await prepared(database)
        async with database.writing() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    at(url, lifted)
    with pytest.raises(BadInput, match="version 9999"):
        at(url, prepared)
    for down in (False, True):
        with pytest.raises(BadInput, match="version 9999"):
            at(url, lambda database: migrate(database, None, down=down))  # noqa: B023


@pytest.mark.parametrize(("to", "down"), [("0011", False), ("0001", False), ("junk", True)])
def test_a_revision_that_lies_elsewhere_is_refused(tmp_path: Path, to: str, down: bool) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    at(url, prepared)
    with pytest.raises(BadInput, match=to):
        at(url, lambda database: migrate(database, to, down=down))


def test_a_fresh_store_needs_no_alembic(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import asyncio, sys\nfrom serving.storage.opening import open_store\n"
        f"async def run():\n async with open_store('sqlite+aiosqlite:///{tmp_path}/store.db'): pass\n"
        "asyncio.run(run())\nsys.exit('alembic' in sys.modules or 'asyncpg' in sys.modules or 'redis' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


async def _filled(url: str) -> None:
    more = [
        Interaction(event_id=f"n{i}", learner_id="kim", kind="viewed", source="t", resource_id="r") for i in range(300)
    ]
    async with open_store(url) as store:
        await store.events.append("school", [FULL, *more])
        await store.decisions.record("school", decision("d1", 3))
        await store.states.put("school", "lena", 1, b"\x00\xff")


def _told(url: str) -> Coroutine[Any, Any, Any]:
    async def run() -> Any:
        async with open_store(url) as store:
            return (
                await store.events.after("school", 0, 1000),
                await store.decisions.after("school", 0, 1000),
                (await store.events.context("school", "lena")).state,
                await store.people.members("school", "7b"),
            )

    return run()
