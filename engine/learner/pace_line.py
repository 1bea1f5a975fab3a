"""The plan to a date: minutes to the goal against the minutes a week the learner really has."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.domain.errors import BadInput

HALF_LIFE_WEEKS = 4.0
# The prior minutes a week weigh as much as this many weeks, whose deviation is their mean: within learners of OULAD
# the median deviation of weekly clicks is 1.1 to 1.35 of their mean, that of weekly active days .7 to .9.
PRIOR_WEEKS = 2.0
PRIOR_SCATTER = 1.0
# Half a second to a week of minutes for one opportunity; beyond this a model has nothing to say.
LOG_MINUTES_RANGE = (math.log(0.5 / 60), math.log(7 * 1440))
# Above 1.48 the median of a log-normal sum matched by its moments may fall when work is added; see `_needed`.
MOST_LOG_SD = 1.4
LEAST_OPPORTUNITIES, MOST_OPPORTUNITIES = 1e-6, 1e6
# Later than this is never.
HORIZON_WEEKS = 36_525 / 7
_Z90 = 1.2815515655446004
_MOST_PAST_WEEKS = 104

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeekMinutes:
    """Minutes in one week of this learner: mean, standard deviation, and how many weeks' worth is known of the mean."""

    mean: float
    sd: float
    n_weeks: float


@dataclass(frozen=True, slots=True)
class PaceLine:
    """When the goal is reached if weeks go on as they went; a trend over the course is not foreseen.

    `minutes_needed` is the mean, `_p50` and `_p90` hold in half and in nine tenths of the cases. Days are day numbers
    on the caller's calendar, the day by whose end the goal is reached; None: not within a hundred years. `on_track` is
    minutes available before the goal day / minutes needed, 1 where nothing is needed; None without a goal day.
    """

    minutes_needed: float
    minutes_needed_p50: float
    minutes_needed_p90: float
    finish_day_p50: int | None
    finish_day_p90: int | None
    on_track: float | None


@dataclass(frozen=True, slots=True)
class _Needed:
    """The log-normal of all minutes needed: its mean in minutes and its standard deviation in log-minutes."""

    mean: float
    log_sd: float

    def quantile(self, z: float) -> float:
        return self.mean * math.exp(z * self.log_sd - self.log_sd**2 / 2)


def week_minutes(
    days: ArrayLike,
    minutes: ArrayLike,
    today: int,
    *,
    prior: float,
    floor: float = 0.0,
    ceiling: float | None = None,
) -> WeekMinutes:
    """The learner's own weeks: an average of past weeks with a half-life of 4, shrunken to `prior` minutes a week.

    `days` `(n,)` int day numbers in any order, `minutes` `(n,)` minutes of learning on them. Weeks are counted back
    from yesterday, without minutes too; the first counts by the days since the learner's first. The teacher's `floor`
    and `ceiling` (minutes a week; the ceiling wins) bound the mean and scale the deviation with it. `BadInput` for a
    prior or bound below 0 or not finite.
    """
    for bound in (prior, floor, 0.0 if ceiling is None else ceiling):
        if not (math.isfinite(bound) and bound >= 0):
            raise BadInput("prior, floor and ceiling must be minutes a week, 0 or more")
    rates, weights = _past_weeks(np.asarray(days, np.int64), np.asarray(minutes, np.float64), today)
    known = PRIOR_WEEKS + float(weights.sum())
    mean = (PRIOR_WEEKS * prior + float(weights @ rates)) / known
    spread = PRIOR_WEEKS * ((prior - mean) ** 2 + (PRIOR_SCATTER * prior) ** 2) + float(weights @ (rates - mean) ** 2)
    scatter = math.sqrt(spread / known) / mean if mean > 0 else PRIOR_SCATTER
    bounded = min(max(mean, floor), math.inf if ceiling is None else ceiling)
    # Kish's effective number: weeks of unequal weight say less about their mean than as many equal ones.
    return WeekMinutes(bounded, scatter * bounded, known**2 / (PRIOR_WEEKS + float(weights @ weights)))


