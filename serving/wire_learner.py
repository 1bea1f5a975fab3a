"""Between the wire and what is known of a learner and said by them."""

import uuid
from datetime import datetime

from engine.domain.errors import BadInput
from engine.domain.interaction import Interaction
from engine.learner.preferences import Goal, Preferences, is_past
from engine.path import Path, ready_skills
from engine.portrait import FormatPortrait, Portrait
from serving.known_learner import KnownLearner
from serving.schemas_learner import FormatOut, GoalIn, GoalOut, LearnerOut, PathOut, PreferencesIn, VoiceIn
from serving.wire import valid_id

# What a learner says, as the kind of event that is kept of it.
OF_SKILLS = {"know_it": "know_it", "contest": "contested"}
OF_RESOURCES = {
    "accept": "accepted",
    "decline": "declined",
    "too_easy": "too_easy",
    "too_hard": "too_hard",
    "not_now": "not_now",
}
VOICES = OF_SKILLS | OF_RESOURCES


def preferences_in(given: PreferencesIn) -> Preferences:
    """What the learner wants and needs, each name once."""
    return Preferences(
        formats=_once(given.formats),
        access_needs=_once(given.access_needs),
        languages=_once(given.languages),
        minutes_per_day=given.minutes_per_day,
        forget_observed=given.forget_observed,
    )


def goal_in(given: GoalIn, *, now: datetime) -> Goal:
    """The goal; raises BadInput where floor and ceiling leave no room, or its day is over."""
    if given.ceiling is not None and given.floor > given.ceiling:
        raise BadInput("floor lies above ceiling; mend one of them")
    goal = Goal(
        skills=_once(given.skills),
        by=None if given.by is None else given.by.isoformat(),
        floor=given.floor,
        ceiling=given.ceiling,
    )
    if is_past(goal, now):
        raise BadInput("by lies in the past; name a day that is still ahead, or leave by out")
    return goal


def voice_in(learner_id: str, given: VoiceIn) -> Interaction:
    """The event this is; raises BadInput where nothing says what it is about."""
    if given.voice not in OF_SKILLS and given.resource_id is None:
        raise BadInput(f"{given.voice} is said of a resource; name it in resource_id")
    if given.voice not in OF_SKILLS and given.skills:
        raise BadInput(f"{given.voice} is said of a resource, not of skills; leave skills out")
    if given.resource_id is None and not given.skills:
        raise BadInput("nothing says what this is about; name skills or a resource_id")
    return Interaction(
        event_id=uuid.uuid4().hex if given.event_id is None else valid_id(given.event_id, "event_id"),
        learner_id=valid_id(learner_id, "learner_id"),
        kind=VOICES[given.voice],
        source="http",
        resource_id=None if given.resource_id is None else valid_id(given.resource_id, "resource_id"),
        skills=_once(given.skills) or None,
        decision_id=None if given.decision_id is None else valid_id(given.decision_id, "decision_id"),
    )


def path_out(learner_id: str, path: Path, *, message: str | None) -> PathOut:
    """The plan, and what may be chosen in place of its next step."""
    return PathOut(
        learner_id=learner_id,
        goal=path.goal,
        by=path.by,
        steps=path.steps,
        choices=ready_skills(path),
        mastered=path.mastered,
        minutes=path.minutes,
        minutes_p90=path.minutes_p90,
        minutes_a_week=path.minutes_a_week,
        finish_p50=path.finish_p50,
        finish_p90=path.finish_p90,
        on_track=path.on_track,
        message=message,
    )


def learner_out(
    known: KnownLearner, portrait: Portrait | None, *, goal: GoalOut | None, audience: str, message: str | None
) -> LearnerOut:
    """The portrait for this audience; a learner is not told what others do."""
    learner = known.context.learner
    return LearnerOut(
        learner_id=known.learner_id,
        audience=audience,
        classes=learner.classes if learner else (),
        n_events=portrait.n_events if portrait else len(known.standing),
        skills=portrait.skills if portrait else (),
        formats=tuple(_format_out(f, audience) for f in portrait.formats) if portrait else (),
        preferences=known.preferences,
        goal=goal,
        checks=portrait.checks if portrait else (),
        message=message,
    )


def goal_out(goal: Goal | None, path: Path | None) -> GoalOut | None:
    """The goal with the minutes and days of the path to it, where one could be planned."""
    if goal is None:
        return None
    if path is None:
        return GoalOut(goal.skills, goal.by, goal.floor, goal.ceiling, remaining=goal.skills)
    return GoalOut(
        skills=goal.skills,
        by=goal.by,
        floor=goal.floor,
        ceiling=goal.ceiling,
        remaining=path.remaining,
        minutes_needed=path.minutes,
        minutes_needed_p90=path.minutes_p90,
        minutes_a_week=path.minutes_a_week,
        finish_p50=path.finish_p50,
        finish_p90=path.finish_p90,
        on_track=path.on_track,
    )


def _format_out(told: FormatPortrait, audience: str) -> FormatOut:
    usual = None if audience == "learner" else told.usual
    return FormatOut(format=told.format, share=told.share, usual=usual, declared=told.declared)


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
