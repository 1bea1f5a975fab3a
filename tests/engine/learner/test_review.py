"""Our memory is the memory of the `fsrs` package, step by step."""

import math
from datetime import UTC, datetime, timedelta

import fsrs
import pytest
from fsrs.scheduler import LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import BadInput
from engine.domain.history import NO_TIME, microseconds
from engine.learner.review import DAY_US, DEFAULT_WEIGHTS, Memory, due_us, retrievability, reviewed

START = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
YEAR = timedelta(days=365)
EXACT = {"rel": 1e-9, "abs": 1e-9}
gaps = st.one_of(
    st.timedeltas(timedelta(0), timedelta(hours=30)),
    st.integers(0, 40).map(lambda days: timedelta(days=days)),
    st.timedeltas(timedelta(0), 5 * YEAR),
    st.just(500 * YEAR),
)
reviews = st.lists(st.tuples(gaps, st.floats(0, 1)), min_size=1, max_size=12)
weight_sets = st.tuples(*map(st.floats, LOWER_BOUNDS_PARAMETERS, UPPER_BOUNDS_PARAMETERS))
law = settings(deadline=None, max_examples=70)


def fold(events, weights=DEFAULT_WEIGHTS):
    memory, at = None, START
    for gap, outcome in events:
        at += gap
        memory = reviewed(memory, outcome=outcome, at_us=microseconds(at), weights=weights)
    return memory


def rating(outcome):
    return fsrs.Rating.Again if outcome < 0.5 else fsrs.Rating.Good


def assert_equal_to_the_package(events, weights):
    scheduler = fsrs.Scheduler(parameters=weights, enable_fuzzing=False)
    card, memory, at = fsrs.Card(card_id=1), None, START
    for gap, outcome in events:
        at += gap
        if memory is not None:
            now = retrievability(memory, microseconds(at), weights)
            assert now == pytest.approx(scheduler.get_card_retrievability(card, at), **EXACT)
        card, _ = scheduler.review_card(card, rating(outcome), at)
        memory = reviewed(memory, outcome=outcome, at_us=microseconds(at), weights=weights)
        assert memory.stability == pytest.approx(card.stability, **EXACT)
        assert memory.difficulty == pytest.approx(card.difficulty, **EXACT)
        assert memory.reviewed_us == microseconds(card.last_review)


@law
@given(reviews)
def test_every_step_is_the_step_of_the_package(events):
    assert_equal_to_the_package(events, DEFAULT_WEIGHTS)


@law
@given(reviews, weight_sets)
def test_every_step_is_the_step_of_the_package_with_other_weights(events, weights):
    assert_equal_to_the_package(events, weights)


def test_the_weights_are_those_of_the_package():
    assert fsrs.Scheduler().parameters == DEFAULT_WEIGHTS


def test_the_intervals_the_package_documents_come_out():
    # Reviewed whenever due: learning and relearning steps of ten minutes, then these days, with two lapses.
    days = (2, 11, 46, 163, 498, None, None, 2, 4, 7, 12, 21)
    memory, at = fold([(timedelta(0), 1.0)]), START
    for before, after in zip((None, *days[:-1]), days, strict=True):
        at += timedelta(minutes=10) if before is None else timedelta(days=before)
        memory = reviewed(memory, outcome=0.0 if after is None else 1.0, at_us=microseconds(at))
        assert after is None or round(memory.stability) == after


def test_the_memory_the_package_documents_comes_out():
    memory = fold([(timedelta(days=d), o) for d, o in zip((0, 0, 1, 3, 8, 21), (0, 1, 1, 1, 1, 1), strict=True)])
    assert memory.stability == pytest.approx(53.62691, abs=1e-4)
    assert memory.difficulty == pytest.approx(6.3574867, abs=1e-4)


@law
@given(reviews, st.floats(0.5, 0.99), weight_sets)
def test_a_skill_is_due_when_its_retrievability_falls_to_the_wanted_retention(events, retention, weights):
    memory = fold(events, weights)
    due = due_us(memory, retention=retention, weights=weights)
    assert retrievability(memory, due - 1, weights) > retention
    assert retrievability(memory, due, weights) <= retention or due - memory.reviewed_us == 36_500 * DAY_US


@law
@given(reviews)
def test_a_skill_is_due_on_the_day_of_the_package_or_the_one_after(events):
    scheduler = fsrs.Scheduler(enable_fuzzing=False, learning_steps=(), relearning_steps=())
    card, at = fsrs.Card(card_id=1), START
    for gap, outcome in events:
        at += gap
        card, _ = scheduler.review_card(card, rating(outcome), at)
    assert due_us(fold(events)) - microseconds(card.due) in (0, DAY_US)


@pytest.mark.parametrize("retention", [1e-300, 1 - 1e-16])
def test_extreme_retentions_give_a_day_within_a_hundred_years(retention):
    memory = Memory(5.0, 5.0, 0)
    assert 0 <= due_us(memory, retention=retention) <= 36_500 * DAY_US


def test_a_clock_that_went_back_counts_as_no_time():
    memory = fold([(timedelta(0), 1.0), (timedelta(days=9), 1.0)])
    late = memory.reviewed_us - 5 * DAY_US
    assert retrievability(memory, late) == 1
    assert reviewed(memory, outcome=1.0, at_us=late) == reviewed(memory, outcome=1.0, at_us=memory.reviewed_us)
    # The package takes the same step, and only then believes the clock.
    scheduler, card = fsrs.Scheduler(enable_fuzzing=False), fsrs.Card(card_id=1)
    for days in (0, 9, 4):
        card, _ = scheduler.review_card(card, fsrs.Rating.Good, START + timedelta(days=days))
    assert reviewed(memory, outcome=1.0, at_us=late).stability == pytest.approx(card.stability, **EXACT)


def test_absurd_gaps_stay_finite():
    memory = fold([(500 * YEAR, float(i % 7 > 0)) for i in range(15)])
    assert math.isfinite(memory.stability) and 1 <= memory.difficulty <= 10
    assert 0 < retrievability(memory, memory.reviewed_us + 10**6 * DAY_US) < 1


def test_without_a_clock_reviews_are_of_one_day_and_nothing_is_due():
    timeless = reviewed(reviewed(None, outcome=1.0, at_us=NO_TIME), outcome=0.0, at_us=NO_TIME)
    same_day = fold([(timedelta(0), 1.0), (timedelta(hours=1), 0.0)])
    assert (timeless.stability, timeless.difficulty) == (same_day.stability, same_day.difficulty)
    assert retrievability(timeless, microseconds(START)) == 1
    assert due_us(timeless) == NO_TIME


@law
@given(reviews, st.floats(0, 1))
def test_only_the_side_of_one_half_counts(events, outcome):
    memory = fold(events)
    same = 1.0 if outcome >= 0.5 else 0.0
    at_us = memory.reviewed_us + 3 * DAY_US
    assert reviewed(memory, outcome=outcome, at_us=at_us) == reviewed(memory, outcome=same, at_us=at_us)


@pytest.mark.parametrize("outcome", [-0.1, 1.1, math.nan])
def test_what_is_no_outcome_is_refused(outcome):
    with pytest.raises(BadInput, match="outcome"):
        reviewed(None, outcome=outcome, at_us=0)


@pytest.mark.parametrize("retention", [0.0, 1.0, math.nan])
def test_what_is_no_retention_is_refused(retention):
    with pytest.raises(BadInput, match="retention"):
        due_us(Memory(5.0, 5.0, 0), retention=retention)
