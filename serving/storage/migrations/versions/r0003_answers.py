"""Answers to requests that carry a key of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table, unless a store from before there were revisions has it."""
    if sa.inspect(op.get_bind()).has_table("answers"):
        return
    op.create_table(
        "answers",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("answer_key", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("content", sa.LargeBinary),
    )
    op.create_index("answers_by_end", "answers", ["tenant", "until_us"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("answers")
