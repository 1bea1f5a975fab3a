"""One row for each decision instead of one for each slot: a fifth of the rows and of the indexes' work."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from serving.storage.migrations.in_full import rules_in_full, slots_in_full

revision = "0008"
down_revision = "0007"

_TEXT, _BIG = sa.String, sa.BigInteger
_ROWS_AT_ONCE = 2_000
_OF_SLOT = ("slot", "resource_id", "score", "propensity", "origin")
_OF_DECISION = ("tenant", "seq", "decision_id", "at_us", "learner_id", "class_id", "mode", "bundle", "catalogue_hash")


def upgrade() -> None:
    """Gather the slots of each decision."""
    old = _moved_aside()
    new = op.create_table(
        "decisions",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        *_columns(),
        sa.Column("slots", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _poured(old, new, lambda rows: map(_gathered, _by_decision(rows)))
    op.drop_table("decisions_before")
    op.create_index("decisions_by_learner", "decisions", ["tenant", "learner_id"])
    op.create_index("decisions_once", "decisions", ["tenant", "decision_id"], unique=True)


def downgrade() -> None:
    """Tell the slots apart again."""
    old = _moved_aside()
    new = op.create_table(
        "decisions",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        *_columns()[:4],
        sa.Column("resource_id", _TEXT),
        sa.Column("score", sa.Float),
        sa.Column("propensity", sa.Float),
        sa.Column("origin", _TEXT),
        *_columns()[4:],
        sa.Column("near_ties", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False, server_default="[]"),
        sqlite_with_rowid=False,
    )
    _poured(old, new, lambda rows: (slot for row in rows for slot in _told_apart(row)))
    op.drop_table("decisions_before")
    op.create_index("decisions_by_learner", "decisions", ["tenant", "learner_id"])
    op.create_index("decisions_once", "decisions", ["tenant", "decision_id", "slot"], unique=True)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("decision_id", _TEXT, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("learner_id", _TEXT, nullable=False),
        sa.Column("class_id", _TEXT),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("bundle", _TEXT, nullable=False),
        sa.Column("catalogue_hash", _TEXT, nullable=False),
    ]


def _moved_aside() -> sa.Table:
    """The table as it is, under another name; its indexes and its key give their names away."""
    for name in ("decisions_by_learner", "decisions_once"):
        op.drop_index(name, table_name="decisions")
    op.rename_table("decisions", "decisions_before")
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("ALTER INDEX decisions_pkey RENAME TO decisions_before_pkey")
    return sa.Table("decisions_before", sa.MetaData(), autoload_with=connection)


def _poured(old: sa.Table, new: sa.Table, turned: Any) -> None:
    """All rows, turned into those of the other table, some at a time."""
    connection = op.get_bind()
    coming = turned(_rows(connection, old))
    while some := [row for row, _ in zip(coming, range(_ROWS_AT_ONCE), strict=False)]:
        connection.execute(sa.insert(new), some)


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    """In the order of the key, page by page, so that a large table needs little memory."""
    key = list(table.primary_key)
    last: tuple[Any, ...] | None = None
    while True:
        page = sa.select(table).order_by(*key).limit(_ROWS_AT_ONCE)
        if last is not None:
            page = page.where(sa.tuple_(*key) > sa.tuple_(*(sa.bindparam(f"k{i}", x) for i, x in enumerate(last))))
        rows = [dict(row) for row in connection.execute(page).mappings()]
        if not rows:
            return
        last = tuple(rows[-1][column.name] for column in key)
        yield from rows


def _by_decision(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for _, slots in groupby(rows, key=lambda row: (row["tenant"], row["seq"])):
        yield list(slots)


def _gathered(slots: list[dict[str, Any]]) -> dict[str, Any]:
    first = slots[0]
    told = [[*(s[name] for name in _OF_SLOT), json.loads(s["near_ties"])] for s in slots if s["slot"]]
    return {**{name: first[name] for name in _OF_DECISION}, "slots": json.dumps(told), "rules": first["rules"]}


def _told_apart(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A decision that offered nothing has one slot, of the number 0.

    Servers of a newer version that went on after its revision was taken back wrote in its form.
    """
    of_all = {name: row[name] for name in _OF_DECISION} | {"rules": rules_in_full(row["rules"])}
    for *of_slot, near_ties in json.loads(slots_in_full(row["slots"])) or [[0, None, None, None, None, []]]:
        yield {**of_all, **dict(zip(_OF_SLOT, of_slot, strict=True)), "near_ties": json.dumps(near_ties)}
