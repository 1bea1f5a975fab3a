"""The wire of the audit."""

from datetime import datetime

import msgspec


class AuditObject(msgspec.Struct):
    """What was changed; the id is gone where the entry was erased."""

    kind: str
    id: str | None


class AuditEntryOut(msgspec.Struct):
    """One entry: who changed what, for whom and why, as it was before and after, and its place in the chain.

    `actor` is the id of the key, or `command`; `author` what was given as a name.
    """

    seq: int
    at: datetime
    actor: str
    author: str | None
    action: str
    object: AuditObject
    scope: dict[str, str]
    reason: str | None
    before: msgspec.Raw
    after: msgspec.Raw
    erased: bool
    salt: str | None
    told_hash: str
    before_hash: str | None
    after_hash: str | None
    previous: str
    hash: str


class AuditOut(msgspec.Struct):
    """A page, newest first; `next_cursor` asks for the next one, `head` is the last hash of the whole chain."""

    entries: list[AuditEntryOut]
    head: str
    next_cursor: str | None
