"""The wire of the open learner model: what learners say, and what is known of them."""

from datetime import date
from typing import Annotated

import msgspec

from engine.learner.preferences import MAX_SAID, Preferences
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
    """The preferences that hold now."""

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
    """The goal with its pace line; numbers are null where no bundle is served.

    `minutes_needed` holds in half, `minutes_needed_p90` in nine tenths of the cases, and so do the days `finish_p50`
    and `finish_p90`, null where that is not within a hundred years. `on_track`: minutes there will be before `by`, for
    each minute needed.
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
    """The goal that holds now, null where there is none."""

    goal: GoalOut | None
    seen_token: str
    message: str | None


class VoiceIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a learner says of skills, or of all skills of a resource: `know_it`, or `contest` what is estimated."""

    voice: Annotated[str, msgspec.Meta(pattern="^(know_it|contest|accept|decline|too_easy|too_hard|not_now)$")]
    resource_id: Id | None = None
    skills: Names = ()


class VoiceOut(msgspec.Struct):
    """The checks that are promised now; an answer on its skill keeps each of them."""

    checks: tuple[CheckPortrait, ...]
    seen_token: str
    message: str | None


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
