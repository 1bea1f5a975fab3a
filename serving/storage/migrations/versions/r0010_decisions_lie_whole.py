"""Decisions lie in pages of SQLite as they came: under their key, each filled a page of its own by a third."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_TEXT, _BIG = sa.String, sa.BigInteger


def upgrade() -> None:
    """Put the rows into a table that numbers them itself."""
    _moved(with_rowid=True)


def downgrade() -> None:
    """Put them back under their key."""
    _moved(with_rowid=False)


def _moved(*, with_rowid: bool) -> None:
    # PostgreSQL always keeps rows so.
    if op.get_bind().dialect.name == "postgresql":
        return
    for name in ("decisions_by_learner", "decisions_once"):
        op.drop_index(name, table_name="decisions")
    op.rename_table("decisions", "decisions_before")
    op.create_table(
        "decisions",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("decision_id", _TEXT, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("learner_id", _TEXT, nullable=False),
        sa.Column("class_id", _TEXT),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("bundle", _TEXT, nullable=False),
        sa.Column("catalogue_hash", _TEXT, nullable=False),
        sa.Column("slots", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sqlite_with_rowid=with_rowid,
    )
    op.execute("INSERT INTO decisions SELECT * FROM decisions_before ORDER BY tenant, seq")
    op.drop_table("decisions_before")
    op.create_index("decisions_by_learner", "decisions", ["tenant", "learner_id"])
    op.create_index("decisions_once", "decisions", ["tenant", "decision_id"], unique=True)
