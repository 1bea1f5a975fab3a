"""What can be asked of the audit: who changed what, and whether its chain is whole."""

import re

import msgspec

from serving.errors import WrongShape
from serving.schemas_audit import AuditEntryOut, AuditObject, AuditOut
from serving.storage.acts import Entry, Wanted
from serving.storage.chain import Verified, Walk
from serving.storage.port import AuditStore
from serving.storage.rows import known_time

_AT_ONCE = 1_000
_NOTHING = msgspec.Raw(b"null")


async def entries_for(wanted: Wanted, *, cursor: str | None, limit: int, tenant: str, audit: AuditStore) -> AuditOut:
    """A page of the entries that are wanted, newest first, and the head that the chain has now."""
    found = await audit.entries(tenant, wanted, before=_before(cursor), limit=limit + 1)
    _, head = await audit.head(tenant)
    page = found[:limit]
    more = f"a{page[-1].seq}" if len(found) > limit else None
    return AuditOut(entries=[_told(entry) for entry in page], head=head, next_cursor=more)


async def verify(tenant: str, audit: AuditStore, *, kept: str | None = None) -> Verified:
    """Walk a tenant's chain from its first entry on; `kept` is a head it had at some time."""
    walk, seq = Walk(kept), 0
    while page := await audit.after(tenant, seq, _AT_ONCE):
        walk.follow(page)
        seq = page[-1].seq
    return walk.end()


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not re.fullmatch(r"a[0-9]{1,18}", cursor):
        raise WrongShape("cursor is not one that GET /v1/audit gave; hand on next_cursor unchanged or leave it out")
    return int(cursor[1:])


def _told(entry: Entry) -> AuditEntryOut:
    content = entry.content
    told = {} if content is None else msgspec.json.decode(content.told)
    before, after = (None, None) if content is None else (content.before, content.after)
    return AuditEntryOut(
        seq=entry.seq,
        at=known_time(entry.at_us),
        actor=entry.actor,
        author=told.get("author"),
        action=entry.action,
        object=AuditObject(kind=entry.kind, id=told.get("object_id")),
        scope=told.get("scope", {}),
        reason=told.get("reason"),
        before=_NOTHING if before is None else msgspec.Raw(before.encode()),
        after=_NOTHING if after is None else msgspec.Raw(after.encode()),
        erased=content is None,
        salt=None if content is None else content.salt,
        told_hash=entry.told_hash,
        before_hash=entry.before_hash,
        after_hash=entry.after_hash,
        previous=entry.previous,
        hash=entry.hash,
    )
