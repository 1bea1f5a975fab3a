"""The tables, in SQL that SQLite and PostgreSQL both understand.

Times are whole microseconds since 1970 in UTC, lists are JSON: exact, and the same in every database.
"""

from sqlalchemy import (
    DDL,
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
    event,
)

from serving.storage.append_only import triggers

# What the store says of itself, for whoever finds it: changes of the tables are counted by revisions.
SCHEMA_VERSION = 1
# The last revision in `migrations/versions`: what an empty database gets without walking through them.
HEAD = "0010"

metadata = MetaData()
# Alembic's own table, written here too: most servers never need alembic, which takes 100 ms to import.
bookkeeping = MetaData()
revision = Table("alembic_version", bookkeeping, Column("version_num", String(32), primary_key=True))

about = Table("about", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))

# `seq` numbers what a tenant was told, `catalogue_version` counts changes of the offer, `rules_version` those of its
# rules. All move inside the transaction that writes, and the row's lock orders writers: whoever reads seq n can read
# everything up to n.
tenants = Table(
    "tenants",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, nullable=False, default=0),
    Column("catalogue_version", BigInteger, nullable=False, default=0),
    Column("rules_version", BigInteger, nullable=False, server_default="0"),
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
in_a_class = interactions.c.class_id.is_not(None)
interactions_by_class = Index(
    "interactions_by_class",
    interactions.c.tenant,
    interactions.c.class_id,
    interactions.c.learner_id,
    # What PostgreSQL is told beside stands in `postgres.py`: said here, every server would import its dialect.
    sqlite_where=in_a_class,
)

# In the order they came: SQLite would give a row of this size, laid under its key, a page of its own beside.
decisions = Table(
    "decisions",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("decision_id", String, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("learner_id", String, nullable=False),
    Column("class_id", String),
    Column("mode", String, nullable=False),
    Column("bundle", String, nullable=False),
    Column("catalogue_hash", String, nullable=False),
    # What was offered, in order, with the near-ties of each place.
    Column("slots", Text, nullable=False),
    Column("rules", Text, nullable=False),
    Index("decisions_by_learner", "tenant", "learner_id"),
    # A decision that is told again, because its first acknowledgement was lost, is kept once.
    Index("decisions_once", "tenant", "decision_id", unique=True),
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

# Rules and overrides as they stand, each a JSON object; `ended_us` is when it was ended by hand. What each of them said
# before is in `rule_versions`, which only grows.
rules = Table(
    "rules",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("rule_id", String, primary_key=True),
    Column("origin", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("scope_kind", String, nullable=False),
    Column("scope_id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("record", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("action", String, nullable=False),
    Column("author", String, nullable=False),
    Column("ended_us", BigInteger),
)

rule_versions = Table(
    "rule_versions",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("rule_id", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("record", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("action", String, nullable=False),
    Column("author", String, nullable=False),
    Column("ended_us", BigInteger),
)

# What stood on a learner's path when a rule froze it, a JSON list of resources.
frozen_paths = Table(
    "frozen_paths",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("rule_id", String, primary_key=True),
    Column("learner_id", String, primary_key=True),
    Column("resources", Text, nullable=False),
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

# Questions that wait for a teacher, each put once; `detail` is a JSON object. One that nobody answered until `until_us`
# has expired.
approvals = Table(
    "approvals",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("approval_id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("learner_id", String, nullable=False),
    Column("subject_id", String, nullable=False),
    Column("class_id", String),
    Column("detail", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("decided_us", BigInteger),
    Column("author", Text),
    Column("reason", Text),
    Index("approvals_once", "tenant", "kind", "learner_id", "subject_id", unique=True),
)
approval_settings = Table(
    "approval_settings",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("class_id", String, primary_key=True),
    Column("jump", Integer),
    Column("days", Integer, nullable=False),
)

# Who changed what: links that are never changed or deleted, and apart from them what they say, which may be erased.
audit = Table(
    "audit",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("told_hash", String, nullable=False),
    Column("before_hash", String),
    Column("after_hash", String),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)
audit_contents = Table(
    "audit_contents",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", String, nullable=False),
    Column("told", Text, nullable=False),
    Column("before", Text),
    Column("after", Text),
)
for _table in (audit, audit_contents):
    for _dialect in ("sqlite", "postgresql"):
        for _guard in triggers(_dialect, _table.name, erasable=_table is audit_contents):
            event.listen(_table, "after_create", DDL(_guard).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
# What an entry speaks of: each learner, each thing.
audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("subject_id", String, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Index("audit_subjects_by_entry", "tenant", "seq"),
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
