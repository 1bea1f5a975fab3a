"""The log and the decisions with an outbox before them: they take things in also while the database is away."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from msgspec import structs

from engine.domain.decision import Decision
from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage.outbox import Entry, Outbox
from serving.storage.port import Appended, DecisionStore, EventStore, LearnerContext, Slot, Store

# So long events wait for those that came before them; then they go behind them, into the outbox.
_PATIENCE_S = 1.0


class PatientEvents:
    """`EventStore` that puts events into the outbox where the database is away.

    What became of them is then told without having looked: all count as accepted, and their `seq` is not known yet.
    """

    def __init__(self, events: EventStore, outbox: Outbox) -> None:
        self._events = events
        self._outbox = outbox
        self._seq: dict[str, int] = {}

    async def append(
        self, tenant: str, interactions: Sequence[Interaction], *, stamp: datetime | None = None
    ) -> Appended:
        """Into the database, after what waits before it, or else into the outbox."""
        try:
            if len(self._outbox) == 0 or await self._outbox.empty(within_s=_PATIENCE_S):
                appended = await self._events.append(tenant, interactions, stamp=stamp)
                self._seq[tenant] = appended.seq
                return appended
        except Unavailable:
            if not interactions:
                raise
        await self._outbox.add(Entry(tenant=tenant, events=list(interactions), stamp=stamp))
        return Appended(accepted=len(interactions), duplicates=0, rejected=(), seq=self._seq.get(tenant, 0))

    async def after(self, tenant: str, seq: int, limit: int) -> list[tuple[int, Interaction]]:
        """As the database has them."""
        return await self._events.after(tenant, seq, limit)

    async def context(self, tenant: str, learner_id: str, class_id: str | None = None) -> LearnerContext:
        """As the database has it."""
        return await self._events.context(tenant, learner_id, class_id)

    async def contexts(
        self, tenant: str, learner_ids: Sequence[str], class_id: str | None = None
    ) -> dict[str, LearnerContext]:
        """As the database has them."""
        return await self._events.contexts(tenant, learner_ids, class_id)

    async def remembered(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext | None]:
        """As they were last known."""
        return await self._events.remembered(tenant, learner_ids)


class PatientDecisions:
    """`DecisionStore` that puts decisions into the outbox where the database is away."""

    def __init__(self, decisions: DecisionStore, outbox: Outbox) -> None:
        self._decisions = decisions
        self._outbox = outbox

    async def record(self, tenant: str, *decisions: Decision) -> None:
        """Into the database or else into the outbox, without the reasons, which are not recorded anyway."""
        try:
            await self._decisions.record(tenant, *decisions)
        except Unavailable:
            bare = [_without_reasons(decision) for decision in decisions]
            await self._outbox.add(Entry(tenant=tenant, decisions=bare))

    async def after(self, tenant: str, seq: int, limit: int) -> list[Slot]:
        """As the database has them."""
        return await self._decisions.after(tenant, seq, limit)


def _without_reasons(decision: Decision) -> Decision:
    slate = tuple(structs.replace(option, reasons=()) for option in decision.slate)
    return structs.replace(decision, slate=slate, beside={})


@asynccontextmanager
async def patient(store: Store, folder: Path) -> AsyncIterator[Store]:
    """The store with an outbox in this folder before it, after what earlier processes left there."""

    async def replay(entry: Entry) -> None:
        if entry.events:
            appended = await store.events.append(entry.tenant, entry.events, stamp=entry.stamp)
            for place, reason in appended.rejected:
                await outbox.set_aside({"tenant": entry.tenant, "reason": reason, "event": entry.events[place]})
        if entry.decisions:
            await store.decisions.record(entry.tenant, *entry.decisions)

    outbox = Outbox(folder, replay)
    await outbox.take_over()
    events, decisions = PatientEvents(store.events, outbox), PatientDecisions(store.decisions, outbox)
    try:
        yield replace(store, events=events, decisions=decisions, waiting=outbox.__len__)
    finally:
        await outbox.close()
