"""The log, the catalogue, people, decisions, states and keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT, _BIG = sa.String, sa.BigInteger


def upgrade() -> None:
    """Make them."""
    op.create_table("about", sa.Column("name", _TEXT, primary_key=True), sa.Column("value", _TEXT, nullable=False))
    op.create_table(
        "tenants",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("catalogue_version", _BIG, nullable=False),
    )
    _interactions()
    _decisions()
    op.create_table(
        "learner_states",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("learner_id", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("key_id", _TEXT, primary_key=True),
        sa.Column("tenant", _TEXT, nullable=False, index=True),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("secret_hash", _TEXT, nullable=False),
        sa.Column("created_us", _BIG, nullable=False),
        sa.Column("revoked_us", _BIG),
    )
    for name in ("resources", "skills", "classes", "learners"):
        op.create_table(
            name,
            sa.Column("tenant", _TEXT, primary_key=True),
            sa.Column("record_id", _TEXT, primary_key=True),
            sa.Column("record", sa.Text, nullable=False),
            sa.Column("withdrawn_us", _BIG),
        )


def downgrade() -> None:
    """Take them away, with all they hold."""
    for name in (
        "learners", "classes", "skills", "resources", "keys", "learner_states", "decisions", "interactions", "tenants",
        "about",
    ):  # fmt: skip
        op.drop_table(name)


def _interactions() -> None:
    op.create_table(
        "interactions",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("learner_id", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("event_id", _TEXT, nullable=False),
        sa.Column("resource_id", _TEXT),
        sa.Column("at_us", _BIG),
        sa.Column("order", _BIG),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("outcome", sa.Float),
        sa.Column("duration_s", sa.Float),
        sa.Column("item_id", _TEXT),
        sa.Column("skills", sa.Text),
        sa.Column("class_id", _TEXT),
        sa.Column("decision_id", _TEXT),
        sa.Column("with_learner_ids", sa.Text),
        sa.Column("group_id", _TEXT),
        sa.Column("value", sa.Text),
        sa.Column("voids", _TEXT),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("content_hash", _BIG, nullable=False),
        sa.UniqueConstraint("event_id", "tenant"),
        sa.UniqueConstraint("tenant", "seq"),
        sqlite_with_rowid=False,
    )
    in_a_class = sa.text("class_id IS NOT NULL")
    op.create_index(
        "interactions_by_class",
        "interactions",
        ["tenant", "class_id", "learner_id"],
        sqlite_where=in_a_class,
        postgresql_where=in_a_class,
    )


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("tenant", _TEXT, primary_key=True),
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("decision_id", _TEXT, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("learner_id", _TEXT, nullable=False),
        sa.Column("class_id", _TEXT),
        sa.Column("resource_id", _TEXT),
        sa.Column("score", sa.Float),
        sa.Column("propensity", sa.Float),
        sa.Column("origin", _TEXT),
        sa.Column("mode", _TEXT, nullable=False),
        sa.Column("bundle", _TEXT, nullable=False),
        sa.Column("catalogue_hash", _TEXT, nullable=False),
        sa.Column("near_ties", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("decisions_by_learner", "decisions", ["tenant", "learner_id"])
