"""Slates and rules of decisions in a third of the bytes; those that are there are read as they stand."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from serving.storage.migrations.in_full import rules_in_full, slots_in_full

revision = "0009"
down_revision = "0008"

_ROWS_AT_ONCE = 2_000


def upgrade() -> None:
    """Nothing to be made: only what is written from now on is written so."""


def downgrade() -> None:
    """Write all of them out, page by page."""
    connection = op.get_bind()
    table = sa.Table("decisions", sa.MetaData(), autoload_with=connection)
    c = table.c
    last: tuple[Any, ...] = ("", -1)
    while True:
        after = sa.tuple_(c.tenant, c.seq) > sa.tuple_(*map(sa.literal, last))
        page = sa.select(c.tenant, c.seq, c.slots, c.rules).where(after).order_by(c.tenant, c.seq).limit(_ROWS_AT_ONCE)
        rows = connection.execute(page).all()
        if not rows:
            return
        last = (rows[-1].tenant, rows[-1].seq)
        for row in rows:
            values = {"slots": slots_in_full(row.slots), "rules": rules_in_full(row.rules)}
            here = (c.tenant == row.tenant) & (c.seq == row.seq)
            connection.execute(sa.update(table).where(here).values(values))
