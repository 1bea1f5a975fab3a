"""What alembic runs for each migration: the connection comes from whoever called it."""

from alembic import context

from serving.storage import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    # On SQLite too, so that a migration has happened as a whole or not at all.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
