"""What to do next, for one learner or a whole class; what is answered is recorded, while there is a store."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import msgspec

from engine.domain.decision import Decision, Request, Said
from engine.domain.errors import BadInput, Unknown
from engine.domain.interaction import Interaction
from engine.learner.state import LearnerState
from engine.recommender import Ask
from engine.recommender import recommend_each as engine_each
from engine.what_if import Imagined, what_if_of
from serving.approving import (
    Approved,
    CurrentApprovals,
    Permits,
    approved,
    asks_of,
    barred_for,
    class_in_question,
    put_questions,
)
from serving.current_bundle import CurrentBundle
from serving.current_rules import CurrentRules, InForce
from serving.deciding import Deciding
from serving.fresh_ids import fresh_id
from serving.known_learner import KnownLearner, imagined_learner, known_learner, learner_in_sight
from serving.known_names import require_skills
from serving.ladder import reach
from serving.schemas import MAX_LEARNERS, BatchIn, RecommendationIn
from serving.storage.port import Store
from serving.wire import request_in, seq_of


class Chosen(msgspec.Struct, frozen=True):
    """A decision for somebody, the `seq` it has seen, and what would be different by resource.

    Its record is left to make. `is_away` where it stands on what was last known; `waited_s` for the events of its
    token, None where it named none.
    """

    decision: Decision
    seq: int
    known: KnownLearner
    what_if: Mapping[str, tuple[Said, ...]] = msgspec.field(default_factory=dict)
    is_away: bool = False
    waited_s: float | None = None


async def recommend_next(
    asked: RecommendationIn,
    *,
    tenant: str,
    store: Store,
    bundles: CurrentBundle,
    rules: CurrentRules,
    approvals: CurrentApprovals,
    deciding: Deciding,
    now: datetime,
) -> Chosen:
    """Choose for one learner; raises Unavailable where the events of a `seen_token` have not arrived."""
    request = request_in(asked.learner_id, asked)
    learner_id, wanted = request.learner_id, _wanted(asked.seen_token)
    reached = await reach(tenant, [learner_id], request.class_id, at_least=wanted, store=store)
    context = reached.contexts[learner_id]
    known = await known_learner(tenant, learner_id, context=context, store=store, bundles=bundles)
    require_skills(request.goal or (), known.recommender, field="goal")
    in_force = await rules.in_force(tenant, context.rules_version, known.recommender)
    asked_in = {learner_id: class_in_question(request.class_id, context, now)}
    permits = await approvals.permits(tenant, context.rules_version, asked_in, known.recommender)
    ask = _ask(request, known, in_force, now)
    barred = _barred(ask, known, permits)
    asks = asks_of(ask, barred)
    made = approved(asks, await deciding.decisions(asks, known.recommender), barred, known=known, permits=permits)
    decision = reached.labelled(made.decision)
    told: Mapping[str, tuple[Said, ...]] = {}
    if asked.what_if:
        imagined = partial(_imagined, request, known, in_force, permits, now=now)
        told = await asyncio.to_thread(_what_if, asks[0], known, made.decision, imagined)
    await put_questions(tenant, [made], store.approvals)
    waited_s = reached.waited_s if wanted else None
    return Chosen(decision, reached.seq, known, what_if=told, is_away=reached.is_away, waited_s=waited_s)


async def recommend_each(
    asked: BatchIn,
    *,
    tenant: str,
    store: Store,
    bundles: CurrentBundle,
    rules: CurrentRules,
    approvals: CurrentApprovals,
    now: datetime,
) -> list[Chosen]:
    """Choose for each learner asked for; the work is done beside the loop, so that others are answered meanwhile."""
    requests = [request_in(x, asked) for x in await _who(asked, tenant=tenant, store=store)]
    if not requests:
        return []
    learner_ids, wanted = [r.learner_id for r in requests], _wanted(asked.seen_token)
    reached = await reach(tenant, learner_ids, requests[0].class_id, at_least=wanted, store=store)
    contexts = reached.contexts
    version = max(c.catalogue_version for c in contexts.values())
    recommender = await bundles.recommender(tenant, version, store.catalogue)
    require_skills(requests[0].goal or (), recommender, field="goal")
    rules_version = max(c.rules_version for c in contexts.values())
    in_force = await rules.in_force(tenant, rules_version, recommender)
    asked_in = {r.learner_id: class_in_question(r.class_id, contexts[r.learner_id], now) for r in requests}
    permits = await approvals.permits(tenant, rules_version, asked_in, recommender)

    def decide() -> tuple[list[KnownLearner], list[Approved]]:
        known = [learner_in_sight(tenant, x, one, recommender, bundles.at_hand) for x, one in contexts.items()]
        return known, recommend_many(requests, known, in_force, permits, now=now)

    known, made = await asyncio.to_thread(decide)
    await put_questions(tenant, made, store.approvals)
    seq = reached.seq
    return [
        Chosen(reached.labelled(one.decision), seq, x, is_away=reached.is_away)
        for one, x in zip(made, known, strict=True)
    ]


def recommend_many(
    requests: Sequence[Request],
    learners: Sequence[KnownLearner],
    in_force: InForce,
    permits: Permits,
    *,
    now: datetime,
) -> list[Approved]:
    """The decision for each request, whose learner stands in the same place, under the rules in force, in one pass.

    All learners stand beside the same recommender.
    """
    each = [_ask(request, known, in_force, now) for request, known in zip(requests, learners, strict=True)]
    barred = [_barred(ask, known, permits) for ask, known in zip(each, learners, strict=True)]
    asks = [asks_of(ask, some) for ask, some in zip(each, barred, strict=True)]
    made = iter(engine_each([one for some in asks for one in some], learners[0].recommender))
    return [
        approved(some, [next(made) for _ in some], waiting, known=known, permits=permits)
        for some, waiting, known in zip(asks, barred, learners, strict=True)
    ]


def _ask(request: Request, known: KnownLearner, in_force: InForce, now: datetime) -> Ask:
    query = known.query(now=now, class_id=request.class_id)
    return Ask(
        request=request,
        query=query,
        decision_id=_new_id(query.now_us),
        now=now,
        state=known.state,
        spoken=known.spoken,
        preferences=known.preferences if known.state is None else None,
        rules=in_force.over(known, query, class_id=request.class_id),
    )


def _new_id(now_us: int) -> str:
    """An id for a decision, in the order of time: ids in no order would each be put on a page of their own."""
    return f"{now_us // 1000:011x}{fresh_id(11)[1:]}"


def _barred(ask: Ask, known: KnownLearner, permits: Permits) -> dict[str, tuple[str, ...]]:
    return barred_for(known, ask.query, None if ask.rules is None else ask.rules.plan, permits)


def _what_if(ask: Ask, known: KnownLearner, decision: Decision, imagined: Imagined) -> Mapping[str, tuple[Said, ...]]:
    """What would be different; nothing where no state says what is so, or none was asked."""
    if known.state is None or ask.request.non_personalised:
        return {}
    return what_if_of(ask, known.context.interactions, decision, known.recommender, imagined=imagined)


def _imagined(
    request: Request,
    known: KnownLearner,
    in_force: InForce,
    permits: Permits,
    events: Sequence[Interaction],
    state: LearnerState,
    *,
    now: datetime,
) -> Ask:
    """What would be decided for this learner of other events, whose state is given, with all that bounds it."""
    other = imagined_learner(known, events, state)
    ask = _ask(request, other, in_force, now)
    return asks_of(ask, _barred(ask, other, permits))[0]


async def _who(asked: BatchIn, *, tenant: str, store: Store) -> Sequence[str]:
    """The learners asked for, each once.

    Raises:
        BadInput: neither or both of class and learners are named, or the class is too large for one request.
        Unknown: nobody told of the class and nobody is in it.
    """
    if (asked.class_id is None) == (asked.learner_ids is None):
        raise BadInput("name either class_id or learner_ids: one of the two, not both")
    if asked.learner_ids is not None:
        return list(dict.fromkeys(map(str, asked.learner_ids)))
    class_id = str(asked.class_id)
    members = await store.people.members(tenant, class_id)
    if not members and all(c.class_id != class_id for c in await store.people.classes(tenant)):
        raise Unknown("nobody told of this class and no event names it; check class_id, or use learner_ids")
    if len(members) > MAX_LEARNERS:
        raise BadInput(f"this class has more than {MAX_LEARNERS} learners; ask for them in parts with learner_ids")
    return members


def _wanted(token: str | None) -> int:
    """The number of the last event that must have been seen."""
    return 0 if token is None else seq_of(token)
