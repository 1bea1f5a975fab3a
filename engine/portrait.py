"""The open learner model: what is known of a learner, on what evidence, in the words of who reads it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction
from engine.learner.evidence import learner_text, teacher_text
from engine.learner.mastery import SkillMastery, skill_masteries
from engine.learner.model import LearnerModel
from engine.learner.pace_line import PaceLine, pace_line, week_minutes
from engine.learner.preferences import Goal, Preferences, goal_of, preferences_of
from engine.learner.rows import LONGEST_S, TAUGHT_KINDS, skill_key
from engine.learner.state import Check, LearnerState
from engine.learner.style import Style, format_shares

AUDIENCES = ("learner", "teacher")
MASTERED = 0.85
# Learners gain about a tenth of log-odds each time they work on a skill (Koedinger et al. 2023).
LOG_ODDS_PER_OPPORTUNITY = 0.1
# What a week of school work on one course is taken to be until the learner's own weeks tell.
USUAL_WEEK_MINUTES = 60.0
_EPOCH = date(1970, 1, 1)
_ENDLESS_S = 4 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillPortrait:
    """One skill: chance of success on a usual item with its 90 % interval, recall, when a review is due, and why."""

    skill_id: str
    title: str
    mastery: float
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
class GoalPortrait:
    """The goal with its pace line: minutes still needed, and the days by whose end it is reached."""

    skills: tuple[str, ...]
    by: str | None
    remaining: tuple[str, ...]
    minutes_needed: float
    minutes_needed_p90: float
    minutes_a_week: float
    finish_p50: str | None
    finish_p90: str | None
    on_track: float | None


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
    goal: GoalPortrait | None
    checks: tuple[CheckPortrait, ...]


def portrait_of(
    learner_id: str,
    state: LearnerState,
    events: Iterable[Interaction],
    *,
    model: LearnerModel,
    titles: Mapping[str, str],
    taught: Iterable[str],
    audience: str,
    now: datetime,
) -> Portrait:
    """The portrait of a learner; `taught` are the skills of the catalogue, `events` tell of past weeks."""
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
        goal=_goal(goal, masteries, events, now) if goal else None,
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
        low=mastery.low,
        high=mastery.high,
        mastered=mastery.p >= MASTERED and told.n > 0,
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


def _goal(
    goal: Goal, masteries: Mapping[str, SkillMastery], events: Iterable[Interaction], now: datetime
) -> GoalPortrait:
    remaining = [s for s in goal.skills if masteries[s].p < MASTERED]
    opportunities = [(_logit(MASTERED) - _logit(masteries[s].p)) / LOG_ODDS_PER_OPPORTUNITY for s in remaining]
    days, minutes = days_of(events)
    today = (now.astimezone(UTC).date() - _EPOCH).days
    week = week_minutes(days, minutes, today, prior=USUAL_WEEK_MINUTES, floor=goal.floor, ceiling=goal.ceiling)
    line = pace_line(
        np.array(opportunities),
        np.array([masteries[s].log_seconds_mean - math.log(60.0) for s in remaining]),
        np.array([masteries[s].log_seconds_sd for s in remaining]),
        week=week,
        today=today,
        goal_day=(date.fromisoformat(goal.by) - _EPOCH).days if goal.by else None,
    )
    return _drawn(goal, tuple(remaining), line, week.mean)


def _drawn(goal: Goal, remaining: tuple[str, ...], line: PaceLine, minutes_a_week: float) -> GoalPortrait:
    return GoalPortrait(
        skills=goal.skills,
        by=goal.by,
        remaining=remaining,
        minutes_needed=line.minutes_needed_p50,
        minutes_needed_p90=line.minutes_needed_p90,
        minutes_a_week=minutes_a_week,
        finish_p50=_day(line.finish_day_p50),
        finish_p90=_day(line.finish_day_p90),
        on_track=line.on_track,
    )


def days_of(events: Iterable[Interaction]) -> tuple[list[int], list[float]]:
    """Day numbers and minutes of work; hours on one question are a forgotten window."""
    days, minutes = [], []
    for event in events:
        if event.kind in TAUGHT_KINDS and event.duration_s is not None and event.at is not None:
            longest = _ENDLESS_S if event.outcome is None else LONGEST_S
            days.append((event.at.astimezone(UTC).date() - _EPOCH).days)
            minutes.append(min(event.duration_s, longest) / 60.0)
    return days, minutes


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


def _day(number: int | None) -> str | None:
    return None if number is None else (_EPOCH + timedelta(days=number)).isoformat()


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))
