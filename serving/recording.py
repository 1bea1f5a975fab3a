"""Decisions on their way into the store: nobody waits for them, and a moment later they are on disk.

An answer is worth more than its record. What was decided is handed over before it is answered, written together with
what else was decided meanwhile, and waited for only where too much is on its way or somebody reads or ends.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context

import msgspec

from engine.domain.decision import Decision
from serving.known_learner import KnownLearner
from serving.ladder import recorded
from serving.storage.port import DecisionStore, Slot, Store

# So many decisions may be on their way before whoever decides waits for them, and so many go together.
_MOST, _TOGETHER = 2_000, 200
# So long the first of them waits for others: a transaction costs as much as ten decisions in it.
_GATHER_S = 0.02


class _Told(msgspec.Struct, frozen=True):
    tenant: str
    decision: Decision
    known: KnownLearner


class Recorder:
    """Records decisions and keeps the states they stand on; `lost` hears how many no store took."""

    def __init__(self, store: Store, lost: Callable[[int], object]) -> None:
        self._store = store
        self._lost = lost
        self._waiting: list[_Told] = []
        self._writing: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    async def record(self, tenant: str, made: Sequence[tuple[Decision, KnownLearner]]) -> None:
        """Hand them over, each with whom it is for; returns at once, or when there is room again."""
        self._waiting += [_Told(tenant, decision, known) for decision, known in made]
        if self._writing is None or self._writing.done():
            # In a context of its own: it writes for many, and is part of no request.
            self._writing = asyncio.create_task(self._write_all(), context=Context())
        if len(self._waiting) > _MOST:
            await self.settled()

    async def settled(self) -> None:
        """All that was handed over so far is in the store, or counted as lost."""
        if self._writing is not None:
            self._hurry.set()
            await asyncio.shield(self._writing)

    async def _write_all(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER_S):
                    await self._hurry.wait()
            group, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            by_tenant: dict[str, list[_Told]] = {}
            for told in group:
                by_tenant.setdefault(told.tenant, []).append(told)
            for tenant, theirs in by_tenant.items():
                await self._write(tenant, theirs)
        self._hurry.clear()

    async def _write(self, tenant: str, told: Sequence[_Told]) -> None:
        newest = {t.known.learner_id: t.known for t in told}
        try:
            is_kept = await recorded(
                [t.decision for t in told], list(newest.values()), tenant=tenant, store=self._store
            )
        except Exception:
            # One of them may be at fault: it must not take the others along.
            if len(told) > 1:
                for one in told:
                    await self._write(tenant, [one])
                return
            is_kept = False
        if not is_kept:
            self._lost(len(told))


class SettledDecisions:
    """`DecisionStore` that knows of what is on its way: whoever reads decisions reads all that were answered."""

    def __init__(self, decisions: DecisionStore, recorder: Recorder) -> None:
        self._decisions = decisions
        self._recorder = recorder

    async def record(self, tenant: str, *decisions: Decision) -> None:
        """As the store does."""
        await self._decisions.record(tenant, *decisions)

    async def after(self, tenant: str, seq: int, limit: int) -> list[Slot]:
        """As the store has them when nothing is on its way any more."""
        await self._recorder.settled()
        return await self._decisions.after(tenant, seq, limit)
