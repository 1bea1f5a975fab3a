"""Answer a repeated request with the answer it got first, so that nothing is made twice."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.errors import Unavailable
from serving.errors import Conflict, KeyUsedBefore, WrongShape
from serving.storage.port import AnswerStore, KeptAnswer

HEADER = "Idempotency-Key"
# How long an answer is kept, and how long a request that never came to an end may hold its key.
KEPT_FOR = timedelta(hours=24)
HELD_FOR = timedelta(seconds=60)
# A repeated request waits so long for the first one to end before it is told to come back.
_PATIENCE_S, _PAUSE_S = 5.0, 0.05
_FORM = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that is to be answered once: who sent it, under which key, and what it says."""

    tenant: str
    key: str
    fingerprint: str


def asked_with(key: str, *, tenant: str, door: str, body: bytes) -> Asked:
    """The request under this key; `door` is method and address. Raises WrongShape where the key is none."""
    if not _FORM.fullmatch(key):
        raise WrongShape(f"{HEADER} must have 1 to 255 visible ASCII characters; a random UUID is a good one")
    told = hashlib.sha256(door.encode() + b"\0" + body).hexdigest()
    return Asked(tenant=tenant, key=key, fingerprint=told)


async def answered_once(
    asked: Asked, work: Callable[[], Awaitable[KeptAnswer]], *, answers: AnswerStore, now: datetime
) -> tuple[KeptAnswer, bool]:
    """The answer to a request, and whether it is the one that was given before.

    The first request under a key does the work, and what it came to is kept; where it fails nothing is, so it may be
    sent again. While the store is away no key is looked at and no answer kept.

    Raises:
        KeyUsedBefore: the key stands for another request.
        Conflict: the first request of this key is still being worked on.
    """
    try:
        before = await _before(asked, answers, now)
    except Unavailable:
        # Nobody can say whether it was answered. What needs the store fails by itself, and what does not is done.
        return await work(), False
    if before is not None:
        return before, True
    try:
        answer = await work()
    except BaseException:
        # Where this fails too, the key is free again when its hold ends.
        with suppress(Unavailable):
            await answers.release(asked.tenant, asked.key)
        raise
    with suppress(Unavailable):
        await answers.keep(asked.tenant, asked.key, answer, until=now + KEPT_FOR)
    return answer, False


async def _before(asked: Asked, answers: AnswerStore, now: datetime) -> KeptAnswer | None:
    """The answer that was given before; None where the key was free and is held now."""
    waited = 0.0
    while True:
        claim = await answers.claim(asked.tenant, asked.key, asked.fingerprint, now=now, until=now + HELD_FOR)
        if claim.is_new:
            return None
        if claim.fingerprint != asked.fingerprint:
            raise KeyUsedBefore(
                f"this {HEADER} was sent before with another body or to another address; give each request its own, "
                "and repeat a request byte for byte"
            )
        if claim.answer is not None:
            return claim.answer
        if waited >= _PATIENCE_S:
            raise Conflict(f"the first request with this {HEADER} is still being worked on; send it again in a moment")
        await asyncio.sleep(_PAUSE_S)
        waited += _PAUSE_S
