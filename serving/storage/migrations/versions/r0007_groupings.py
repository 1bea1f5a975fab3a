"""The groups that teachers chose."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "groupings",
        sa.Column("tenant", sa.String, primary_key=True),
        sa.Column("grouping_id", sa.String, primary_key=True),
        sa.Column("class_id", sa.String, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("groupings_by_class", "groupings", ["tenant", "class_id", "at_us"])


def downgrade() -> None:
    """Take it away."""
    op.drop_table("groupings")
