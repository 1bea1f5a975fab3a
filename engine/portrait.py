"""The open learner model: what is known of a learner, on what evidence, in the words of who reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.domain.history import NO_TIME, microseconds
from engine.learner.evidence import learner_text, teacher_text
from engine.learner.mastery import SkillMastery, skill_masteries
from engine.learner.model import LearnerModel
from engine.learner.preferences import Preferences, goal_of, preferences_of
from engine.learner.rows import skill_key
from engine.learner.state import Check, LearnerState
from engine.learner.style import Style, format_shares
from engine.learner.tracing import MASTERED

AUDIENCES = ("learner", "teacher")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillPortrait:
    """One skill: chance of success on a usual item with its 90 % interval, recall, when a review is due, and why.

    `known`: the chance that the skill is known; by it, and with an answer, it counts as `mastered`.
    """

    skill_id: str
    title: str
    mastery: float
    known: float
    low: float
    high: float
    mastered: bool
    recall: float | None
    due_at: datetime | None
    answers: int
    right_of_last: int
    of_last: int
    last_at: datetime | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatPortrait:
    """One format: its share of what this learner would take up next, beside the usual share."""

    format: str
    share: float
    usual: float
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPortrait:
    """A check that was promised, and because of which word of the learner's."""

    skill_id: str
    title: str
    because: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """All of it. Skills are those the learner met, aims at or spoke of, by id."""

    learner_id: str
    audience: str
    n_events: int
    skills: tuple[SkillPortrait, ...]
    formats: tuple[FormatPortrait, ...]
    preferences: Preferences
    checks: tuple[CheckPortrait, ...]


def portrait_of(
    learner_id: str,
    state: LearnerState,
    *,
    model: LearnerModel,
    titles: Mapping[str, str],
    taught: Iterable[str],
    audience: str,
    now: datetime,
) -> Portrait:
    """The portrait of a learner; `taught` are the skills they may have met."""
    goal, preferences, now_us = goal_of(state.goal), preferences_of(state.preferences), microseconds(now)
    named = {*(goal.skills if goal else ()), *(c.skill_id for c in state.checks)}
    met = {s for s in taught if state.block(skill_key(s)) is not None}
    masteries = {m.skill_id: m for m in skill_masteries(state, sorted(met | named), model, now_us)}
    return Portrait(
        learner_id=learner_id,
        audience=audience,
        n_events=state.n_events,
        skills=tuple(_skill(m, titles.get(s, s), audience, now_us) for s, m in masteries.items()),
        formats=_formats(state.style, preferences, model, now_us),
        preferences=preferences,
        checks=tuple(_check(c, titles) for c in state.checks),
    )


def _skill(mastery: SkillMastery, title: str, audience: str, now_us: int) -> SkillPortrait:
    told = mastery.evidence
    words = learner_text if audience == "learner" else teacher_text
    last = told.last[:5]
    return SkillPortrait(
        skill_id=mastery.skill_id,
        title=title,
        mastery=mastery.p,
        known=mastery.known,
        low=mastery.low,
        high=mastery.high,
        mastered=mastery.known >= MASTERED and told.n > 0,
        recall=mastery.recall,
        due_at=_moment(mastery.due_us),
        answers=told.n,
        right_of_last=sum(last),
        of_last=len(last),
        last_at=_moment(told.last_us),
        text=words(told, title, now_us),
    )


def _formats(style: Style, preferences: Preferences, model: LearnerModel, now_us: int) -> tuple[FormatPortrait, ...]:
    usual = format_shares(Style(), model.format_mix, now_us)
    shares = format_shares(style, model.format_mix, now_us, preferences.formats)
    return tuple(
        FormatPortrait(format=name, share=share, usual=usual.get(name, 0.0), declared=name in preferences.formats)
        for name, share in shares.items()
    )


def _check(check: Check, titles: Mapping[str, str]) -> CheckPortrait:
    return CheckPortrait(
        skill_id=check.skill_id,
        title=titles.get(check.skill_id, check.skill_id),
        because=check.because,
        since=_moment(check.since_us),
    )


def _moment(at_us: int | None) -> datetime | None:
    if at_us is None or at_us == NO_TIME:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
