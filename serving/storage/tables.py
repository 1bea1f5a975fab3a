"""The tables, in SQL that SQLite and PostgreSQL both understand.

Times are whole microseconds since 1970 in UTC, lists are JSON: exact, and the same in every database.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# What the store says of itself, for whoever finds it: changes of the tables are counted by revisions.
SCHEMA_VERSION = 1
# The last revision in `migrations/versions`: what an empty database gets without walking through them.
HEAD = "0006"

metadata = MetaData()
# Alembic's own table, written here too: most servers never need alembic, which takes 100 ms to import.
bookkeeping = MetaData()
revision = Table("alembic_version", bookkeeping, Column("version_num", String(32), primary_key=True))

about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))

# `seq` numbers what a tenant was told, `catalogue_version` counts changes of the offer. Both move inside the
# transaction that writes, and the row's lock orders writers: whoever reads seq n can read everything up to n.
tenants = Table(
    "tenants",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("catalogue_version", BigInteger, nullable=False, default=0),
)

# The key keeps a learner's events side by side: a decision reads exactly those.
interactions = Table(
    "interactions",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("learner_id", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", String, nullable=False),
    Column("resource_id", String),
    Column("at_us", BigInteger),
    Column("order", BigInteger),
    Column("kind", String, nullable=False),
    Column("outcome", Float),
    Column("duration_s", Float),
    Column("item_id", String),
    Column("skills", Text),
    Column("class_id", String),
    Column("decision_id", String),
    Column("with_learner_ids", Text),
    Column("group_id", String),
    Column("value", Text),
    Column("voids", String),
    Column("source", String, nullable=False),
    Column("content_hash", BigInteger, nullable=False),
    UniqueConstraint("event_id", "tenant"),
    UniqueConstraint("tenant", "seq"),
    sqlite_with_rowid=False,
)

# Who has events in a class.
_in_a_class = interactions.c.class_id.is_not(None)
interactions_by_class = Index(
    "interactions_by_class",
    interactions.c.tenant,
    interactions.c.class_id,
    interactions.c.learner_id,
    sqlite_where=_in_a_class,
    postgresql_where=_in_a_class,
)

decisions = Table(
    "decisions",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("decision_id", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("learner_id", String, nullable=False),
    Column("class_id", String),
    Column("resource_id", String),
    Column("score", Float),
    Column("propensity", Float),
    Column("origin", String),
    Column("mode", String, nullable=False),
    Column("bundle", String, nullable=False),
    Column("catalogue_hash", String, nullable=False),
    Column("near_ties", Text, nullable=False),
    Index("decisions_by_learner", "tenant", "learner_id"),
    # A decision that is told again, because its first acknowledgement was lost, is kept once.
    Index("decisions_once", "tenant", "decision_id", "slot", unique=True),
    sqlite_with_rowid=False,
)

# What a learner's events come to, up to the learner's event `seq`: it may be lost or thrown away at any time.
learner_states = Table(
    "learner_states",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("learner_id", String, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

# Answers by the key their request carried; `content` is null while the first request is worked on. They run out after a
# day.
answers = Table(
    "answers",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("answer_key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("status", Integer),
    Column("content", LargeBinary),
    Index("answers_by_end", "tenant", "until_us"),
)

# Groups that a teacher chose, each as one JSON object.
groupings = Table(
    "groupings",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("grouping_id", String, primary_key=True),
    Column("class_id", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Index("groupings_by_class", "tenant", "class_id", "at_us"),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("tenant", String, nullable=False, index=True),
    Column("scopes", Text, nullable=False),
    Column("secret_hash", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
)


def _records(name: str) -> Table:
    """A table of records read and written as a whole, each a JSON object."""
    return Table(
        name,
        metadata,
        Column("tenant", String, primary_key=True),
        Column("record_id", String, primary_key=True),
        Column("record", Text, nullable=False),
        Column("withdrawn_us", BigInteger),
    )


resources = _records("resources")
skills = _records("skills")
classes = _records("classes")
learners = _records("learners")
