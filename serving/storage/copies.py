"""Copies of what is kept of learners, close at hand: in this process, and where there is one in a shared Redis.

A copy only spares work. Whoever uses one has the database continue it from its last event on, so an old one costs a
few rows more and a lost one costs a whole read; none can make an answer differ.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from serving.storage.port import KeptState, LearnerContext

# So much memory, about: 1,000 learners with 40 events.
_MOST_BYTES = 32_000_000
# What a learner takes beside their state, and each of their events.
_BARE, _EVENT = 1_000, 440


class SharedCopies(Protocol):
    """Copies that several servers share; away is the same as empty."""

    async def get(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext]:
        """Those there are."""

    def put(self, tenant: str, contexts: Mapping[str, LearnerContext]) -> None:
        """Keep these, soon."""

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Keep nothing of this learner."""


class Copies:
    """The learners asked for last, in this process; behind them the shared ones."""

    def __init__(self, shared: SharedCopies | None, *, most_bytes: int = _MOST_BYTES) -> None:
        self._shared = shared
        self._near: OrderedDict[tuple[str, str], LearnerContext] = OrderedDict()
        self._most_bytes = most_bytes
        self._n_bytes = 0

    async def known(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext | None]:
        """What is at hand of each learner, in the order asked."""
        found = {x: self._near.get((tenant, x)) for x in learner_ids}
        missing = [x for x, context in found.items() if context is None]
        if missing and self._shared is not None:
            found |= await self._shared.get(tenant, missing)
        return found

    def keep(self, tenant: str, contexts: Mapping[str, LearnerContext], *, unknown: Collection[str]) -> None:
        """Keep what was read, unless more is known by now; share those whose copies were `unknown` everywhere."""
        for learner_id, context in contexts.items():
            before = self._near.get((tenant, learner_id))
            if before is None or before.seq <= context.seq:
                self._put((tenant, learner_id), context)
        # Where there is more than the state knows, its new one is kept and shared in a moment.
        shared = {x: contexts[x] for x in unknown if _is_whole(contexts[x])}
        if shared and self._shared is not None:
            self._shared.put(tenant, shared)

    def keep_states(self, tenant: str, states: Mapping[str, KeptState]) -> None:
        """Keep what the events of these learners came to, and share it."""
        shared: dict[str, LearnerContext] = {}
        for learner_id, state in states.items():
            before = self._near.get((tenant, learner_id))
            # A state may not know events that the copy does not hold.
            if before is None or not before.arrived or before.arrived[-1] < state.seq:
                continue
            if before.state is None or before.state.seq <= state.seq:
                shared[learner_id] = replace(before, state=state)
                self._put((tenant, learner_id), shared[learner_id])
        if shared and self._shared is not None:
            self._shared.put(tenant, shared)

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Keep nothing of this learner."""
        gone = self._near.pop((tenant, learner_id), None)
        self._n_bytes -= _bytes_of(gone) if gone else 0
        if self._shared is not None:
            await self._shared.forget(tenant, learner_id)

    def _put(self, key: tuple[str, str], context: LearnerContext) -> None:
        before = self._near.pop(key, None)
        self._near[key] = context
        self._n_bytes += _bytes_of(context) - (_bytes_of(before) if before else 0)
        while self._n_bytes > self._most_bytes and len(self._near) > 1:
            _, oldest = self._near.popitem(last=False)
            self._n_bytes -= _bytes_of(oldest)


def _bytes_of(context: LearnerContext) -> int:
    """About how much memory a context takes."""
    return _BARE + _EVENT * len(context.interactions) + (len(context.state.content) if context.state else 0)


def _is_whole(context: LearnerContext) -> bool:
    return context.state is not None and bool(context.arrived) and context.state.seq == context.arrived[-1]
