"""What can be asked about one learner, and what they say of themselves, one function each."""

import uuid
from datetime import datetime

from engine.domain.errors import BadInput, Unknown
from engine.domain.interaction import Interaction
from engine.learner.preferences import Goal, Preferences, goal_of, last_said, value_of
from engine.portrait import Portrait, portrait_of
from serving.current_bundle import CurrentBundle
from serving.known_learner import KnownLearner, keep_state, known_learner
from serving.schemas_learner import GoalIn, GoalSetOut, LearnerOut, PreferencesIn, PreferencesOut, VoiceIn, VoiceOut
from serving.storage.port import Store
from serving.wire import token_of, valid_id
from serving.wire_learner import goal_in, goal_out, learner_out, preferences_in, voice_in

NO_BUNDLE = "No bundle is served yet, so nothing can be estimated: train one, and serve it with --bundle."


async def portrait_for(
    learner_id: str, *, audience: str, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> LearnerOut:
    """What is known of a learner; raises Unknown where nobody told of them and no event names them."""
    known = await _read(valid_id(learner_id, "learner_id"), tenant=tenant, store=store, bundles=bundles)
    if known.context.learner is None and not known.context.interactions:
        raise Unknown(
            "nobody told of this learner and no event names them; check the id, or tell of them with "
            "PUT /v1/learners/{learner_id}"
        )
    await keep_state(known, store)
    portrait = _portrait(known, audience=audience, now=now)
    return learner_out(known, portrait, goal=_goal(known), audience=audience, message=_message(known))


async def set_preferences(
    learner_id: str, given: PreferencesIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> PreferencesOut:
    """Keep what the learner wants and needs; what they did not say now is taken back."""
    event = _said("preferences_set", learner_id, value=preferences_in(given))
    known = await _tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    return PreferencesOut(preferences=known.preferences, seen_token=token_of(known.context.seq))


async def set_goal(
    learner_id: str, given: GoalIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> GoalSetOut:
    """Keep the goal, and say when it is reached if weeks go on as they went."""
    event = _said("goal_set", learner_id, value=goal_in(given))
    known = await _tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    portrait = _portrait(known, audience="teacher", now=now)
    goal = goal_out(_goal(known), portrait.goal if portrait else None)
    return GoalSetOut(goal=goal, seen_token=token_of(known.context.seq), message=_message(known))


async def speak(
    learner_id: str, given: VoiceIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> VoiceOut:
    """Keep what the learner says of skills, and promise a check; raises BadInput where it is said of no skill."""
    kind, resource_id = voice_in(given)
    event = _said(kind, learner_id, resource_id=resource_id, skills=given.skills or None)
    before = await _read(event.learner_id, tenant=tenant, store=store, bundles=bundles)
    if not given.skills and not before.recommender.offer.skills.get(resource_id or ""):
        raise BadInput("no skill is known for this resource; name the skills themselves in skills")
    known = await _tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    portrait = _portrait(known, audience="learner", now=now)
    checks = portrait.checks if portrait else ()
    return VoiceOut(checks=checks, seen_token=token_of(known.context.seq), message=_message(known))


async def _read(learner_id: str, *, tenant: str, store: Store, bundles: CurrentBundle) -> KnownLearner:
    context = await store.events.context(tenant, learner_id)
    return await known_learner(tenant, learner_id, context=context, store=store, bundles=bundles)


async def _tell(
    event: Interaction, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> KnownLearner:
    """Keep the event, and give the learner as they stand after it."""
    await store.events.append(tenant, [event], stamp=now)
    known = await _read(event.learner_id, tenant=tenant, store=store, bundles=bundles)
    await keep_state(known, store)
    return known


def _said(
    kind: str,
    learner_id: str,
    *,
    value: Preferences | Goal | None = None,
    resource_id: str | None = None,
    skills: tuple[str, ...] | None = None,
) -> Interaction:
    return Interaction(
        event_id=uuid.uuid4().hex,
        learner_id=valid_id(learner_id, "learner_id"),
        kind=kind,
        source="http",
        resource_id=resource_id,
        skills=skills,
        value=None if value is None else value_of(value),
    )


def _goal(known: KnownLearner) -> Goal | None:
    return goal_of(last_said(known.context.interactions, "goal_set"))


def _portrait(known: KnownLearner, *, audience: str, now: datetime) -> Portrait | None:
    """The portrait; None where no model can speak of the learner."""
    model, offer, events = known.recommender.learner, known.recommender.offer, known.standing
    if model is None or known.state is None:
        return None
    met = {s for e in events for s in (offer.skills.get(e.resource_id or "", ()) if e.skills is None else e.skills)}
    return portrait_of(
        known.learner_id,
        known.state,
        events,
        model=model,
        titles=known.recommender.titles,
        taught=met,
        audience=audience,
        now=now,
    )


def _message(known: KnownLearner) -> str | None:
    return NO_BUNDLE if known.recommender.learner is None else None
