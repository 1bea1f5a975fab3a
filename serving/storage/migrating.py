"""The tables of a store: made where there are none, brought to this version where they are older."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select

from engine.domain.errors import BadInput
from serving.storage import tables
from serving.storage.database import Database
from serving.storage.rights import require_rights

FIRST = "0001"
_SCRIPTS = Path(__file__).parent / "migrations"


async def prepared(database: Database) -> str:
    """Make what is absent, and give the id of the store.

    A SQLite store of an older version is brought to this one: nobody else can be using it with older code in mind. A
    PostgreSQL is not, since other servers may be; the operator says when.

    Raises:
        BadInput: the store is of a version that this Trailmate cannot use as it is, or the account lacks a right.
    """
    async with database.writing() as connection:
        at = await connection.run_sync(_adopted)
        if at == tables.HEAD:
            return await connection.run_sync(_id_of)
    _require_known(at)
    if database.dialect == "postgresql":
        raise BadInput(f"the store has version {at}, this Trailmate {tables.HEAD}; run `trailmate migrate` once")
    await migrate(database, tables.HEAD)
    async with database.writing() as connection:
        return await connection.run_sync(_id_of)


async def revision_of(database: Database) -> str | None:
    """The revision the store stands at; None where it holds nothing yet."""
    async with database.writing() as connection:
        return await connection.run_sync(lambda c: _adopted(c, fill=False))


async def migrate(database: Database, to: str | None, *, down: bool = False) -> tuple[str | None, str | None]:
    """Walk to a revision, the newest where none is named, and say from where to where; `base` is the empty database.

    Raises:
        BadInput: there is no such revision, it lies the other way, or the store is of a newer Trailmate.
    """
    target = to or ("-1" if down else tables.HEAD)
    known = ["base", *revisions()]
    async with database.writing() as connection:
        before = await connection.run_sync(lambda c: _adopted(c, fill=False))
        _require_known(before)
        here = known.index(before or "base")
        if target == "-1":
            target = known[max(here - 1, 0)]
        if target not in known or (known.index(target) - here) * (-1 if down else 1) < 0:
            raise BadInput(
                f"the store stands at {before or 'base'}, and {target} does not lie {'below' if down else 'above'} it; "
                f"name one of {', '.join(known)}, and --down for a lower one"
            )
        await connection.run_sync(_walk, target, down)
    async with database.writing() as connection:
        after = await connection.run_sync(lambda c: _adopted(c, fill=False))
        if after is not None:
            await connection.run_sync(_id_of)
    return before, after


def _require_known(at: str | None) -> None:
    if at is not None and at not in revisions():
        raise BadInput(
            f"the store has version {at}, this Trailmate reads {tables.HEAD}; start the Trailmate that wrote it, or "
            "name another store in TRAILMATE_DATABASE_URL"
        )


def revisions() -> Sequence[str]:
    """All there are, oldest first."""
    return sorted(file.name[1:5] for file in (_SCRIPTS / "versions").glob("r*.py"))


def _adopted(connection: Connection, *, fill: bool = True) -> str | None:
    """The revision of what is there; a store from before revisions were counted gets its number, an empty one all."""
    # Two that start at once on one database: the second waits, and finds the work done.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7245121)")
    there = set(inspect(connection).get_table_names())
    require_rights(connection, there)
    if tables.revision.name in there:
        at: str | None = connection.execute(select(tables.revision.c.version_num)).scalar_one_or_none()
        if at is not None:
            return at
    if tables.about.name in there:
        _require_first(connection)
        # Tables and indexes came one by one before there were revisions; what is there already stays.
        tables.metadata.create_all(connection, tables=[tables.learner_states])
        tables.interactions_by_class.create(connection, checkfirst=True)
        return _stamped(connection, FIRST)
    if not fill:
        return None
    tables.metadata.create_all(connection)
    return _stamped(connection, tables.HEAD)


def _require_first(connection: Connection) -> None:
    found = dict(connection.execute(select(tables.about.c.name, tables.about.c.value)).all())
    if found.get("schema_version") != str(tables.SCHEMA_VERSION):
        raise BadInput(
            f"the store has version {found.get('schema_version')}, this Trailmate reads {tables.SCHEMA_VERSION}; "
            "start the Trailmate that wrote it, or name another store in TRAILMATE_DATABASE_URL"
        )


def _stamped(connection: Connection, at: str) -> str:
    tables.bookkeeping.create_all(connection)
    connection.execute(tables.revision.delete())
    connection.execute(tables.revision.insert().values(version_num=at))
    return at


def _id_of(connection: Connection) -> str:
    _require_version = select(tables.about.c.name, tables.about.c.value)
    found = dict(connection.execute(_require_version).all())
    if "store_id" not in found:
        found |= {"schema_version": str(tables.SCHEMA_VERSION), "store_id": uuid.uuid4().hex[:12]}
        rows = [{"name": name, "value": value} for name, value in found.items()]
        connection.execute(tables.about.delete())
        connection.execute(tables.about.insert(), rows)
    _require_first(connection)
    return str(found["store_id"])


def _walk(connection: Connection, target: str, down: bool) -> None:
    from alembic import command
    from alembic.config import Config

    config: Any = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(config, target)
