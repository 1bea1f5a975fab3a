"""When a rule is in force: its dates and timestamps in the time zone of the school."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from engine.domain.errors import BadInput
from engine.domain.history import NO_TIME, microseconds
from engine.domain.rule import Rule

FOREVER = int(np.iinfo(np.int64).max)


def is_time(value: object) -> bool:
    """Whether this is an ISO date or timestamp."""
    return isinstance(value, str) and _read(value) is not None


def zone_named(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        BadInput: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput(f"{name!r} is no time zone: write an IANA name such as Europe/Zurich") from None


def window(rule: Rule, zone: ZoneInfo) -> tuple[int, int]:
    """From when, until when: microseconds since 1970 in UTC; in force is `from <= now < until`.

    A date begins at its midnight and `until` a date lasts to the end of that day, both in `zone`; a timestamp is that
    moment, in `zone` where it names no offset.
    """
    begins = NO_TIME if rule.starts is None else _microseconds(rule.starts, zone, days=0)
    ends = FOREVER if rule.until is None else _microseconds(rule.until, zone, days=1)
    return begins, ends


def due_us(due: str, zone: ZoneInfo) -> int:
    """The moment by which work is due: a date means the end of that day in `zone`."""
    return _microseconds(due, zone, days=1)


def _microseconds(text: str, zone: ZoneInfo, *, days: int) -> int:
    read = _read(text)
    if read is None:
        raise BadInput(f"{text!r} is no ISO date or timestamp: write it like 2026-12-18")
    if not isinstance(read, datetime):
        read = datetime.combine(read + timedelta(days=days), time())
    aware = read if read.tzinfo is not None else read.replace(tzinfo=zone)
    return microseconds(aware.astimezone(UTC))


def _read(text: str) -> date | datetime | None:
    """A date has no time of day; years at the very ends of the calendar would leave it in another zone."""
    try:
        read = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if 1900 <= read.year <= 9000 else None
