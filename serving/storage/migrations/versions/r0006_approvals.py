"""What waits for a teacher, and what each class leaves to its teacher."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TEXT, _BIG = sa.String, sa.BigInteger


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "approvals",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("approval_id", _TEXT, primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("learner_id", _TEXT, nullable=False),
        sa.Column("subject_id", _TEXT, nullable=False),
        sa.Column("class_id", _TEXT),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("asked_us", _BIG, nullable=False),
        sa.Column("until_us", _BIG, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("decided_us", _BIG),
        sa.Column("author", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("approvals_once", "approvals", ["tenant", "kind", "learner_id", "subject_id"], unique=True)
    op.create_table(
        "approval_settings",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("class_id", _TEXT, primary_key=True),
        sa.Column("jump", sa.Integer),
        sa.Column("days", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Take them away, with all they hold."""
    op.drop_table("approval_settings")
    op.drop_table("approvals")
