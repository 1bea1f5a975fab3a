"""The audit: its chain, guarded by the database itself, and apart from it what the entries say."""

import sqlalchemy as sa
from alembic import op

from serving.storage.append_only import triggers, untriggers

revision = "0005"
down_revision = "0004"

_TEXT, _BIG = sa.String, sa.BigInteger


def upgrade() -> None:
    """Make the tables and their triggers."""
    op.create_table(
        "audit",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("told_hash", _TEXT, nullable=False),
        sa.Column("before_hash", _TEXT),
        sa.Column("after_hash", _TEXT),
        sa.Column("previous", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
    )
    op.create_table(
        "audit_contents",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("salt", _TEXT, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
    )
    op.create_table(
        "audit_subjects",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("kind", _TEXT, primary_key=True),
        sa.Column("subject_id", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
    )
    op.create_index("audit_subjects_by_entry", "audit_subjects", ["tenant", "seq"])
    for table in ("audit", "audit_contents"):
        for statement in triggers(op.get_bind().dialect.name, table, erasable=table != "audit"):
            op.execute(statement)


def downgrade() -> None:
    """Take them away, with all they hold."""
    for name in ("audit_subjects", "audit_contents", "audit"):
        op.drop_table(name)
    for statement in untriggers(op.get_bind().dialect.name):
        op.execute(statement)
