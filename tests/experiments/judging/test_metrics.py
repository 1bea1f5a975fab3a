import pytest

from experiments.judging.metrics import Taught, interval, summary, tertiles


def taught(start, end, *, steps=4, minutes=8.0):
    return Taught(learner="lena", start=start, end=end, steps=steps, minutes=minutes)


def test_gain_is_the_share_of_what_could_be_gained():
    assert taught(0.5, 0.75).gain == 0.5
    assert taught(0.2, 0.1).gain == pytest.approx(-0.125)


def test_a_summary_reckoned_by_hand():
    told = summary([taught(0.0, 0.5), taught(0.5, 0.5, minutes=4.0), taught(0.5, 0.48)], seed=0)
    assert told["gain"]["mean"] == pytest.approx((0.5 + 0 - 0.04) / 3)
    assert told["gain_per_step"]["mean"] == pytest.approx((0.5 + 0 - 0.04) / 3 / 4)
    assert told["gain_per_minute"]["mean"] == pytest.approx((0.5 / 8 + 0 - 0.04 / 8) / 3)
    assert told["harmed"] == pytest.approx(1 / 3)
    assert told["gain"]["low"] <= told["gain"]["mean"] <= told["gain"]["high"]


def test_a_loss_within_a_hundredth_is_no_harm():
    assert summary([taught(0.5, 0.491)], seed=0)["harmed"] == 0.0
    assert summary([taught(0.5, 0.489)], seed=0)["harmed"] == 1.0


def test_the_interval_is_the_same_for_the_same_seed_and_narrows_with_learners():
    values = [0.1, 0.4, 0.2, 0.9, 0.5]
    assert interval(values, seed=3) == interval(values, seed=3)
    wide, narrow = interval(values, seed=3), interval(values * 20, seed=3)
    assert narrow["high"] - narrow["low"] < wide["high"] - wide["low"]
    assert interval([0.3] * 5, seed=0) == pytest.approx({"mean": 0.3, "low": 0.3, "high": 0.3})


def test_thirds_by_start_and_the_widest_gap_between_them():
    rows = [
        taught(0.9, 0.95),
        taught(0.1, 0.28),
        taught(0.5, 0.9),
        taught(0.2, 0.36),
        taught(0.6, 0.92),
        taught(0.8, 0.9),
    ]
    told = tertiles(rows)
    assert [told[n] for n in ("low", "middle", "high")] == pytest.approx([0.2, 0.8, 0.5])
    assert told["gap"] == pytest.approx(0.6)
    assert told["gap_of_mean"] == pytest.approx(0.6 / 0.5)


def test_nothing_is_said_about_nobody_and_about_no_time():
    told = summary([], seed=0)
    assert told["gain"] == {"mean": None, "low": None, "high": None}
    assert told["harmed"] is None
    assert tertiles([taught(0, 1)])["gap"] is None
    assert summary([taught(0, 1, minutes=0.0)], seed=0)["gain_per_minute"]["mean"] is None
