"""One learner as a request finds them: what is kept of them, and the state it comes to."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

import msgspec
from msgspec.structs import replace

from engine.domain.errors import BadInput, Unavailable
from engine.domain.history import history_of
from engine.domain.interaction import Interaction
from engine.domain.query import Query, query_with
from engine.learner.fold import caught_up
from engine.learner.preferences import Preferences, last_said, preferences_of
from engine.learner.state import LearnerState, state_from
from engine.learner.voices import Spoken, all_heard
from engine.recommender import Recommender
from serving.at_hand import AtHand, Made
from serving.current_bundle import CurrentBundle
from serving.errors import Conflict
from serving.storage.port import KeptState, LearnerContext, Store

# All events of a learner may have to be folded again, which takes 10 ms for so many: others are answered meanwhile.
_MANY = 300


class KnownLearner(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a learner beside the recommender that answers them.

    `made` is what their events come to. `is_new` says that its state holds more than the one that is kept.
    """

    tenant: str
    learner_id: str
    context: LearnerContext
    recommender: Recommender
    made: Made
    is_new: bool

    @property
    def state(self) -> LearnerState | None:
        """What their events come to; None without a bundle."""
        return self.made.state

    @property
    def preferences(self) -> Preferences:
        """What they want and need, as they last said it."""
        return self.made.preferences

    @property
    def standing(self) -> list[Interaction]:
        """The events that count: no voidings, and nothing that was voided."""
        voided = {e.voids for e in self.context.interactions if e.kind == "voided"}
        return [e for e in self.context.interactions if e.kind != "voided" and e.event_id not in voided]

    @property
    def lag(self) -> int:
        """How many of their events the state that is kept did not hold when they were read."""
        arrived, kept = self.context.arrived, self.context.state
        return len(arrived) if kept is None else len(arrived) - bisect_right(arrived, kept.seq)

    @property
    def spoken(self) -> tuple[Spoken, ...] | None:
        """What they said of resources where no state holds it; None where one does."""
        return self.made.spoken

    def query(self, *, now: datetime, class_id: str | None) -> Query:
        """The learner at this moment."""
        return query_with(
            self.learner_id,
            learner=self.context.learner,
            history=self.made.history,
            classes=self.context.classes,
            now=now,
            class_id=class_id,
            said=self.made.preferences,
        )


async def known_learner(
    tenant: str, learner_id: str, *, context: LearnerContext, store: Store, bundles: CurrentBundle
) -> KnownLearner:
    """The learner of this context, their state caught up with everything that arrived."""
    recommender = await bundles.recommender(tenant, context.catalogue_version, store.catalogue)
    catching_up = partial(learner_in_sight, tenant, learner_id, context, recommender, bundles.at_hand)
    slow = len(context.interactions) > _MANY
    if slow and bundles.at_hand.of(tenant, learner_id, context.interactions, recommender) is None:
        return await asyncio.to_thread(catching_up)
    return catching_up()


async def read_learner(tenant: str, learner_id: str, *, store: Store, bundles: CurrentBundle) -> KnownLearner:
    """The learner as the store has them now."""
    context = await store.events.context(tenant, learner_id)
    return await known_learner(tenant, learner_id, context=context, store=store, bundles=bundles)


async def tell(event: Interaction, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime) -> KnownLearner:
    """Keep the event, and give the learner as they stand after it; raises Conflict where its id stands for another."""
    kept = await store.events.append(tenant, [event], stamp=now)
    if kept.rejected:
        raise Conflict("event_id was used before for an event with other content; give each event its own id")
    known = await read_learner(tenant, event.learner_id, store=store, bundles=bundles)
    await keep_state(known, store)
    return known


def learner_in_sight(
    tenant: str, learner_id: str, context: LearnerContext, recommender: Recommender, at_hand: AtHand | None = None
) -> KnownLearner:
    """The learner of this context, beside the recommender that answers them; plain work that needs no store."""
    made = at_hand.of(tenant, learner_id, context.interactions, recommender) if at_hand is not None else None
    if made is None:
        made = _made(context, recommender)
        if at_hand is not None:
            at_hand.keep(tenant, learner_id, made)
    told = made.state is not None and len(context.interactions) > 0
    return KnownLearner(
        tenant=tenant,
        learner_id=learner_id,
        context=context,
        recommender=recommender,
        made=made,
        is_new=told and not made.is_stored(context.state, context.arrived[-1]),
    )


def imagined_learner(known: KnownLearner, events: Sequence[Interaction], state: LearnerState) -> KnownLearner:
    """The same learner as if these had been all their events, whose `state` is given; nothing of it is kept."""
    made = Made(
        interactions=events,
        recommender=known.recommender,
        history=history_of(events, known.recommender.catalogue.resource_map),
        preferences=preferences_of(last_said(events, "preferences_set")),
        state=state,
        spoken=None,
        kept=None,
    )
    context = replace(known.context, interactions=events)
    return replace(known, context=context, made=made, is_new=False)


def _made(context: LearnerContext, recommender: Recommender) -> Made:
    """What the events of this context come to."""
    kept = _readable(context.state)
    state, content = _state(kept, context, recommender), None
    events = context.interactions
    if state is not None and state is not kept and events:
        # Both are kept at hand: the bytes for the store, the numbers for answers.
        content = state.to_bytes()
        state = state.lying_in(content)
    return Made(
        interactions=events,
        recommender=recommender,
        history=history_of(events, recommender.catalogue.resource_map),
        preferences=preferences_of(last_said(events, "preferences_set")),
        state=state,
        # What they said of resources, where no state holds it.
        spoken=all_heard(events) if state is None else None,
        kept=context.state if state is kept else None,
        made_content=content,
    )


async def keep_states(learners: Sequence[KnownLearner], store: Store) -> None:
    """Keep what was folded; where that fails the next request folds it again, so nobody has to know."""
    new = {
        x.learner_id: KeptState(seq=x.context.arrived[-1], content=x.made.content)
        for x in learners
        if x.state is not None and x.is_new
    }
    if new:
        with suppress(Unavailable):
            await store.states.put_all(learners[0].tenant, new)


async def keep_state(known: KnownLearner, store: Store) -> None:
    """Keep what one learner's events came to."""
    await keep_states([known], store)


def _state(kept: LearnerState | None, context: LearnerContext, recommender: Recommender) -> LearnerState | None:
    if recommender.learner is None:
        return None
    events = context.interactions
    since = context.state.seq if context.state and kept else -1
    arrived = [e for e, seq in zip(events, context.arrived, strict=True) if seq > since]
    return caught_up(kept, arrived, lambda: events, model=recommender.learner, offer=recommender.offer)


def _readable(kept: KeptState | None) -> LearnerState | None:
    """The state that is kept; None where another version wrote it or its bytes are not what was written."""
    if kept is None:
        return None
    try:
        return state_from(kept.content)
    except BadInput:
        return None
