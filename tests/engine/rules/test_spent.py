"""Minutes of today and of this week are those of the school's own days."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.domain.history import NO_TIME, History, microseconds
from engine.rules.spent import spent

ZURICH, AUCKLAND = ZoneInfo("Europe/Zurich"), ZoneInfo("Pacific/Auckland")
MINUTES = np.array([10.0, 20.0, np.nan, 5.0])


def history(*events):
    rows, at = zip(*events, strict=True)
    return History(np.array(rows, np.int32), np.array([microseconds(t) for t in at], np.int64))


def at(day, hour, minute=0, month=11):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(("zone", "today"), [(ZoneInfo("UTC"), 25.0), (ZURICH, 35.0), (AUCKLAND, 35.0)])
def test_a_day_is_the_schools_own(zone, today):
    # A Wednesday; the second event lies before midnight in UTC and after it in Zurich.
    done = history((1, at(23, 9)), (0, at(24, 23, 30)), (1, at(25, 8)), (3, at(25, 8, 30)), (2, at(25, 8, 40)))
    assert spent(done, MINUTES, now_us=microseconds(at(25, 9)), zone=zone) == (today, 55.0)


def test_a_resource_counts_once_a_day_and_the_week_begins_on_monday():
    done = history((0, at(22, 9)), (0, at(23, 9)), (0, at(23, 10)), (0, at(25, 8)), (0, at(25, 12)))
    assert spent(done, MINUTES, now_us=microseconds(at(25, 9)), zone=ZURICH) == (10.0, 20.0)


def test_the_night_in_which_clocks_change_ends_with_its_own_day():
    # 25 October 2026 has 25 hours in Zurich: it ends at 23:00 UTC.
    done = history((0, at(25, 22, 30, month=10)), (1, at(25, 23, 30, month=10)))
    assert spent(done, MINUTES, now_us=microseconds(at(26, 8, month=10)), zone=ZURICH) == (20.0, 20.0)
    assert spent(done, MINUTES, now_us=microseconds(at(25, 22, 45, month=10)), zone=ZURICH) == (10.0, 10.0)


def test_no_clock_and_no_history_spend_nothing():
    nothing = History.empty()
    assert spent(nothing, MINUTES, now_us=0, zone=ZURICH) == (0.0, 0.0)
    assert spent(History(np.array([0], np.int32), np.array([NO_TIME])), MINUTES, now_us=0, zone=ZURICH) == (0.0, 0.0)
    assert spent(nothing, MINUTES, now_us=NO_TIME, zone=ZURICH) == (0.0, 0.0)
