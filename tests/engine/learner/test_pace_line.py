import math
import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.learner.pace_line as module
from engine.domain.errors import BadInput
from engine.learner.pace_line import HORIZON_WEEKS, PaceLine, WeekMinutes, pace_line, week_minutes

TODAY = 20_000
STEADY = WeekMinutes(70.0, 0.0, 8.0)
skills = st.lists(st.tuples(st.floats(0, 60), st.floats(-8, 10), st.floats(0, 4)), min_size=1, max_size=8)
weeks = st.builds(WeekMinutes, st.floats(0.01, 2000), st.floats(0, 3000), st.floats(1, 20))
diaries = st.lists(st.tuples(st.integers(TODAY - 900, TODAY + 10), st.floats(0, 2000)), max_size=20)
law = settings(deadline=None, max_examples=60)


def line(skills, week=STEADY, goal_day=None):
    opportunities, means, sds = np.array(skills, dtype=float).reshape(-1, 3).T
    return pace_line(opportunities, means, sds, week=week, today=TODAY, goal_day=goal_day)


def week_of(diary, **bounds):
    return week_minutes([d for d, _ in diary], [m for _, m in diary], TODAY, **({"prior": 60.0} | bounds))


def later(day):
    return math.inf if day is None else day


def assert_not_earlier(more, less):
    assert later(more.finish_day_p50) >= later(less.finish_day_p50)
    assert later(more.finish_day_p90) >= later(less.finish_day_p90)


def with_cv(rng, mean, cv, size):
    variance = np.log1p(cv * cv)
    return rng.lognormal(np.log(mean) - variance / 2, np.sqrt(variance), size)


def finish_days(needed, weekly):
    """The day by whose end each row of weeks `(n, n_weeks)` has reached the minutes needed, minutes spread evenly."""
    before = np.hstack([np.zeros((len(needed), 1)), weekly.cumsum(1)])
    week = (before[:, 1:] < needed[:, None]).sum(1)
    assert week.max() < weekly.shape[1]
    row = np.arange(len(needed))
    return np.ceil(7 * (week + (needed - before[row, week]) / weekly[row, week])) - 1


@law
@given(skills, weeks, st.tuples(st.floats(0, 60), st.floats(-8, 10), st.floats(0, 4)))
def test_another_skill_never_finishes_earlier(skills, week, another):
    more, less = line([*skills, another], week), line(skills, week)
    assert_not_earlier(more, less)
    assert more.minutes_needed_p50 >= less.minutes_needed_p50 * (1 - 1e-12)
    assert more.minutes_needed_p90 >= less.minutes_needed_p90 * (1 - 1e-12)


@law
@given(skills, weeks, st.integers(0, 7), st.floats(1, 30))
def test_more_opportunities_never_finish_earlier(skills, week, which, times):
    which %= len(skills)
    opportunities, mean, sd = skills[which]
    assert_not_earlier(
        line([*skills[:which], (opportunities * times, mean, sd), *skills[which + 1 :]], week), line(skills, week)
    )


@law
@given(skills, diaries, st.floats(0, 500), st.floats(0, 500), st.floats(0, 500))
def test_raising_the_ceiling_or_the_floor_never_finishes_later(skills, diary, low, high, other):
    low, high = sorted((low, high))
    assert_not_earlier(line(skills, week_of(diary, ceiling=low)), line(skills, week_of(diary, ceiling=high)))
    assert_not_earlier(line(skills, week_of(diary, ceiling=high)), line(skills, week_of(diary)))
    bounded = [line(skills, week_of(diary, floor=f, ceiling=other)) for f in (low, high)]
    assert_not_earlier(*bounded)


@law
@given(skills, weeks, st.integers(TODAY - 50, TODAY + 500))
def test_the_line_is_finite_and_its_ninety_is_not_before_its_fifty(skills, week, goal_day):
    answer = line(skills, week, goal_day)
    assert TODAY <= later(answer.finish_day_p50) <= later(answer.finish_day_p90)
    assert 0 <= answer.minutes_needed_p50 <= answer.minutes_needed_p90
    assert all(v is None or math.isfinite(v) for v in (getattr(answer, f.name) for f in fields(answer)))
    assert all(v is None or v <= TODAY + 7 * HORIZON_WEEKS for v in (answer.finish_day_p50, answer.finish_day_p90))
    assert answer.on_track is not None and answer.on_track >= 0


@law
@given(diaries, st.floats(0, 500))
def test_weeks_are_finite_and_between_the_prior_and_the_own(diary, prior):
    week = week_of(diary, prior=prior)
    assert 0 <= week.mean <= max(prior, 7 * sum(m for _, m in diary)) + 1e-9
    assert math.isfinite(week.sd) and week.sd >= 0
    assert 2 <= week.n_weeks < 13


