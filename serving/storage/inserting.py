"""Many rows in one statement; those whose keys stand there already are left out."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import astuple
from sqlalchemy import BigInteger, Column, Connection, Float, Integer, LargeBinary, Table
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from serving.storage import tables
from serving.storage.glance import Looking
from serving.storage.rows import InteractionRow

_SEQ = InteractionRow.__struct_fields__.index("seq")
_TAKE = (
    "INSERT INTO tenants (tenant, seq, catalogue_version) VALUES ({}, {}, 0) "
    "ON CONFLICT (tenant) DO UPDATE SET seq = tenants.seq + excluded.seq RETURNING seq"
)
_TAKES = {"sqlite": _TAKE.format("?", "?"), "postgresql": _TAKE.format("$1", "$2::bigint")}
_POSTGRES_TYPES = {BigInteger: "bigint", Integer: "int", Float: "float8", LargeBinary: "bytea"}


@lru_cache(maxsize=2)
def insert_of(dialect: str) -> Callable[[Table], Any]:
    """The insert that knows ON CONFLICT in this dialect; the larger one is imported where it is spoken."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgres_insert

        return postgres_insert
    return sqlite_insert


def insert_new(connection: Looking, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows, each a tuple in the order of the columns, and give how many went in.

    Goes to the driver without looking at each value again, which halves the time of a large batch.
    """
    return _insert_columns(connection, table, list(zip(*rows, strict=True))) if rows else 0


def insert_events(connection: Looking, rows: Sequence[InteractionRow], first: int) -> int:
    """Insert rows of the log with the numbers from `first` on, and give how many went in."""
    columns = list(zip(*map(astuple, rows), strict=True))
    if not columns:
        return 0
    columns[_SEQ] = tuple(range(first, first + len(rows)))
    return _insert_columns(connection, tables.interactions, columns)


def _insert_columns(connection: Looking, table: Table, columns: Sequence[tuple[Any, ...]]) -> int:
    if connection.dialect.name == "postgresql":
        # One array for each column: one statement and one answer, however many rows.
        return int(connection.exec_driver_sql(_unnested(table), tuple(map(list, columns))).rowcount)
    # Python's driver takes longer for nothing than for anything else: what no row has is not named.
    given = [
        (column.name, values)
        for column, values in zip(table.columns, columns, strict=True)
        if column.server_default is not None or values.count(None) < len(values)
    ]
    statement = _valued(table, tuple(name for name, _ in given))
    return int(connection.exec_driver_sql(statement, list(zip(*(x for _, x in given), strict=True))).rowcount)


def insert_numbered(connection: Looking, tenant: str, rows: Sequence[InteractionRow]) -> tuple[int, int]:
    """Take a number of the tenant for each row of the log and insert those that are new.

    Gives the last number, and how many went in. Holds the tenant's lock until the transaction ends.
    """
    if connection.dialect.name == "postgresql":
        # In one statement, because each way to a server and back takes as long as the work; and in one text, which the
        # driver hands on: an array it looks through value by value.
        given = (tenant, len(rows), msgspec.json.encode(rows).decode())
        last, n_new = connection.exec_driver_sql(_taken_and_put(), given).fetchall()[0]
        return int(last), int(n_new)
    last = next_seq(connection, tenant, len(rows))
    return last, insert_events(connection, rows, last - len(rows) + 1)


def next_seq(connection: Looking, tenant: str, n: int) -> int:
    """Take `n` numbers of the tenant and give the last; holds the tenant's lock until the transaction ends."""
    # Read to its end: SQLite commits no statement that is under way.
    return int(connection.exec_driver_sql(_TAKES[connection.dialect.name], (tenant, n)).fetchall()[0][0])


def rules_counted(connection: Connection, tenant: str) -> int:
    """Count a change of what learners are under and give the number of it; holds the tenant's lock until the end."""
    insert = insert_of(connection.dialect.name)
    count = tables.tenants.c.rules_version
    first = insert(tables.tenants).values(tenant=tenant, seq=0, catalogue_version=0, rules_version=1)
    more = first.on_conflict_do_update(index_elements=["tenant"], set_={"rules_version": count + 1})
    return int(connection.execute(more.returning(count)).scalar_one())


@lru_cache(maxsize=1)
def _taken_and_put() -> str:
    table = tables.interactions
    names = [_quoted(column.name) for column in table.columns]
    wanted = ["taken.seq - $2 + given.place" if name == "seq" else f"given.{name}" for name in names]
    typed = ", ".join(f"{_quoted(column.name)} {_postgres_type(column)}" for column in table.columns)
    return f"""
        WITH taken AS (
            INSERT INTO tenants (tenant, seq, catalogue_version) VALUES ($1, $2, 0)
            ON CONFLICT (tenant) DO UPDATE SET seq = tenants.seq + $2 RETURNING seq
        ), given AS (
            SELECT * FROM ROWS FROM (json_to_recordset($3::json) AS ({typed}))
            WITH ORDINALITY AS g({", ".join(names)}, place)
        ), put AS (
            INSERT INTO {table.name} ({", ".join(names)}) SELECT {", ".join(wanted)} FROM taken, given
            ON CONFLICT DO NOTHING RETURNING 1
        ) SELECT (SELECT seq FROM taken), (SELECT count(*) FROM put)
    """  # noqa: S608


@lru_cache(maxsize=256)
def _valued(table: Table, names: tuple[str, ...]) -> str:
    marks, named = ", ".join("?" for _ in names), ", ".join(map(_quoted, names))
    return f"INSERT INTO {table.name} ({named}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


@lru_cache(maxsize=64)
def _unnested(table: Table) -> str:
    rows = f"SELECT * FROM unnest({_arrays(table, 1)})"  # noqa: S608
    return f"INSERT INTO {table.name} ({_columns(table)}) {rows} ON CONFLICT DO NOTHING"


def _arrays(table: Table, first: int) -> str:
    return ", ".join(f"${place}::{_postgres_type(column)}[]" for place, column in enumerate(table.columns, first))


def _postgres_type(column: Column[Any]) -> str:
    return _POSTGRES_TYPES.get(type(column.type), "text")


def _columns(table: Table) -> str:
    return ", ".join(_quoted(column.name) for column in table.columns)


def _quoted(name: str) -> str:
    return sqlite_dialect().identifier_preparer.quote(name)
