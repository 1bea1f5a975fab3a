"""The minutes a learner spent today and this week, as caps count them: in the days of the school's time zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History, microseconds


def spent(history: History, minutes: NDArray[np.floating], *, now_us: int, zone: ZoneInfo) -> tuple[float, float]:
    """Minutes today and this week (from Monday), by the usual `minutes` `(n_resources,)` of what was taken up.

    A resource counts once a day, however many events tell of it; what takes nobody knows how long counts nothing, and
    so does a history without a clock.
    """
    if now_us == NO_TIME or not len(history.at_us):
        return 0.0, 0.0
    today = datetime.fromtimestamp(now_us / 1_000_000, UTC).astimezone(zone).date()
    days = [today - timedelta(days=n) for n in range(today.weekday() + 1)]
    starts = [microseconds(datetime.combine(day, time(), zone).astimezone(UTC)) for day in days]
    total, ends = [], now_us + 1
    for begins in starts:
        rows = np.unique(history.resource_index[(history.at_us >= begins) & (history.at_us < ends)])
        total.append(float(np.nan_to_num(minutes[rows]).sum()))
        ends = begins
    return total[0], sum(total)
