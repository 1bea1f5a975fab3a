"""What a learner said they want and need; it overrides what was observed, and can be taken back."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

import msgspec

from engine.domain.errors import BadInput
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction

MAX_SAID = 50
_EPOCH, _HALF_DAY_US = date(1970, 1, 1), 12 * 3_600_000_000
Said = TypeVar("Said")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Formats most wanted first; needs of access, which are hard conditions; languages; minutes for one day.

    `forget_observed` asks to forget which formats were observed so far.
    """

    formats: tuple[str, ...] = ()
    access_needs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    minutes_per_day: float | None = None
    forget_observed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Skills to master, by a date (ISO, the day itself counts) or without one, and the minutes a week a teacher sets
    as the least and the most.
    """

    skills: tuple[str, ...] = ()
    by: str | None = None
    floor: float = 0.0
    ceiling: float | None = None


def preferences_of(value: str | None) -> Preferences:
    """The preferences of an event's `value`; none where it says nothing that can be read."""
    return _read(value, Preferences) or Preferences()


def goal_of(value: str | None) -> Goal | None:
    """The goal of an event's `value`; None where there is none."""
    goal = _read(value, Goal)
    return goal if goal is not None and goal.skills and _makes_sense(goal) else None


def last_said(events: Iterable[Interaction], kind: str) -> str | None:
    """The `value` of one learner's last event of this kind: what the fold keeps of it, also where no model is."""
    known = list(events)
    voided = {e.voids for e in known if e.kind == "voided"}
    said = [e for e in known if e.kind == kind and e.event_id not in voided and legible(kind, e.value)]
    return max(said, key=lambda e: (microseconds(e.at), e.order or 0, e.event_id)).value if said else None


def legible(kind: str, value: str | None) -> bool:
    """Whether the `value` of an event of this kind, `goal_set` or `preferences_set`, can be understood; none takes back
    what was said.
    """
    return value is None or _read(value, Goal if kind == "goal_set" else Preferences) is not None


def is_past(goal: Goal, at: datetime) -> bool:
    """Whether the goal's day is over at this moment everywhere: the last place on earth is half a day late."""
    today = (microseconds(at) - _HALF_DAY_US) // (2 * _HALF_DAY_US)
    return goal.by is not None and (date.fromisoformat(goal.by) - _EPOCH).days < today


def value_of(said: Preferences | Goal) -> str:
    """The `value` of an event that says this.

    Raises:
        BadInput: too much is said at once.
    """
    lists = (said.formats, said.access_needs, said.languages) if isinstance(said, Preferences) else (said.skills,)
    if any(len(names) > MAX_SAID for names in lists):
        raise BadInput(f"at most {MAX_SAID} names can be given at once; leave some out")
    return msgspec.json.encode(said).decode()


def _makes_sense(goal: Goal) -> bool:
    """Whoever sends events writes their `value`: a day that is none must not reach a calendar."""
    try:
        _ = goal.by is None or date.fromisoformat(goal.by)
    except ValueError:
        return False
    bounds = (goal.floor, goal.floor if goal.ceiling is None else goal.ceiling)
    return all(math.isfinite(b) and b >= 0 for b in bounds)


def _read(value: str | None, kind: type[Said]) -> Said | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeError):
        return None