def pace_line(
    opportunities: ArrayLike,
    log_minutes_mean: ArrayLike,
    log_minutes_sd: ArrayLike,
    *,
    week: WeekMinutes,
    today: int,
    goal_day: int | None = None,
) -> PaceLine:
    """The pace line over the remaining skills, from today on.

    All arrays `(n_skills,)`: expected opportunities until mastered, and for the minutes of one the mean and standard
    deviation of their natural logarithm. What a skill takes, opportunities times minutes, is log-normal and independent
    of the other skills. `BadInput` where a value is not finite or the shapes differ.
    """
    needed = _needed(*(np.asarray(a, np.float64) for a in (opportunities, log_minutes_mean, log_minutes_sd)))
    if needed.mean == 0:
        return PaceLine(0.0, 0.0, 0.0, today, today, None if goal_day is None else 1.0)
    on_track = None if goal_day is None else week.mean * max(goal_day - today, 0) / 7 / needed.mean
    return PaceLine(
        needed.mean,
        needed.quantile(0.0),
        needed.quantile(_Z90),
        _finish_day(needed, week, today, z=0.0),
        _finish_day(needed, week, today, z=_Z90),
        on_track,
    )


def _past_weeks(days: NDArray[np.int64], minutes: Floats, today: int) -> tuple[Floats, Floats]:
    """Minutes a week and weight of each past week, the latest first: `(n_weeks,)` both."""
    past = days < today
    age = today - np.maximum(days[past], today - 7 * _MOST_PAST_WEEKS - 1)
    if age.size == 0:
        return np.zeros(0), np.zeros(0)
    n_days = min(int(age.max()), 7 * _MOST_PAST_WEEKS)
    n_weeks = -(-n_days // 7)
    usable = np.where(np.isfinite(minutes[past]), np.clip(minutes[past], 0.0, 1440.0), 0.0)
    totals = np.bincount((age - 1) // 7, usable, n_weeks)[:n_weeks]
    lived = np.ones(n_weeks)
    lived[-1] = (n_days - 7 * (n_weeks - 1)) / 7
    return totals / lived, 0.5 ** (np.arange(n_weeks) / HALF_LIFE_WEEKS) * lived


def _needed(opportunities: Floats, log_mean: Floats, log_sd: Floats) -> _Needed:
    """The sum over skills as one log-normal with the same mean and variance (Fenton 1960, Wilkinson).

    A matched log-normal has its median at mean / sqrt(1 + variance / mean²). With deviations up to sqrt(log 9) = 1.48
    in the logarithm more work always moves this median up, hence `MOST_LOG_SD`.
    """
    if not (opportunities.shape == log_mean.shape == log_sd.shape and opportunities.ndim == 1):
        raise BadInput("opportunities and log-minutes must be three rows of one number per skill")
    if not all(np.isfinite(a).all() for a in (opportunities, log_mean, log_sd)):
        raise BadInput("opportunities and log-minutes must be finite: leave skills out that no model can speak of")
    left = opportunities >= LEAST_OPPORTUNITIES
    times = np.minimum(opportunities[left], MOST_OPPORTUNITIES)
    variance = np.clip(log_sd[left], 0.0, MOST_LOG_SD) ** 2
    means = times * np.exp(np.clip(log_mean[left], *LOG_MINUTES_RANGE) + variance / 2)
    total = float(means.sum())
    if total == 0:
        return _Needed(0.0, 0.0)
    relative = float(((means / total) ** 2) @ np.expm1(variance))
    return _Needed(total, math.sqrt(math.log1p(relative)))


def _finish_day(needed: _Needed, week: WeekMinutes, today: int, *, z: float) -> int | None:
    """The day by whose end minutes had reach minutes needed with the probability of the normal quantile `z` >= 0.

    Minutes had in t weeks are taken as log-normal too: mean t * mean, and a relative variance of scatter² / t from week
    to week plus scatter² / n_weeks because the mean itself is only known that well. The logarithm of had / needed is
    then normal, and its margin grows with t, so halving the interval finds the one t.
    """
    if week.mean <= 0:
        return None
    low, high = math.log(1e-9), math.log(HORIZON_WEEKS)
    # Written so that weeks of boundless scatter, whose margin is not a number, never finish either.
    if not _margin(needed, week, math.exp(high), z) >= 0:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        enough = _margin(needed, week, math.exp(middle), z) >= 0
        low, high = (low, middle) if enough else (middle, high)
    # A whole day is needed from its first minute on; the last digits of the search are not a day.
    return today + max(math.ceil(7 * math.exp(high) - 1e-6) - 1, 0)


def _margin(needed: _Needed, week: WeekMinutes, weeks: float, z: float) -> float:
    """Mean less `z` deviations of log(minutes had / minutes needed) after so many weeks; below 0: not enough yet."""
    scatter = week.sd / week.mean
    had = math.log1p(scatter * scatter * (1 / weeks + 1 / week.n_weeks))
    log_ratio = math.log(weeks) + math.log(week.mean) - math.log(needed.mean) - had / 2 + needed.log_sd**2 / 2
    return log_ratio - z * math.sqrt(had + needed.log_sd**2)
