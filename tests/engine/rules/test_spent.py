"""Minutes of today and of this week are those of the school's own days."""

from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction
from engine.rules.spent import spent

ZURICH, AUCKLAND = ZoneInfo("Europe/Zurich"), ZoneInfo("Pacific/Auckland")
MINUTES = {"r0": 10.0, "r1": 20.0, "r3": 5.0}
IDS = count()


def did(resource_id, time, *, seconds=None, kind="completed", voids=None):
    return Interaction(
        event_id=f"e{next(IDS)}", learner_id="l", kind=kind, source="t", resource_id=resource_id, at=time,
        duration_s=seconds, voids=voids,
    )  # fmt: skip


def at(day, hour, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def told(events, now, zone=ZURICH):
    return spent(events, MINUTES.get, now_us=microseconds(now), zone=zone)


@pytest.mark.parametrize(("zone", "today"), [(ZoneInfo("UTC"), 25.0), (ZURICH, 35.0), (AUCKLAND, 35.0)])
def test_a_day_is_the_schools_own(zone, today):
    # A Wednesday; the second event lies before midnight in UTC and after it in Zurich.
    times = [at(23, 9), at(24, 23, 30), at(25, 8), at(25, 8, 30), at(25, 8, 40)]
    done = [did(x, time) for x, time in zip(["r1", "r0", "r1", "r3", "r2"], times, strict=True)]
    assert told(done, at(25, 9), zone) == (today, 55.0)


def test_a_resource_counts_once_a_day_and_the_week_begins_on_monday():
    done = [did("r0", time) for time in (at(22, 9), at(23, 9), at(23, 10), at(25, 8), at(25, 12))]
    assert told(done, at(25, 9)) == (10.0, 20.0)


def test_durations_that_were_told_count_and_not_what_is_usual():
    done = [
        did("r0", at(25, 7), seconds=120),
        did("r0", at(25, 8), seconds=60),
        did("r0", at(25, 8, 1)),
        did("r1", at(25, 8)),
    ]
    assert told(done, at(25, 9)) == (23.0, 23.0)
    assert told([did("unknown", at(25, 8), seconds=90)], at(25, 9)) == (1.5, 1.5)


def test_only_what_was_taken_up_and_stands_counts():
    wrong = did("r1", at(25, 8))
    others = [did("r0", at(25, 8), kind=kind) for kind in ("shown", "accepted", "assigned", "overridden")]
    assert told([wrong, did(None, at(25, 8), kind="voided", voids=wrong.event_id), *others], at(25, 9)) == (0.0, 0.0)


def test_the_night_in_which_clocks_change_ends_with_its_own_day():
    # 25 October 2026 has 25 hours in Zurich: it ends at 23:00 UTC.
    done = [did("r0", at(25, 22, 30, month=10)), did("r1", at(25, 23, 30, month=10))]
    assert told(done, at(26, 8, month=10)) == (20.0, 20.0)
    assert told(done, at(25, 22, 45, month=10)) == (10.0, 10.0)


def test_no_clock_and_no_history_spend_nothing():
    assert spent([], MINUTES.get, now_us=0, zone=ZURICH) == (0.0, 0.0)
    assert told([did("r0", None)], at(25, 9)) == (0.0, 0.0)
    assert spent([did("r0", at(25, 8))], MINUTES.get, now_us=NO_TIME, zone=ZURICH) == (0.0, 0.0)
