"""A decision is kept once, however often it is told."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index that says so."""
    op.create_index("decisions_once", "decisions", ["tenant", "decision_id", "slot"], unique=True)


def downgrade() -> None:
    """Take it away."""
    op.drop_index("decisions_once", table_name="decisions")
