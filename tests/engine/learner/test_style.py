import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.history import NO_TIME
from engine.domain.interaction import KINDS
from engine.learner.style import (
    HALF_LIFE_US,
    LEAST_PRIOR,
    POSITIVE_KINDS,
    PRIOR_EVENTS,
    Style,
    format_shares,
    style_after,
)

DAY_US = 86_400_000_000
MIX = {"video": 0.5, "exercise": 0.3, "reading": 0.2}
names = st.sampled_from(["video", "exercise", "reading", "project", "discussion"])
priors = st.dictionaries(names, st.floats(0.05, 1), min_size=1)
times = st.one_of(st.just(NO_TIME), st.integers(0, 4000).map(lambda days: days * DAY_US))
events = st.lists(st.tuples(names, st.sampled_from(KINDS), st.lists(names, max_size=5), times), max_size=12)
law = settings(deadline=None, max_examples=60)


def fold(events, prior, style=None):
    style = style or Style()
    for name, kind, shown, at_us in events:
        style = style_after(style, format=name, kind=kind, shown=tuple(shown), prior=prior, at_us=at_us)
    return style


def viewed(name, at_us=0, shown=()):
    return (name, "viewed", shown, at_us)


@law
@given(priors, st.data())
def test_without_exposure_the_shares_are_the_mean_of_a_dirichlet_multinomial(prior, data):
    taken = data.draw(st.lists(st.tuples(st.sampled_from(sorted(prior)), st.integers(0, 90)), max_size=20))
    style = fold([viewed(name, day * DAY_US) for name, day in sorted(taken, key=lambda t: t[1])], prior)
    shares = format_shares(style, prior, 100 * DAY_US)
    total = sum(prior.values())
    left = {f: sum(0.5 ** ((100 - day) / 30) for name, day in taken if name == f) for f in prior}
    for f in prior:
        mean = (PRIOR_EVENTS * prior[f] / total + left[f]) / (PRIOR_EVENTS + sum(left.values()))
        assert shares[f] == pytest.approx(mean, rel=1e-9)


@law
@given(events, st.dictionaries(names, st.floats(allow_nan=True)), times, st.lists(names, max_size=4))
def test_shares_are_finite_positive_and_sum_to_one_whatever_the_prior(events, prior, now_us, declared):
    style = fold(events, prior)
    shares = format_shares(style, prior, now_us, declared)
    assert set(shares) == {*prior, *style.formats, *declared}
    assert list(shares) == sorted(shares)
    assert all(math.isfinite(s) and s > 0 for s in shares.values())
    assert not shares or sum(shares.values()) == pytest.approx(1)


@law
@given(events, priors, times)
def test_as_much_is_expected_as_was_engaged(events, prior, now_us):
    style = fold(events, prior)
    assert style.formats == tuple(sorted(set(style.formats)))
    assert sum(style.expected) == pytest.approx(sum(style.engaged))
    assert sum(style.engaged) <= len(events) + 1e-9


@law
@given(events, priors, st.randoms())
def test_the_same_events_give_the_same_bits_whatever_the_order_of_the_prior(events, prior, random):
    shuffled = list(prior.items())
    random.shuffle(shuffled)
    assert fold(events, prior) == fold(events, dict(shuffled))
    one, other = fold(events, prior), fold(events, dict(shuffled))
    assert format_shares(one, prior, 0) == format_shares(other, dict(shuffled), 0)


@law
@given(events, priors, st.integers(0, 4000))
def test_a_clock_that_went_back_grows_nothing(events, prior, day):
    style = fold(events, prior)
    after = fold([viewed("video", day * DAY_US)], prior, style)
    engaged = dict(zip(style.formats, style.engaged, strict=True))
    for name, weight in zip(after.formats, after.engaged, strict=True):
        assert weight <= engaged.get(name, 0.0) + (name == "video") + 1e-12
    assert after.at_us == max(style.at_us, day * DAY_US)
    assert format_shares(style, prior, style.at_us - 1) == format_shares(style, prior, style.at_us)


