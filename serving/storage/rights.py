"""What the account of a PostgreSQL must be allowed to do, found out before a server says that it serves."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from engine.domain.errors import BadInput
from serving.storage import tables

_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"
_MAY_MAKE = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
_MAY_NOT = text("""
SELECT min(name) FROM unnest(string_to_array(:names, ',')) AS name
WHERE NOT (has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT'))
""")


def require_rights(connection: Connection, there: Collection[str]) -> None:
    """Pass where this account may use the tables that are there, or make them where there are none.

    Raises BadInput with what to grant. SQLite knows no accounts: the rights of its file are seen when it is opened.
    """
    if connection.dialect.name != "postgresql":
        return
    if connection.exec_driver_sql(_READ_ONLY).scalar_one():
        raise BadInput(
            "the database of TRAILMATE_DATABASE_URL is only read (a replica, or set so for this account); name the "
            "server that can be written"
        )
    ours = sorted(set(there) & {*tables.metadata.tables, tables.revision.name})
    if not ours and not connection.exec_driver_sql(_MAY_MAKE).scalar_one():
        raise BadInput(
            "the account of TRAILMATE_DATABASE_URL may make no tables; make it the owner of the database, or grant it "
            "CREATE on the schema public"
        )
    closed = connection.execute(_MAY_NOT, {"names": ",".join(ours)}).scalar_one()
    if closed is not None:
        raise BadInput(
            f"the account of TRAILMATE_DATABASE_URL may not read and write the table {closed}; make it the owner of "
            "all tables, or grant it SELECT, INSERT, UPDATE and DELETE on them"
        )
