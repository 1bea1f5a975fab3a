"""Bearer keys, `tm_<key_id>_<secret>`: made, verified, and asked what they open."""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.domain.errors import BadInput, Refused, Unavailable
from serving.errors import Unauthenticated
from serving.storage.port import Key, KeyStore

SCOPES = {
    "recommend": "ask for recommendations",
    "events": "tell what learners did",
    "catalogue": "keep resources, classes and learners' records",
    "rules": "keep teachers' rules, overrides and groups",
    "read": "read what is kept",
    "audit": "read who changed what",
    "admin": "everything above",
}
_FORM = re.compile(r"tm_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_UNUSABLE = "the key opens nothing; ask whoever runs Trailmate for one made with `trailmate keys create`"


def new_key(tenant: str, scopes: Sequence[str], *, now: datetime) -> tuple[Key, str]:
    """A new key as it is kept, and the text that its owner sees once; raises BadInput for an unknown scope."""
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        raise BadInput(f"scopes are {', '.join(SCOPES)}; give one or more of them, separated by commas")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    key = Key(key_id=key_id, tenant=tenant, scopes=ordered, secret_hash=_hash(secret), created_at=now)
    return key, f"tm_{key_id}_{secret}"


class KeyRing:
    """Verifies keys; what the store said of one is remembered for less than a second, so revoking works at once.

    While the store is away, what it last said holds for `grace_s` seconds.
    """

    def __init__(
        self, keys: KeyStore, *, remember_s: float, grace_s: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._remember_s = remember_s
        self._grace_s = grace_s
        self._clock = clock
        self._found: dict[str, tuple[float, Key]] = {}
        self._asking: dict[str, asyncio.Task[Key | None]] = {}

    async def verified(self, authorization: str | None) -> Key:
        """The key behind an `Authorization` header; raises Unauthenticated."""
        if not authorization:
            raise Unauthenticated("a key is missing; send the header Authorization: Bearer tm_…")
        scheme, _, token = authorization.partition(" ")
        form = _FORM.fullmatch(token.strip())
        if scheme.lower() != "bearer" or form is None:
            raise Unauthenticated("the Authorization header is not a Trailmate key; send Authorization: Bearer tm_…")
        key = await self._find(form[1])
        # Hashed and compared also where there is no such key, so that the time tells nothing.
        matches = hmac.compare_digest(_hash(form[2]), key.secret_hash if key else _hash(""))
        if key is None or not matches or key.revoked_at is not None:
            raise Unauthenticated(_UNUSABLE)
        return key

    async def _find(self, key_id: str) -> Key | None:
        now = self._clock()
        until, known = self._found.get(key_id, (0.0, None))
        if known is not None and now < until:
            return known
        try:
            key = await self._asked(key_id)
        except Unavailable:
            # A key that was good a short while ago opens while nobody can say otherwise.
            if known is None or now >= until - self._remember_s + self._grace_s:
                raise
            return known
        # Only keys that exist are remembered: guesses cannot fill the memory.
        if key is not None:
            self._found[key_id] = (now + self._remember_s, key)
        return key

    async def _asked(self, key_id: str) -> Key | None:
        """What the store says of a key; of those who ask meanwhile none asks again, for nobody waits longer for it."""
        asking = self._asking.get(key_id)
        if asking is None:
            asking = self._asking[key_id] = asyncio.create_task(self._keys.find(key_id))
            asking.add_done_callback(lambda _: self._asking.pop(key_id, None))
        # Whoever goes away leaves the others their answer.
        return await asyncio.shield(asking)


def require(key: Key, scope: str, *or_one_of: str) -> None:
    """Pass where the key holds the scope, or one of the others; raises Refused naming the first, which is missing."""
    if {scope, *or_one_of, "admin"}.isdisjoint(key.scopes):
        raise Refused(f"the key lacks the scope {' or '.join((scope, *or_one_of))}; ask for a key that has it")


def may_name_rules(key: Key) -> bool:
    """Whether answers to this key may say which rules of the school they mean, and whom these name."""
    return not {"rules", "admin"}.isdisjoint(key.scopes)


def _hash(secret: str) -> str:
    """SHA-256 is right here: the secret is 256 random bits, which no dictionary holds; slow hashes guard passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()
