"""Between the wire and what is known of a learner and said by them."""

from engine.domain.errors import BadInput
from engine.learner.preferences import Goal, Preferences
from engine.portrait import FormatPortrait, GoalPortrait, Portrait
from serving.errors import NotOffered
from serving.known_learner import KnownLearner
from serving.schemas_learner import FormatOut, GoalIn, GoalOut, LearnerOut, PreferencesIn, VoiceIn
from serving.wire import valid_id

_VOICES = {"know_it": "know_it", "contest": "contested"}


def preferences_in(given: PreferencesIn) -> Preferences:
    """What the learner wants and needs, each name once."""
    return Preferences(
        formats=_once(given.formats),
        access_needs=_once(given.access_needs),
        languages=_once(given.languages),
        minutes_per_day=given.minutes_per_day,
        forget_observed=given.forget_observed,
    )


def goal_in(given: GoalIn) -> Goal:
    """The goal; raises BadInput where floor and ceiling leave no room."""
    if given.ceiling is not None and given.floor > given.ceiling:
        raise BadInput("floor lies above ceiling; mend one of them")
    return Goal(
        skills=_once(given.skills),
        by=None if given.by is None else given.by.isoformat(),
        floor=given.floor,
        ceiling=given.ceiling,
    )


def voice_in(given: VoiceIn) -> tuple[str, str | None]:
    """The kind of event this is, and the resource it is about; raises NotOffered or BadInput."""
    kind = _VOICES.get(given.voice)
    if kind is None:
        raise NotOffered(f"the voice {given.voice} is not offered yet; tell it as an event with POST /v1/events")
    if given.resource_id is None and not given.skills:
        raise BadInput("nothing says what this is about; name skills or a resource_id")
    return kind, None if given.resource_id is None else valid_id(given.resource_id, "resource_id")


def learner_out(
    known: KnownLearner, portrait: Portrait | None, *, goal: Goal | None, audience: str, message: str | None
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
        goal=goal_out(goal, portrait.goal if portrait else None),
        checks=portrait.checks if portrait else (),
        message=message,
    )


def goal_out(goal: Goal | None, drawn: GoalPortrait | None) -> GoalOut | None:
    """The goal with its pace line, where one could be drawn."""
    if goal is None:
        return None
    if drawn is None:
        return GoalOut(goal.skills, goal.by, goal.floor, goal.ceiling, remaining=goal.skills)
    return GoalOut(
        skills=drawn.skills,
        by=drawn.by,
        floor=goal.floor,
        ceiling=goal.ceiling,
        remaining=drawn.remaining,
        minutes_needed=drawn.minutes_needed,
        minutes_needed_p90=drawn.minutes_needed_p90,
        minutes_a_week=drawn.minutes_a_week,
        finish_p50=drawn.finish_p50,
        finish_p90=drawn.finish_p90,
        on_track=drawn.on_track,
    )


def _format_out(told: FormatPortrait, audience: str) -> FormatOut:
    usual = None if audience == "learner" else told.usual
    return FormatOut(format=told.format, share=told.share, usual=usual, declared=told.declared)


def _once(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
