"""Who may ask, without the secrets."""

from datetime import datetime

from sqlalchemy import RowMapping, select, update

from serving.storage import tables
from serving.storage.acts import COMMAND, Act, Change
from serving.storage.audit import write_entries
from serving.storage.database import Database
from serving.storage.port import Key
from serving.storage.rows import from_us, known_time, to_us

_keys = tables.keys.c


class SqlKeys:
    """`KeyStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: Key, *, act: Act | None = None) -> None:
        """Keep a new key."""
        row = {
            "key_id": key.key_id,
            "tenant": key.tenant,
            "scopes": " ".join(key.scopes),
            "secret_hash": key.secret_hash,
            "created_us": to_us(key.created_at),
            "revoked_us": to_us(key.revoked_at),
        }
        async with self._database.writing() as connection:
            await connection.execute(self._database.insert(tables.keys), row)
            act = act or Act(at=key.created_at, actor=COMMAND)
            made = Change(action="key.create", kind="key", object_id=key.key_id, after={"scopes": key.scopes})
            await connection.run_sync(write_entries, key.tenant, act, [made])

    async def find(self, key_id: str) -> Key | None:
        """The key of this id, revoked or not."""
        wanted = select(tables.keys).where(_keys.key_id == key_id)
        row = await self._database.read(lambda connection: connection.execute(wanted).mappings().one_or_none())
        return None if row is None else _key_of(row)

    async def of_tenant(self, tenant: str) -> list[Key]:
        """All keys of a tenant, oldest first."""
        wanted = select(tables.keys).where(_keys.tenant == tenant).order_by(_keys.created_us, _keys.key_id)
        async with self._database.reading() as connection:
            return [_key_of(row) for row in (await connection.execute(wanted)).mappings()]

    async def revoke(self, tenant: str, key_id: str, at: datetime, *, act: Act | None = None) -> bool:
        """Revoke from now on; the first time stands."""
        theirs = (_keys.tenant == tenant) & (_keys.key_id == key_id)
        async with self._database.writing() as connection:
            open_key = update(tables.keys).where(theirs, _keys.revoked_us.is_(None)).values(revoked_us=to_us(at))
            if (await connection.execute(open_key)).rowcount == 1:
                gone = Change(action="key.revoke", kind="key", object_id=key_id, after={"revoked_at": at})
                await connection.run_sync(write_entries, tenant, act or Act(at=at, actor=COMMAND), [gone])
                return True
            return (await connection.execute(select(_keys.key_id).where(theirs))).one_or_none() is not None


def _key_of(row: RowMapping) -> Key:
    return Key(
        key_id=row["key_id"],
        tenant=row["tenant"],
        scopes=tuple(row["scopes"].split()),
        secret_hash=row["secret_hash"],
        created_at=known_time(row["created_us"]),
        revoked_at=from_us(row["revoked_us"]),
    )
