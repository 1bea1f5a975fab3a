"""The wire of the open learner model: what learners say, and what is known of them."""

from datetime import date, datetime
from typing import Annotated

import msgspec

from engine.learner.preferences import MAX_SAID, Preferences
from engine.path import PathStep
from engine.portrait import CheckPortrait, SkillPortrait
from serving.schemas import Id

Names = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=512)], ...], msgspec.Meta(max_length=MAX_SAID)
]
MinutesADay = Annotated[float, msgspec.Meta(gt=0, le=24 * 60)]
MinutesAWeek = Annotated[float, msgspec.Meta(ge=0, le=7 * 24 * 60)]


class PreferencesIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All a learner wants and needs from now on; what is left out is taken back.

    `formats` most wanted first. `access_needs` join those of the school's record, `languages` take the place of its.
    """

    formats: Names = ()
    access_needs: Names = ()
    languages: Names = ()
    minutes_per_day: MinutesADay | None = None
    forget_observed: bool = False


class PreferencesOut(msgspec.Struct):
    """The preferences that hold now, and the event that said them, by which they can be undone."""

    event_id: str
    preferences: Preferences
    seen_token: str


class GoalIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Skills to master by the end of the day `by`; no skills take the goal back.

    `floor` and `ceiling` are the least and the most minutes a week that a teacher sets.
    """

    skills: Names
    by: date | None = None
    floor: MinutesAWeek = 0.0
    ceiling: MinutesAWeek | None = None


class GoalOut(msgspec.Struct):
    """The goal with the pace line of the path to it; numbers are null where no path can be planned.

    `minutes_needed` are the minutes of the path, `minutes_needed_p90` suffice in nine cases of ten. By the end of the
    days `finish_p50` and `finish_p90` it is reached in half and in nine tenths of the cases, null where that is not
    within a hundred years. `on_track`: minutes there will be before `by`, for each minute needed.
    """

    skills: tuple[str, ...]
    by: str | None
    floor: float
    ceiling: float | None
    remaining: tuple[str, ...]
    minutes_needed: float | None = None
    minutes_needed_p90: float | None = None
    minutes_a_week: float | None = None
    finish_p50: str | None = None
    finish_p90: str | None = None
    on_track: float | None = None


class GoalSetOut(msgspec.Struct):
    """The goal that holds now, null where there is none, and the event that said it, by which it can be undone."""

    event_id: str
    goal: GoalOut | None
    seen_token: str
    message: str | None


class VoiceIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a learner says.

    `know_it`, or `contest` what is estimated: of skills, or of all skills of a resource. The other voices are about the
    resource, perhaps as it was offered by a decision. An `event_id` makes a repeated POST harmless.
    """

    voice: Annotated[str, msgspec.Meta(pattern="^(know_it|contest|accept|decline|too_easy|too_hard|not_now)$")]
    resource_id: Id | None = None
    skills: Names = ()
    decision_id: Id | None = None
    event_id: Id | None = None


class VoiceOut(msgspec.Struct):
    """What was heard can be undone by its `event_id`; `holds_until` is null for `know_it` and `contest`.

    `checks` are those that are promised now; an answer on its skill keeps each of them.
    """

    event_id: str
    holds_until: datetime | None
    checks: tuple[CheckPortrait, ...]
    seen_token: str
    message: str | None


class UndoneOut(msgspec.Struct):
    """The event that was taken back, and the event that says so."""

    event_id: str
    voids: str
    seen_token: str


class PathOut(msgspec.Struct, kw_only=True):
    """The plan to a goal: skills in order, none before what it waits for but one that is chosen; `choices` may come
    next instead.

    `minutes` are all that is expected, `minutes_p90` suffice in nine cases of ten, `mastered` are skills of the way
    that need no more. Days are those by whose end the goal is reached; `on_track` is the minutes there will be before
    `by`, for each minute needed. Numbers are null where there is no plan, and `message` says why.
    """

    learner_id: str
    goal: tuple[str, ...]
    by: str | None = None
    steps: tuple[PathStep, ...] = ()
    choices: tuple[str, ...] = ()
    mastered: tuple[str, ...] = ()
    minutes: float | None = None
    minutes_p90: float | None = None
    minutes_a_week: float | None = None
    finish_p50: str | None = None
    finish_p90: str | None = None
    on_track: float | None = None
    message: str | None = None


class FormatOut(msgspec.Struct):
    """A format's share of what this learner would take up next; `usual`, what others take up, is for teachers."""

    format: str
    share: float
    usual: float | None
    declared: bool


class LearnerOut(msgspec.Struct):
    """All that is known of a learner, on what evidence, in the words of who reads it."""

    learner_id: str
    audience: str
    classes: tuple[str, ...]
    n_events: int
    skills: tuple[SkillPortrait, ...]
    formats: tuple[FormatOut, ...]
    preferences: Preferences
    goal: GoalOut | None
    checks: tuple[CheckPortrait, ...]
    message: str | None