def test_an_event_that_arrives_late_counts_as_if_it_had_come_in_time():
    in_time = fold([viewed("video", 0), viewed("reading", 40 * DAY_US)], MIX)
    late = fold([viewed("reading", 40 * DAY_US), viewed("video", 0)], MIX)
    assert late.engaged == pytest.approx(in_time.engaged)
    assert late.expected == pytest.approx(in_time.expected)


def test_weights_halve_in_thirty_days():
    style = fold([viewed("video", 0), viewed("video", HALF_LIFE_US)], {"video": 1.0})
    assert style.engaged == (1.5,)
    assert HALF_LIFE_US == 30 * DAY_US


@pytest.mark.parametrize("kind", KINDS)
def test_only_going_through_with_a_resource_or_picking_it_counts(kind):
    style = fold([viewed("video")], MIX)
    counts = kind in {"viewed", "completed", "attempted", "submitted", "accepted", "chosen"}
    assert (fold([("video", kind, (), 0)], MIX, style) is not style) == counts
    assert (kind in POSITIVE_KINDS) == counts


def test_taking_the_only_format_on_offer_says_nothing():
    style = fold([viewed("reading", shown=("reading",))] * 50, MIX)
    assert format_shares(style, MIX, 0) == pytest.approx(MIX)


def test_taking_the_rarer_of_two_says_more_than_taking_the_commoner():
    shown = ("video", "reading")
    rarer = format_shares(fold([viewed("reading", shown=shown)] * 5, MIX), MIX, 0)
    commoner = format_shares(fold([viewed("video", shown=shown)] * 5, MIX), MIX, 0)
    assert rarer["reading"] / MIX["reading"] > commoner["video"] / MIX["video"] > 1
    # What was not on offer was not passed over.
    assert rarer["exercise"] / rarer["video"] > MIX["exercise"] / MIX["video"]


def test_a_learner_without_preference_keeps_the_mix_under_skewed_exposure():
    rng = np.random.default_rng(3)
    weights = {f: MIX[f] for f in MIX}
    style = Style()
    for _ in range(4000):
        shown = ("video", "exercise") if rng.random() < 0.9 else ("reading", "exercise")
        chance = np.array([weights[f] for f in shown])
        taken = str(rng.choice(shown, p=chance / chance.sum()))
        style = fold([viewed(taken, shown=shown)], MIX, style)
    assert format_shares(style, MIX, 0) == pytest.approx(MIX, abs=0.03)


def test_the_format_taken_was_on_offer_even_where_the_slate_does_not_say_so():
    style = fold([viewed("project", shown=("video", "reading"))], MIX)
    assert dict(zip(style.formats, style.expected, strict=True))["project"] > 0


def test_a_new_format_starts_at_the_floor_and_can_be_learned():
    shares = format_shares(fold([viewed("hologram")], MIX), MIX, 10_000 * DAY_US)
    assert shares["hologram"] == pytest.approx(LEAST_PRIOR, rel=0.01)
    often = format_shares(fold([viewed("hologram", shown=("hologram", "video"))] * 40, MIX), MIX, 0)
    assert often["hologram"] > 0.3


@law
@given(events, priors, st.lists(names, min_size=1, max_size=6))
def test_what_a_learner_declares_stands_above_what_was_inferred(events, prior, declared):
    style = fold(events, prior)
    plain, shares = format_shares(style, prior, 0), format_shares(style, prior, 0, declared)
    order = [shares[f] for f in dict.fromkeys(declared)]
    rest = [f for f in shares if f not in declared]
    assert all(high >= 1.499 * low for high, low in pairwise(order))
    assert all(order[-1] >= 1.499 * shares[f] for f in rest)
    ratios = [shares[f] / plain[f] for f in rest]
    assert ratios == pytest.approx(ratios[:1] * len(ratios))


@law
@given(events, priors, names)
def test_declaring_one_format_never_costs_it(events, prior, declared):
    style = fold(events, {**prior, declared: 0.5})
    plain = format_shares(style, {**prior, declared: 0.5}, 0)
    assert format_shares(style, {**prior, declared: 0.5}, 0, (declared,))[declared] >= plain[declared] - 1e-12


def test_a_reset_style_is_the_prior():
    assert format_shares(Style(), MIX, 5 * DAY_US) == pytest.approx(MIX)
    assert format_shares(Style(), {}, 0) == {}
