"""Rules and overrides with all their versions, the paths they froze, and what they did to each decision."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TEXT, _BIG = sa.String, sa.BigInteger


def upgrade() -> None:
    """Make the tables, the counter of changes and the column of the decision log."""
    op.create_table(
        "rules",
        *_key(),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("verb", _TEXT, nullable=False),
        sa.Column("scope_kind", _TEXT, nullable=False),
        sa.Column("scope_id", _TEXT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        *_change(),
    )
    op.create_table(
        "rule_versions",
        *_key(),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record", sa.Text, nullable=False),
        *_change(),
    )
    op.create_table(
        "frozen_paths",
        *_key(),
        sa.Column("learner_id", _TEXT, primary_key=True),
        sa.Column("resources", sa.Text, nullable=False),
    )
    op.add_column("tenants", sa.Column("rules_version", _BIG, nullable=False, server_default="0"))
    op.add_column("decisions", sa.Column("rules", sa.Text, nullable=False, server_default="[]"))


def downgrade() -> None:
    """Take them away, with all they hold."""
    op.drop_column("decisions", "rules")
    op.drop_column("tenants", "rules_version")
    for name in ("frozen_paths", "rule_versions", "rules"):
        op.drop_table(name)


def _key() -> tuple[sa.Column[str], ...]:
    return sa.Column("tenant", _TEXT, primary_key=True), sa.Column("rule_id", _TEXT, primary_key=True)


def _change() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("author", _TEXT, nullable=False),
        sa.Column("ended_us", _BIG),
    )