def test_minutes_that_are_certain_are_simply_divided():
    ten = [(10.0, math.log(4.0), 0.0)]
    assert line(ten, goal_day=TODAY + 8) == PaceLine(
        *map(pytest.approx, (40.0, 40.0, 40.0)), TODAY + 3, TODAY + 3, pytest.approx(2.0)
    )
    assert line([(70.0, 0.0, 0.0)]).finish_day_p90 == TODAY + 6
    assert line([(70.1, 0.0, 0.0)]).finish_day_p90 == TODAY + 7


def test_on_track_is_one_when_the_goal_is_reached_the_day_before():
    exact = line([(100.0, 0.0, 0.0)], goal_day=TODAY + 10)
    assert exact.on_track == pytest.approx(1.0)
    assert exact.finish_day_p50 == TODAY + 9


def test_nothing_remaining_is_done_today():
    nothing = PaceLine(0.0, 0.0, 0.0, TODAY, TODAY, None)
    assert line([]) == line([(0.0, 1.0, 1.0)]) == nothing
    assert line([], WeekMinutes(0.0, 0.0, 2.0)) == nothing
    assert line([], goal_day=TODAY - 3).on_track == 1.0


def test_a_goal_day_that_has_passed_leaves_no_minutes():
    assert line([(10.0, 1.0, 0.5)], goal_day=TODAY - 3).on_track == 0.0
    assert line([(10.0, 1.0, 0.5)]).on_track is None


def test_no_minutes_a_week_never_finish_and_a_floor_helps():
    idle = [(TODAY - 30, 0.0)]
    never = line([(10.0, 1.0, 0.5)], week_of(idle, prior=0.0), TODAY + 20)
    assert (never.finish_day_p50, never.finish_day_p90, never.on_track) == (None, None, 0.0)
    assert never.minutes_needed > 0
    helped = line([(10.0, 1.0, 0.5)], week_of(idle, prior=0.0, floor=30.0))
    assert helped.finish_day_p50 is not None and helped.finish_day_p90 is not None
    assert line([(10.0, 1.0, 0.5)], week_of([], ceiling=0.0)).finish_day_p50 is None


def test_weeks_of_next_to_nothing_or_of_boundless_scatter_never_finish():
    for week in (WeekMinutes(5e-324, 5e-324, 2.0), WeekMinutes(1e-300, 1e300, 2.0)):
        answer = line([(10.0, 1.0, 0.5)], week, TODAY + 20)
        assert (answer.finish_day_p50, answer.finish_day_p90, answer.on_track) == (None, None, pytest.approx(0.0))


def test_ten_thousand_skills_take_ten_thousand_times_as_long():
    many = pace_line(np.full(10_000, 5.0), np.zeros(10_000), np.full(10_000, 0.6), week=STEADY, today=TODAY)
    assert many.minutes_needed == pytest.approx(10_000 * line([(5.0, 0.0, 0.6)]).minutes_needed)
    # Independent skills even out.
    assert many.minutes_needed_p90 / many.minutes_needed_p50 < 1.02


def test_what_is_not_finite_or_not_one_number_per_skill_is_refused():
    for bad in ([math.nan], [math.inf], [1.0, 2.0], [[1.0]]):
        with pytest.raises(BadInput):
            pace_line(bad, [0.0], [0.0], week=STEADY, today=TODAY)
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(BadInput):
            week_minutes([], [], TODAY, prior=bad)


def test_a_learner_without_past_has_the_prior():
    assert week_of([]) == WeekMinutes(60.0, 60.0, 2.0)
    assert week_of([(TODAY, 500.0), (TODAY + 4, 500.0)]) == WeekMinutes(60.0, 60.0, 2.0)


def test_weeks_without_minutes_count():
    active = [(TODAY - 7 * k, 100.0) for k in range(1, 9)]
    assert week_of(active).mean > week_of([*active[4:]]).mean > week_of([*active[7:]]).mean
    weights = 0.5 ** (np.arange(8) / 4)
    assert week_of(active[4:]).mean == pytest.approx((2 * 60 + 100 * weights[4:].sum()) / (2 + weights.sum()))
    assert week_of(active).sd < week_of(active[::2]).sd


def test_the_first_week_counts_by_its_days():
    assert week_of([(TODAY - 2, 30.0), (TODAY - 1, 30.0)]).mean == pytest.approx((2 * 60 + 60) / (2 + 2 / 7))


