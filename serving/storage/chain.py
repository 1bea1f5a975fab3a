"""The chain of the audit: what is hashed and how, and whether a chain that was read is whole.

Every text is canonical JSON: keys sorted, no spaces, UTF-8. An entry's hash is SHA-256 over its own facts, the hashes
of its content and the hash of the entry before. The content's hashes are HMAC-SHA256 with a salt of their own, so that
nobody can find out by trying what an erased content was.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from serving.storage.acts import Act, Change, Content, Entry
from serving.storage.rows import to_us

# What the first entry names as the one before.
ROOT = "0" * 64
ERASE = "audit.erase"


def canonical(value: object) -> str:
    """The one text of a value in JSON."""
    return msgspec.json.encode(value, order="sorted").decode()


def linked(tenant: str, seq: int, previous: str, act: Act, change: Change, *, salt: str) -> Entry:
    """The entry of a change, to stand as number `seq` after the entry of hash `previous`."""
    told = {
        "author": act.author,
        "object_id": change.object_id,
        "reason": act.reason,
        "scope": dict(change.scope),
    }
    before, after = (None if v is None else canonical(v) for v in (change.before, change.after))
    content = Content(salt=salt, told=canonical(told), before=before, after=after)
    at_us = to_us(act.at)
    assert at_us is not None
    entry = Entry(
        tenant=tenant,
        seq=seq,
        at_us=at_us,
        actor=act.actor,
        action=change.action,
        kind=change.kind,
        told_hash=_salted(salt, "told", content.told) or "",
        before_hash=_salted(salt, "before", before),
        after_hash=_salted(salt, "after", after),
        previous=previous,
        hash="",
        content=content,
    )
    return replace(entry, hash=hash_of(entry))


def hash_of(entry: Entry) -> str:
    """What the entry's own hash must be."""
    facts = {
        "action": entry.action,
        "actor": entry.actor,
        "after_hash": entry.after_hash,
        "at_us": entry.at_us,
        "before_hash": entry.before_hash,
        "kind": entry.kind,
        "previous": entry.previous,
        "seq": entry.seq,
        "tenant": entry.tenant,
        "told_hash": entry.told_hash,
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first entry that is not as it was written, and what is wrong with it."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a walk along a chain found: entries, how many of them erased, the last hash; `broken` None where whole."""

    entries: int
    erased: int
    head: str
    broken: Broken | None


class Walk:
    """Follows a chain from its first entry on; `kept` is a hash it had at some time, None where nobody kept one."""

    def __init__(self, kept: str | None = None) -> None:
        self._kept = kept
        self._met = kept in (None, ROOT)
        self._seq, self._head, self._erased = 0, ROOT, 0
        self._missing: set[int] = set()
        self._broken: Broken | None = None

    def follow(self, entries: Iterable[Entry]) -> None:
        """The next entries, ascending; after the first that is broken, none is looked at."""
        for entry in entries:
            if self._broken is not None:
                return
            what = self._wrong_with(entry)
            if what is not None:
                self._broken = Broken(seq=min(entry.seq, self._seq + 1), what=what)
                return
            self._seq, self._head = entry.seq, entry.hash
            self._met = self._met or entry.hash == self._kept
            if entry.content is None:
                self._missing.add(entry.seq)
            elif entry.action == ERASE:
                named = set(msgspec.json.decode(entry.content.after or "{}")["entries"])
                self._erased += len(self._missing & named)
                self._missing -= named

    def end(self) -> Verified:
        """What was found. A content that is gone must be named by a later entry as erased."""
        broken = self._broken
        if self._missing and (broken is None or min(self._missing) < broken.seq):
            broken = Broken(seq=min(self._missing), what="its content is gone, and no entry says that it was erased")
        if broken is None and not self._met:
            broken = Broken(
                seq=self._seq + 1, what="the chain ends without the head that was kept: its end was cut off"
            )
        return Verified(entries=self._seq, erased=self._erased, head=self._head, broken=broken)

    def _wrong_with(self, entry: Entry) -> str | None:
        if entry.seq != self._seq + 1:
            return "it is missing"
        if entry.previous != self._head:
            return "it does not follow the entry before it"
        if entry.hash != hash_of(entry):
            return "its facts are not those that were written"
        told = entry.content
        if told is None:
            return None
        names = (("told", told.told, entry.told_hash), ("before", told.before, entry.before_hash))
        for name, text, expected in (*names, ("after", told.after, entry.after_hash)):
            if _salted(told.salt, name, text) != expected:
                return f"its content ({name}) is not what was written"
        return None


def _salted(salt: str, name: str, text: str | None) -> str | None:
    if text is None:
        return None
    return hmac.new(bytes.fromhex(salt), f"{name}\n{text}".encode(), hashlib.sha256).hexdigest()
