"""What a learner said they want and need; it overrides what was observed, and can be taken back."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from engine.domain.errors import BadInput

MAX_SAID = 50
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
    return goal if goal is not None and goal.skills else None


def value_of(said: Preferences | Goal) -> str:
    """The `value` of an event that says this.

    Raises:
        BadInput: too much is said at once.
    """
    lists = (said.formats, said.access_needs, said.languages) if isinstance(said, Preferences) else (said.skills,)
    if any(len(names) > MAX_SAID for names in lists):
        raise BadInput(f"at most {MAX_SAID} names can be given at once; leave some out")
    return msgspec.json.encode(said).decode()


def _read(value: str | None, kind: type[Said]) -> Said | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeError):
        return None