def test_the_order_of_days_and_unusable_minutes_change_nothing():
    diary = [(TODAY - k, float(k)) for k in range(1, 40)]
    assert week_of(diary[::-1]) == week_of(diary)
    broken = [(TODAY - 3, m) for m in (math.nan, -5.0, math.inf)]
    assert week_of([*diary, *broken]) == week_of(diary)
    ancient = week_of([*diary, (-(2**62), 50.0)])
    assert 0 < ancient.mean < week_of(diary).mean


def test_floor_and_ceiling_bound_the_mean_and_scale_the_deviation():
    free = week_of([(TODAY - 3, 90.0), (TODAY - 10, 150.0)])
    for bounds, mean in (({"floor": 300.0}, 300.0), ({"ceiling": 20.0}, 20.0), ({"floor": 9.0, "ceiling": 5.0}, 5.0)):
        bounded = week_of([(TODAY - 3, 90.0), (TODAY - 10, 150.0)], **bounds)
        assert bounded.mean == mean
        assert bounded.sd / bounded.mean == pytest.approx(free.sd / free.mean)


@pytest.mark.parametrize(("n_skills", "sd"), [(1, 0.6), (3, 0.6), (12, 0.3), (12, 0.6), (12, 1.0), (60, 0.9)])
def test_minutes_needed_hold_in_half_and_in_nine_tenths_of_simulated_cases(n_skills, sd):
    rng = np.random.default_rng(11)
    opportunities, means = rng.uniform(2, 9, n_skills), rng.normal(1.2, 0.5, n_skills)
    answer = pace_line(opportunities, means, np.full(n_skills, sd), week=STEADY, today=TODAY)
    needed = (opportunities * np.exp(means + sd * rng.standard_normal((10_000, n_skills)))).sum(1)
    assert (needed <= answer.minutes_needed_p50).mean() == pytest.approx(0.5, abs=0.035)
    assert (needed <= answer.minutes_needed_p90).mean() == pytest.approx(0.9, abs=0.025)


@pytest.mark.parametrize(("scatter", "n_weeks"), [(0.3, 8.0), (0.6, 8.0), (1.0, 8.0), (0.5, 2.0), (1.0, 1e9)])
def test_finish_days_hold_in_half_and_in_nine_tenths_of_simulated_cases(scatter, n_weeks):
    rng, n = np.random.default_rng(12), 4000
    opportunities, means = rng.uniform(2, 9, 12), rng.normal(1.2, 0.5, 12)
    week = WeekMinutes(60.0, 60.0 * scatter, n_weeks)
    answer = pace_line(opportunities, means, np.full(12, 0.6), week=week, today=0)
    needed = (opportunities * np.exp(means + 0.6 * rng.standard_normal((n, 12)))).sum(1)
    own_mean = with_cv(rng, 60.0, scatter / math.sqrt(n_weeks), n)
    days = finish_days(needed, own_mean[:, None] * with_cv(rng, 1.0, scatter, (n, 150)))
    # A day is the least step, some five hundredths of the cases around the median.
    assert 0.46 <= (days <= answer.finish_day_p50).mean() <= 0.56
    assert 0.87 <= (days <= answer.finish_day_p90).mean() <= 0.93


@pytest.mark.parametrize("n_past", [0, 2, 8, 26])
def test_forecasts_from_a_learners_own_weeks_hold(n_past):
    rng, n = np.random.default_rng(13), 600
    own_mean = with_cv(rng, 80.0, 0.6, n)
    past, ahead = (own_mean[:, None] * with_cv(rng, 1.0, 0.8, (n, k)) for k in (n_past, 400))
    opportunities, means = rng.uniform(2, 9, 12), rng.normal(1.2, 0.5, 12)
    needed = (opportunities * np.exp(means + 0.7 * rng.standard_normal((n, 12)))).sum(1)
    days = finish_days(needed, ahead)
    first = -7 * np.arange(1, n_past + 1)
    answers = [
        pace_line(opportunities, means, np.full(12, 0.7), week=week_minutes(first, row, 0, prior=80.0), today=0)
        for row in past
    ]
    p50, p90 = (np.array([getattr(a, name) for a in answers]) for name in ("finish_day_p50", "finish_day_p90"))
    assert 0.44 <= (days <= p50).mean() <= 0.62
    assert 0.87 <= (days <= p90).mean() <= 0.97


def test_no_word_judges_a_learner():
    text = Path(module.__file__).read_text()
    assert not re.search(r"slow|fast|lazy|behind|weak", text, re.IGNORECASE)


@law
@given(skills, st.lists(st.floats(1, 500), min_size=2, max_size=5))
def test_more_minutes_a_week_are_never_less_on_track(skills, means):
    ratios = [line(skills, WeekMinutes(m, m / 2, 8.0), TODAY + 60).on_track for m in sorted(means)]
    assert all(a <= b for a, b in pairwise(ratios))
