"""What the service answers, typed; a representation never shows who a learner is."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One term of an option's score, said for the learner and for the teacher; `phrase` names the template of both."""

    code: str
    contribution: float
    text_learner: str
    text_teacher: str
    evidence: dict[str, Any] = field(default_factory=dict)
    phrase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something a teacher should know of: a `loop` is a skill on which the last steps brought no progress."""

    code: str
    skill_id: str
    text_teacher: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sentence says apart from words: its `code`, and all that it names."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHeld:
    """One teacher's rule that touched a decision: whether it held in what is shown, and what it did, in words."""

    rule_id: str
    held: bool
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One resource of the slate; `rank` counts from 1, `expected_minutes` is None where nobody knows."""

    resource_id: str
    title: str
    rank: int
    score: float
    propensity: float
    origin: str = "model"
    status: str = "recommended"
    format: str | None = None
    p_success: float | None = None
    expected_minutes: float | None = None
    reasons: tuple[Reason, ...] = ()
    what_if: tuple[str, ...] = ()
    what_if_facts: tuple[Facts, ...] = ()
    due: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One decision: the slate in order, the mode it was made in and what it stands on."""

    decision_id: str
    mode: str
    slate: tuple[Option, ...]
    learner_id: str = field(repr=False)
    model_version: str | None = None
    rules: tuple[RuleHeld, ...] = ()
    conflict: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    seen_token: str | None = None
    message: str | None = None
    message_facts: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One decision for each learner asked for."""

    decisions: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One event that was not kept: its place among the events sent, from 0, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of the events sent; `seen_token` handed to `recommend` makes sure they were seen."""

    accepted: int
    duplicates: int
    rejected: tuple[Rejected, ...] = ()
    seen_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a whole-set sync changed, or with `dry_run` would change; a rejected resource stays as it was."""

    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """What is known of one skill: the chance of success on a usual item of it lies between `low` and `high`, nine times
    in ten; `known` is the chance that it is known, by which it is mastered. `recall` and `due_at` are None before any
    answer.
    """

    skill_id: str
    title: str
    mastery: float
    low: float
    high: float
    mastered: bool
    text: str
    known: float | None = None
    recall: float | None = None
    due_at: datetime | None = None
    answers: int = 0
    right_of_last: int = 0
    of_last: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format's share of what the learner would take up next; `usual` is None for the learner's own eyes."""

    format: str
    share: float
    usual: float | None = None
    declared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the learner said they want and need."""

    formats: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    minutes_per_day: float | None = None
    forget_observed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """The goal with its pace line; numbers are None where no bundle is served, days are ISO dates."""

    skills: tuple[str, ...]
    by: str | None = None
    floor: float = 0.0
    ceiling: float | None = None
    remaining: tuple[str, ...] = ()
    minutes_needed: float | None = None
    minutes_needed_p90: float | None = None
    minutes_a_week: float | None = None
    finish_p50: str | None = None
    finish_p90: str | None = None
    on_track: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check that was promised, `because` of `know_it` or `contested`."""

    skill_id: str
    title: str
    because: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerPortrait:
    """All that is known of a learner, in the words of the audience."""

    learner_id: str = field(repr=False)
    audience: str
    n_events: int
    classes: tuple[str, ...] = ()
    skills: tuple[Skill, ...] = ()
    formats: tuple[Format, ...] = ()
    preferences: Preferences = Preferences()
    goal: Goal | None = None
    checks: tuple[Check, ...] = ()
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesSet:
    """The preferences that hold now; `event_id` undoes them."""

    preferences: Preferences
    event_id: str | None = None
    seen_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalSet:
    """The goal that holds now, None where there is none; `event_id` undoes it."""

    goal: Goal | None
    event_id: str | None = None
    seen_token: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A word that was heard: `event_id` undoes it, and it fades at `holds_until`, None for a promised check.

    `checks` are promised now; an answer on its skill keeps each of them.
    """

    checks: tuple[Check, ...]
    event_id: str | None = None
    holds_until: datetime | None = None
    seen_token: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """`voids` is the event that was taken back, `event_id` the one that says so."""

    event_id: str
    voids: str
    seen_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStep:
    """One skill on the way: the `next` one, others that are `ready`, `waiting` for `waits_for`, or `within_reach`."""

    skill_id: str
    title: str
    status: str
    mastery: float
    minutes: float
    minutes_so_far: float
    steps: float
    known: float | None = None
    waits_for: tuple[str, ...] = ()
    is_goal: bool = False
    can_be_checked: bool = False
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The plan to a goal; `choices` may come next. Numbers are None where there is no plan, `message` says why."""

    learner_id: str = field(repr=False)
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
