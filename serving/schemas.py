"""The wire: what a school app sends and what it gets, apart from the nouns they become."""

from datetime import date, datetime
from typing import Annotated

import msgspec

from engine.domain.decision import Reason
from engine.learner.preferences import MAX_SAID, Preferences
from engine.portrait import CheckPortrait, SkillPortrait

# Whole numbers as ids become strings, over HTTP as in files.
Id = str | int
Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Names = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=512)], ...], msgspec.Meta(max_length=MAX_SAID)
]
MinutesADay = Annotated[float, msgspec.Meta(gt=0, le=24 * 60)]
MinutesAWeek = Annotated[float, msgspec.Meta(ge=0, le=7 * 24 * 60)]
MAX_EVENTS = 1_000
MAX_K = 50


class EventIn(msgspec.Struct, kw_only=True):
    """One interaction; `event_id` makes a repeated POST harmless, `at` is now where it is left out."""

    learner_id: Id
    event_id: Id | None = None
    resource_id: Id | None = None
    kind: str | None = None
    at: datetime | None = None
    order: Count | None = None
    outcome: float | None = None
    duration_s: float | None = None
    item_id: Id | None = None
    skills: tuple[str, ...] | None = None
    class_id: Id | None = None
    decision_id: Id | None = None
    with_learner_ids: tuple[str, ...] | None = None
    group_id: Id | None = None
    value: str | None = None
    voids: Id | None = None
    source: str = "http"


class EventsIn(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of events, each judged on its own: a bad one never takes the others with it."""

    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MAX_EVENTS)]


class RejectedOut(msgspec.Struct):
    """Which one was refused, counted from 0, and why."""

    index: int
    reason: str


class EventsOut(msgspec.Struct):
    """What became of a batch; `seen_token` handed to a recommendation guarantees that it has seen these events."""

    accepted: int
    duplicates: int
    rejected: list[RejectedOut]
    seen_token: str


class RecommendationIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to choose for whom; `candidates` left out means everything available and not yet seen."""

    learner_id: Id
    k: Annotated[int, msgspec.Meta(ge=1, le=MAX_K)] = 5
    objective: Annotated[str, msgspec.Meta(pattern="^(learning|uptake)$")] = "learning"
    class_id: Id | None = None
    minutes: Positive | None = None
    formats: tuple[str, ...] | None = None
    candidates: tuple[Id, ...] | None = None
    exclude: tuple[Id, ...] = ()
    non_personalised: bool = False
    seen_token: str | None = None
    seed: Count | None = None
    goal: tuple[str, ...] | None = None
    explore: bool | None = None
    what_if: bool | None = None


class OptionOut(msgspec.Struct):
    """One option of the slate; the contributions of its reasons add up to its score."""

    resource_id: str
    title: str
    format: str
    rank: int
    score: float
    origin: str
    status: str
    p_success: float | None
    expected_minutes: float | None
    propensity: float
    reasons: tuple[Reason, ...]
    what_if: tuple[str, ...] = ()


class RecommendationOut(msgspec.Struct):
    """One decision, as it was recorded."""

    decision_id: str
    learner_id: str
    mode: str
    model_version: str
    slate: list[OptionOut]
    rules: tuple[str, ...]
    seen_token: str
    message: str | None


class ResourceIn(msgspec.Struct, kw_only=True):
    """One resource of the catalogue; `minutes` is what it usually takes."""

    resource_id: Id
    title: str | None = None
    format: str = "other"
    skills: tuple[str, ...] = ()
    minutes: Positive | None = None
    position: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    language: str | None = None
    grade_min: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    grade_max: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    tags: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    available_from: datetime | None = None
    available_until: datetime | None = None
    url: str | None = None


class ResourcesIn(msgspec.Struct, forbid_unknown_fields=True):
    """The whole set that is offered from now on; what is absent is withdrawn."""

    resources: list[msgspec.Raw]


class ResourcesOut(msgspec.Struct):
    """What the sync changed, or with `dry_run` would change; a rejected resource stays as it was."""

    added: int
    changed: int
    withdrawn: int
    unchanged: int
    rejected: list[RejectedOut]
    dry_run: bool


class LearnerIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a school tells about a learner; `features` feed models and hold nothing protected."""

    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    sharing: bool | None = None


class ClassIn(msgspec.Struct, forbid_unknown_fields=True):
    """One class; two classes of one course are two cohorts of the same thing."""

    course_id: Id | None = None
    title: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


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
