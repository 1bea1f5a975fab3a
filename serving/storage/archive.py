"""Backups: whatever the database, a backup is one SQLite file that is a store itself."""

import asyncio
import os
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select, update
from sqlalchemy.engine import make_url

from engine.domain.errors import BadInput, Unavailable
from serving.storage import tables
from serving.storage.address import SQLITE, address_of
from serving.storage.database import Database, connected
from serving.storage.inserting import insert_new
from serving.storage.migrating import prepared

_ROWS_AT_ONCE = 5_000
_PATIENCE_S = 3600.0
# Counting the tenants first: their rows are what everything else hangs on.
_TABLES = sorted(tables.metadata.tables.values(), key=lambda table: (table.name != "tenants", table.name))


async def back_up(url: str, to: Path) -> dict[str, int]:
    """Write the store as it stands at one moment into a file, while servers go on; gives the rows of each table.

    Raises BadInput where the file is there already, Unavailable where the store or the disk is away.
    """
    if await asyncio.to_thread(to.exists):
        raise BadInput(f"{to} is there already; name a new file for the backup")
    aside = to.with_name(f".{to.name}.aside-{uuid.uuid4().hex[:8]}")
    try:
        if (address_of(url) or "").startswith(SQLITE):
            await asyncio.to_thread(_copied, _file_of(url), aside)
        else:
            async with connected(url, patience_s=_PATIENCE_S) as database, _store_file(aside) as copy:
                await _poured(database, copy)
        counts = await asyncio.to_thread(_sealed, aside)
        await asyncio.to_thread(_put_in_place, aside, to)
    finally:
        await asyncio.to_thread(_removed, aside)
    return counts


async def restore(archive: Path, url: str) -> dict[str, int]:
    """Make an empty store hold what a backup holds; gives the rows of each table.

    The store gets an id of its own: what was exported or copied from the old one may say more than the backup knows.

    Raises BadInput where the file is no backup or the store is not empty.
    """
    await asyncio.to_thread(_require_sound, archive)
    aside = archive.with_name(f".{archive.name}.aside-{uuid.uuid4().hex[:8]}")
    try:
        await asyncio.to_thread(_copied, archive, aside)
        # A backup of an older version is brought to this one first.
        async with connected(f"{SQLITE}{aside}") as source, connected(url, patience_s=_PATIENCE_S) as target:
            await prepared(source)
            await prepared(target)
            await _require_empty(target)
            await _poured(source, target)
            return await _renamed(target)
    finally:
        await asyncio.to_thread(_removed, aside)


@asynccontextmanager
async def _store_file(path: Path) -> AsyncIterator[Database]:
    async with connected(f"{SQLITE}{path}") as database:
        await prepared(database)
        yield database


async def _poured(source: Database, target: Database) -> None:
    """Every row of every table, read in one snapshot and written in one transaction."""
    async with source.snapshot() as reading, target.writing() as writing:
        await writing.execute(tables.about.delete())
        for table in _TABLES:
            async for some in reading.parts(select(table), _ROWS_AT_ONCE):
                await writing.run_sync(_inserted, table, some)


def _inserted(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    insert_new(connection, table, rows)


async def _require_empty(target: Database) -> None:
    async with target.reading() as connection:
        for table in _TABLES:
            if table.name != "about" and (await connection.execute(select(table).limit(1))).first() is not None:
                raise BadInput(
                    "the store to restore into holds something already; name a new one in TRAILMATE_DATABASE_URL or "
                    "TRAILMATE_DATA"
                )


async def _renamed(target: Database) -> dict[str, int]:
    async with target.writing() as connection:
        about = tables.about
        new_id = update(about).where(about.c.name == "store_id").values(value=uuid.uuid4().hex[:12])
        await connection.execute(new_id)
        return {
            table.name: int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
            for table in _TABLES
        }


def _file_of(url: str) -> Path:
    path = Path(make_url(address_of(url) or url).database or "")
    if not path.exists():
        raise BadInput(f"there is no store at {path}; check TRAILMATE_DATA and TRAILMATE_DATABASE_URL")
    return path


def _copied(file: Path, to: Path) -> None:
    """A copy of a SQLite file as it stands at one moment, whoever writes to it meanwhile."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as given, closing(sqlite3.connect(to)) as copy:
            # In one step: in several, each commit of somebody else would make it begin again.
            given.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as problem:
        raise Unavailable(f"{file} could not be copied ({problem}); check the free space and its rights") from None


def _require_sound(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as given:
            sound = given.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            sound = sound and given.execute("SELECT 1 FROM about WHERE name = 'store_id'").fetchone() is not None
    except sqlite3.Error:
        sound = False
    if not sound:
        raise BadInput(f"{file} is no whole backup; name a file that `trailmate backup` wrote")


def _sealed(file: Path) -> dict[str, int]:
    """The rows of each table of a backup that is whole, in one file and on disk."""
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
    _require_sound(file)
    with closing(sqlite3.connect(file)) as copy:
        names = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        wanted = [table.name for table in _TABLES if table.name in names]
        return {name: int(copy.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in wanted}  # noqa: S608


def _put_in_place(aside: Path, to: Path) -> None:
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    # It holds what a school told: nobody else may read it.
    aside.chmod(0o600)
    aside.replace(to)
    folder = os.open(to.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _removed(aside: Path) -> None:
    for end in ("", "-wal", "-shm", "-journal", "-turn"):
        with suppress(FileNotFoundError):
            aside.with_name(aside.name + end).unlink()
