"""How much is known of learners when a request comes, and the next best answer where the store is away."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from engine.domain.decision import Decision
from engine.domain.errors import Unavailable
from serving.known_learner import KnownLearner, keep_states
from serving.storage.port import LearnerContext, Store

# How long a request waits for the events it wants to have seen: they are on disk, so it is only a matter of moments.
_SEEN_WITHIN_S, _PAUSE_S = 0.1, 0.005


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of each learner asked for; `is_away` where that is only what was last known of them.

    `waited_s` is the pauses made for events that had not arrived.
    """

    contexts: Mapping[str, LearnerContext]
    is_away: bool = False
    waited_s: float = 0.0

    @property
    def seq(self) -> int:
        """How far the store had come, for the answer's token."""
        return max((c.seq for c in self.contexts.values()), default=0)

    def labelled(self, decision: Decision) -> Decision:
        """The decision, saying so where it could not look at what is known now."""
        reduced = self.is_away and decision.mode == "personalised"
        return msgspec.structs.replace(decision, mode="reduced") if reduced else decision


async def reach(
    tenant: str, learner_ids: Sequence[str], class_id: str | None, *, at_least: int, store: Store
) -> Reached:
    """The learners as the store has them, or as they were last known where it is away.

    Raises Unavailable where `at_least`, the number of an event that must have been seen, does not come in time.
    """
    try:
        contexts = await store.events.contexts(tenant, learner_ids, class_id)
        reached = Reached(contexts=contexts)
        pause, waited = _PAUSE_S, 0.0
        while at_least and learner_ids and reached.seq < at_least and waited < _SEEN_WITHIN_S:
            await asyncio.sleep(pause)
            waited, pause = waited + pause, pause * 2
            contexts = await store.events.contexts(tenant, learner_ids, class_id)
            reached = Reached(contexts=contexts, waited_s=waited)
    except Unavailable:
        remembered = await store.events.remembered(tenant, learner_ids)
        # Of whom nobody had told when they were last looked up, somebody may have told since.
        told = {x: c for x, c in remembered.items() if c is not None and (c.learner is not None or c.interactions)}
        reached = Reached(contexts={x: told.get(x, NOBODY) for x in remembered}, is_away=True)
    if at_least and learner_ids and reached.seq < at_least:
        raise Unavailable("the events of this seen_token have not arrived here; ask again, or leave it out")
    return reached


async def recorded(decisions: Sequence[Decision], known: Sequence[KnownLearner], *, tenant: str, store: Store) -> bool:
    """Record decisions and keep the states they stand on, together; False where the store is away.

    An answer is worth more than its record: the learner gets it, and it is counted as unrecorded.
    """
    told = await asyncio.gather(
        store.decisions.record(tenant, *decisions), keep_states(known, store), return_exceptions=True
    )
    problems = [problem for problem in told if isinstance(problem, BaseException)]
    for problem in problems:
        if not isinstance(problem, Unavailable):
            raise problem
    return not problems


# Of whom nothing is at hand while the store is away; a learner whom the store does not know has a context of their own.
NOBODY = LearnerContext(learner=None, interactions=[], arrived=[], state=None, classes={}, seq=0, catalogue_version=0)
