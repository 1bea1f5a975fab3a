"""What learners say, and what they take back."""

import uuid
from datetime import datetime, timedelta

from engine.domain.errors import BadInput, Unknown
from engine.domain.interaction import Interaction
from engine.learner.voices import HOLDS_US
from engine.portrait import Portrait
from serving.current_bundle import CurrentBundle
from serving.known_learner import KnownLearner, read_learner, tell
from serving.known_names import require_resource, require_skills
from serving.learner_workflows import drawn, no_bundle
from serving.schemas_learner import UndoneOut, VoiceIn, VoiceOut
from serving.storage.port import Store
from serving.wire import token_of, valid_id
from serving.wire_learner import OF_SKILLS, VOICES, voice_in

WAITS = "Nothing on offer for {skills} is ever answered, so the check waits: offer a quiz with PUT /v1/resources."
_UNDOABLE = frozenset({*VOICES.values(), "goal_set", "preferences_set"})


async def speak(
    learner_id: str, given: VoiceIn, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> VoiceOut:
    """Keep what the learner says: it counts from the next answer on.

    Raises:
        BadInput: what it is about is missing, or no skill is known of what it is about.
        UnknownName: it is about a skill or a resource that nobody told of.
        Conflict: the event's id was used for another event.
    """
    event = voice_in(learner_id, given)
    before = await read_learner(tenant, event.learner_id, store=store, bundles=bundles)
    require_skills(given.skills, before.recommender, field="skills")
    about_skills = given.voice in OF_SKILLS
    if not about_skills:
        require_resource(event.resource_id or "", before.recommender)
    elif not given.skills and not before.recommender.offer.skills.get(event.resource_id or ""):
        raise BadInput("no skill is known for this resource; name the skills themselves in skills")
    known = await tell(event, tenant=tenant, store=store, bundles=bundles, now=now)
    portrait = drawn(known, audience="learner", now=now)
    # A repeated event keeps its first moment.
    said_at = next((e.at for e in known.context.interactions if e.event_id == event.event_id), None) or now
    return VoiceOut(
        event_id=event.event_id,
        holds_until=None if about_skills else said_at + timedelta(microseconds=HOLDS_US[event.kind]),
        checks=portrait.checks if portrait else (),
        seen_token=token_of(known.context.seq),
        message=no_bundle(known) or _unanswerable(known, portrait) if about_skills else None,
    )


def _unanswerable(known: KnownLearner, portrait: Portrait | None) -> str | None:
    """What to tell where a check is promised that nothing on offer can be; None where all can."""
    teaching = known.recommender.teaching
    if teaching is None or portrait is None:
        return None
    menu = teaching.menu
    waiting = [
        check.title
        for check in portrait.checks
        if check.skill_id not in menu.number or not len(menu.answering(menu.number[check.skill_id]))
    ]
    return WAITS.format(skills=" and ".join(waiting)) if waiting else None


async def take_back(
    learner_id: str, event_id: str, *, tenant: str, store: Store, bundles: CurrentBundle, now: datetime
) -> UndoneOut:
    """Void what the learner said: all is as if it had not been; raises Unknown where no such word of theirs stands."""
    known = await read_learner(tenant, valid_id(learner_id, "learner_id"), store=store, bundles=bundles)
    if all(e.event_id != event_id or e.kind not in _UNDOABLE for e in known.standing):
        raise Unknown("this learner said nothing of this event_id that still stands; check both ids")
    undoing = Interaction(
        event_id=uuid.uuid4().hex, learner_id=known.learner_id, kind="voided", source="http", voids=event_id
    )
    after = await tell(undoing, tenant=tenant, store=store, bundles=bundles, now=now)
    return UndoneOut(event_id=undoing.event_id, voids=event_id, seen_token=token_of(after.context.seq))
