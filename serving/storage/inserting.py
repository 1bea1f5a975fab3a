"""Many rows in one statement; those whose keys stand there already are left out."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, Integer, LargeBinary, Table
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

_POSTGRES_TYPES = {BigInteger: "bigint", Integer: "int", Float: "float8", LargeBinary: "bytea"}


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert rows, each a tuple in the order of the columns, and give how many went in.

    Goes to the driver without looking at each value again, which halves the time of a large batch.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        # One array for each column: one statement and one answer, however many rows.
        return connection.exec_driver_sql(_unnested(table), tuple(map(list, zip(*rows, strict=True)))).rowcount
    return connection.exec_driver_sql(_valued(table), list(rows)).rowcount


@lru_cache(maxsize=64)
def _valued(table: Table) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


@lru_cache(maxsize=64)
def _unnested(table: Table) -> str:
    arrays = ", ".join(
        f"${place}::{_POSTGRES_TYPES.get(type(column.type), 'text')}[]" for place, column in enumerate(table.columns, 1)
    )
    rows = f"SELECT * FROM unnest({arrays})"  # noqa: S608
    return f"INSERT INTO {table.name} ({_columns(table)}) {rows} ON CONFLICT DO NOTHING"


def _columns(table: Table) -> str:
    quote = sqlite_dialect().identifier_preparer.quote
    return ", ".join(quote(column.name) for column in table.columns)
