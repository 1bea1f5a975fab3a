"""Copies of learners in a Redis or Valkey that several servers share: one packed value and one round trip a learner.

Whatever happens there, emptied, killed, hung or refused, nobody waits longer than a moment and no answer differs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from serving.storage.breaker import Breaker
from serving.storage.packing import FORM, packed, unpacked
from serving.storage.port import LearnerContext

# With it an answer still comes within 50 ms.
TIMEOUT_S = 0.03
_FAILURES, _REST_S = 3, 1.0
# A learner who stays away for two weeks is read from the database once.
_KEEP_S = 14 * 24 * 3600
_AT_ONCE = 64


class RedisCopies:
    """`SharedCopies` in Redis; `client` is a redis.asyncio client that neither waits long nor tries again."""

    def __init__(self, client: Any, store_id: str, *, breaker: Breaker | None = None) -> None:
        self._client = client
        self._store_id = store_id
        self.breaker = breaker or Breaker(failures=_FAILURES)
        self._on_their_way: set[asyncio.Task[Any]] = set()
        self._probing: asyncio.Task[None] | None = None

    async def get(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext]:
        """Those there are, in one round trip; none where Redis does not answer in time."""
        keys = [self._key(tenant, x) for x in learner_ids]
        if len(keys) == 1:
            values: Any = [await self._asked(self._client.get, keys[0])]
        else:
            values = await self._asked(self._in_one_go, "get", [(key,) for key in keys]) or []
        found = {x: unpacked(value) for x, value in zip(learner_ids, values, strict=False)}
        return {x: context for x, context in found.items() if context is not None}

    def put(self, tenant: str, contexts: Mapping[str, LearnerContext]) -> None:
        """Send them off; nobody waits for it, and where too many are on their way they are left out."""
        if len(self._on_their_way) >= _AT_ONCE or self.breaker.is_open:
            return
        values = [(self._key(tenant, x), packed(context), _KEEP_S) for x, context in contexts.items()]
        task = asyncio.create_task(self._sent(values))
        self._on_their_way.add(task)
        task.add_done_callback(self._on_their_way.discard)

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Delete the copy; where Redis is away it stays for two weeks at most, and the database refuses it."""
        await self.close()
        await self._asked(self._client.unlink, self._key(tenant, learner_id))

    def away_s(self) -> float:
        """For how many seconds it has not answered; 0 while it does."""
        return self.breaker.open_for_s

    async def close(self) -> None:
        """Wait for what is on its way."""
        await asyncio.gather(*self._on_their_way, return_exceptions=True)

    def let_go(self) -> None:
        """Look no more whether it is back."""
        if self._probing is not None:
            self._probing.cancel()

    async def _sent(self, values: Sequence[tuple[str, bytes, int]]) -> None:
        await self._asked(self._in_one_go, "set", values)

    async def _in_one_go(self, name: str, given: Sequence[tuple[Any, ...]]) -> list[Any]:
        line = self._client.pipeline(transaction=False)
        for words in given:
            if name == "set":
                key, value, keep_s = words
                line.set(key, value, ex=keep_s)
            else:
                line.get(*words)
        answers: list[Any] = await line.execute(raise_on_error=False)
        return [None if isinstance(a, Exception) else a for a in answers]

    async def _asked(self, ask: Any, *words: Any) -> Any:
        """The answer, or None where there is none in time; who was away is asked again by nobody until it is back."""
        if self.breaker.is_open:
            return None
        try:
            answer = await _in_time(ask, *words)
        except _away():
            self.breaker.went_wrong()
            self._look_for_it()
            return None
        self.breaker.went_well()
        return answer

    def _look_for_it(self) -> None:
        if self.breaker.is_open and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        """Find out whether it is back, so that no request has to wait for it."""
        while self.breaker.is_open:
            await asyncio.sleep(_REST_S)
            with suppress(*_away()):
                await _in_time(self._client.ping)
                self.breaker.went_well()

    def _key(self, tenant: str, learner_id: str) -> str:
        # The braces keep all of a learner on one node of a Cluster.
        return f"trailmate:{FORM}:{self._store_id}:{{{tenant}:{learner_id}}}"


async def _in_time(ask: Any, *words: Any) -> Any:
    async with asyncio.timeout(TIMEOUT_S):
        return await ask(*words)


def _away() -> tuple[type[Exception], ...]:
    from redis.exceptions import RedisError

    return (RedisError, OSError, TimeoutError)


@asynccontextmanager
async def redis_copies(url: str, store_id: str) -> AsyncIterator[RedisCopies]:
    """The copies behind `url`; nothing is asked before the first look, so a Redis that is away holds nobody up."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    # Without these a refused port costs four seconds and a hung server a minute.
    pool = BlockingConnectionPool.from_url(
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        max_connections=32,
        health_check_interval=0,
        protocol=2,
        driver_info=None,
    )
    client = Redis(connection_pool=pool)
    copies = RedisCopies(client, store_id)
    try:
        yield copies
    finally:
        copies.let_go()
        await copies.close()
        await client.aclose()
        await pool.disconnect()
