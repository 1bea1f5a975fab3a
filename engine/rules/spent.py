"""The minutes a learner spent today and this week, as caps count them: in the days of the school's time zone."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.history import NO_TIME
from engine.domain.interaction import ENGAGED_KINDS, Interaction


def spent(
    events: Iterable[Interaction], usual: Callable[[str], float | None], *, now_us: int, zone: ZoneInfo
) -> tuple[float, float]:
    """Minutes today and this week (from Monday) by a learner's events, in any order; voided ones count nothing.

    Of a resource on one day the durations told are added up; where none is told it counts once with its `usual`
    minutes by id. What takes nobody knows how long counts nothing, and so does an event without a time.
    """
    if now_us == NO_TIME:
        return 0.0, 0.0
    now = datetime.fromtimestamp(now_us / 1_000_000, UTC)
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    known = list(events)
    voided = {e.voids for e in known if e.kind == "voided"}
    # Days differ by less than two between any zones, so most of a long history is never looked at closely.
    earliest = now - timedelta(days=today.weekday() + 2)
    told: dict[tuple[date, str], list[float]] = {}
    for event in known:
        if event.at is None or not earliest <= event.at <= now or not _counts(event, voided):
            continue
        day = event.at.astimezone(zone).date()
        if day >= monday:
            seconds = told.setdefault((day, event.resource_id or ""), [])
            seconds += [] if event.duration_s is None else [event.duration_s]
    minutes = {key: sum(s) / 60 if s else usual(key[1]) or 0.0 for key, s in told.items()}
    return sum(m for (day, _), m in minutes.items() if day == today), sum(minutes.values())


def _counts(event: Interaction, voided: set[str | None]) -> bool:
    return event.kind in ENGAGED_KINDS and event.resource_id is not None and event.event_id not in voided
