"""The days a learner worked on, and for how long: what their own weeks are told from."""

from collections.abc import Iterable
from datetime import UTC, date

from engine.domain.interaction import Interaction
from engine.learner.rows import LONGEST_S, TAUGHT_KINDS

# What a week of school work on one course is taken to be until the learner's own weeks tell.
USUAL_WEEK_MINUTES = 60.0
_EPOCH = date(1970, 1, 1)
_ENDLESS_S = 4 * 3600.0


def days_of(events: Iterable[Interaction]) -> tuple[list[int], list[float]]:
    """Day numbers and minutes of work; hours on one question are a forgotten window."""
    days, minutes = [], []
    for event in events:
        if event.kind in TAUGHT_KINDS and event.duration_s is not None and event.at is not None:
            longest = _ENDLESS_S if event.outcome is None else LONGEST_S
            days.append((event.at.astimezone(UTC).date() - _EPOCH).days)
            minutes.append(min(event.duration_s, longest) / 60.0)
    return days, minutes
