"""What can be asked about one learner, and what they want and aim at, one function each."""

import asyncio
import uuid
from datetime import datetime

from engine.domain.errors import Unknown
from engine.domain.interaction import Interaction
from engine.emptiness import GOAL_MASTERED
from engine.learner.preferences import Goal, Preferences, goal_of, last_said, value_of
from engine.path import Path, path_of
from engine.portrait import Portrait, portrait_of
from serving.current_bundle import CurrentBundle
from serving.known_learner import KnownLearner, keep_state, read_learner, tell
from serving.known_names import require_skills
from serving.schemas_learner import GoalIn, GoalSetOut, LearnerOut, PreferencesIn, PreferencesOut
from serving.storage.port import Store
from serving.wire import token_of, valid_id
from serving.wire_learner import goal_in, goal_out, learner_out, preferences_in

NO_BUNDLE = "No bundle is served yet, so nothing can be estimated: train one, and serve it with --bundle."
NOT_ON_OFFER = "Nothing that is offered teaches any skill of this goal, so there is no way to plan."


async def portrait_for(
    learner_id: str, *, audience: str, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> LearnerOut:
    """What is known of a learner; raises Unknown where nobody told of them and no event names them."""
    known = await somebody(learner_id, tenant=tenant, store=store, bundles=bundles)
    await keep_state(known, store)
    portrait, goal = drawn(known, audience=audience, now=now), goal_set(known)
    path = await asyncio.to_thread(planned, known, goal, now=now)
    return learner_out(known, portrait, goal=goal_out(goal, path), audience=audience, message=no_bundle(known))


async def set_preferences(
    learner_id: str, given: PreferencesIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> PreferencesOut:
    """Keep what the learner wants and needs; what they did not say now is taken back."""
    event = _said("preferences_set", learner_id, preferences_in(given))
    known = await tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    return PreferencesOut(
        event_id=event.event_id, preferences=known.preferences, seen_token=token_of(known.context.seq)
    )


async def set_goal(
    learner_id: str, given: GoalIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> GoalSetOut:
    """Keep the goal, and say when it is reached if weeks go on as they went; raises UnknownName for unknown skills,
    BadInput for a day that is over.
    """
    event = _said("goal_set", learner_id, goal_in(given, now=now))
    before = await read_learner(tenant, event.learner_id, store=store, bundles=bundles)
    require_skills(given.skills, before.recommender, field="skills")
    known = await tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    goal = goal_set(known)
    path = await asyncio.to_thread(planned, known, goal, now=now)
    return GoalSetOut(
        event_id=event.event_id,
        goal=goal_out(goal, path),
        seen_token=token_of(known.context.seq),
        message=no_bundle(known) or _said_of(goal, path),
    )


async def somebody(learner_id: str, *, tenant: str, store: Store, bundles: CurrentBundle) -> KnownLearner:
    """The learner of this id; raises Unknown where nobody told of them and no event names them."""
    known = await read_learner(tenant, valid_id(learner_id, "learner_id"), store=store, bundles=bundles)
    if known.context.learner is None and not known.context.interactions:
        raise Unknown(
            "nobody told of this learner and no event names them; check the id, or tell of them with "
            "PUT /v1/learners/{learner_id}"
        )
    return known


def _said_of(goal: Goal | None, path: Path | None) -> str | None:
    """Why there is no way to a goal; None where there is one."""
    if goal is None or (path is not None and path.remaining):
        return None
    return NOT_ON_OFFER if path is None else GOAL_MASTERED


def _said(kind: str, learner_id: str, value: Preferences | Goal) -> Interaction:
    return Interaction(
        event_id=uuid.uuid4().hex,
        learner_id=valid_id(learner_id, "learner_id"),
        kind=kind,
        source="http",
        value=value_of(value),
    )


def goal_set(known: KnownLearner) -> Goal | None:
    """The goal that stands; None where there is none."""
    return goal_of(last_said(known.context.interactions, "goal_set"))


def planned(known: KnownLearner, goal: Goal | None, *, now: datetime, choose: str | None = None) -> Path | None:
    """The way to a goal; None where there is no goal, no bundle, or nothing on offer teaches any skill of it.

    Every door that speaks of minutes to a goal takes them from here, so that all say the same.
    """
    teaching = known.recommender.teaching
    if goal is None or known.state is None or teaching is None:
        return None
    if not any(skill in teaching.menu.number for skill in goal.skills):
        return None
    query = known.query(now=now, class_id=None)
    return path_of(goal, known.state, known.standing, known.recommender, query=query, choose=choose)


def drawn(known: KnownLearner, *, audience: str, now: datetime) -> Portrait | None:
    """The portrait; None where no model can speak of the learner."""
    model, offer, events = known.recommender.learner, known.recommender.offer, known.standing
    if model is None or known.state is None:
        return None
    met = {s for e in events for s in (offer.skills.get(e.resource_id or "", ()) if e.skills is None else e.skills)}
    return portrait_of(
        known.learner_id,
        known.state,
        model=model,
        titles=known.recommender.titles,
        taught=met,
        audience=audience,
        now=now,
    )


def no_bundle(known: KnownLearner) -> str | None:
    """What to tell where no bundle is served; None where one is."""
    return NO_BUNDLE if known.recommender.learner is None else None
