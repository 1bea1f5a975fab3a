from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import NOW, write_log
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learner.style import Style, format_shares, style_after
from training import format_bits as bits_file
from training.format_bits import SERVED, StyleSettings, format_bits
from training.format_mix import FormatEvents, Mixes, format_events_of
from training.log import add_to_log, read_log

DAY_US = 86_400_000_000
FORMATS = ("project", "reading", "video")
# Resources 0-5 belong to course 0 and 6-8 to course 1; the format of each.
OF_RESOURCE = (0, 1, 2, 0, 1, 2, 1, 1, 2)
TAKEN = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8), st.integers(0, 30)), min_size=1, max_size=40)


def events_of(taken):
    """Events of (learner, resource, day): the first of each learner and resource, by learner and day."""
    first = {}
    for learner, resource, day in taken:
        first[learner, resource] = min(day, first.get((learner, resource), day))
    rows = sorted((learner, day, resource) for (learner, resource), day in first.items())
    learner, day, resource = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    course = (resource >= 6).astype(np.int64)
    return FormatEvents(
        tuple(f"l{i}" for i in range(5)), FORMATS, learner, resource, course, course * 10 + day // 7,
        np.array(OF_RESOURCE)[resource], day * DAY_US,
    )  # fmt: skip


def mix_by_hand(events, i, *, left):
    """The mix of event `i`, counted event by event."""
    earlier = (events.learner == events.learner[i]) & (events.at_us < events.at_us[i])
    taken = set(events.resource[earlier].tolist()) if left else set()
    levels = ((np.zeros(len(events)), set()), (events.course, taken), (events.cell, taken))
    mix = dict.fromkeys(range(3), 1 / 3)
    for strength, (group, gone) in zip((1.0, 20.0, 20.0), levels, strict=True):
        others = [
            j for j in range(len(events))
            if group[j] == group[i] and events.learner[j] != events.learner[i] and events.resource[j] not in gone
        ]  # fmt: skip
        counts = Counter(events.format[others].tolist())
        mix = {f: (counts[f] + strength * mix[f]) / (len(others) + strength) for f in range(3)}
        if strength == 1.0:
            there = set(events.format[events.course == events.course[i]].tolist())
            mix = {f: share * (f in there) / sum(mix[g] for g in there) for f, share in mix.items()}
    return mix


@settings(max_examples=30, deadline=None)
@given(TAKEN)
def test_the_mixes_are_what_the_others_took_up_counted_one_by_one(taken):
    events = events_of(taken)
    mixes = Mixes.of(events)
    for found, left in ((mixes.whole(events), False), (mixes.left(events), True)):
        expected = [list(mix_by_hand(events, i, left=left).values()) for i in range(len(events))]
        assert found == pytest.approx(np.array(expected))


@settings(max_examples=30, deadline=None)
@given(TAKEN)
def test_the_style_is_the_one_the_engine_folds(taken):
    events = events_of(taken)
    found = format_bits(events)
    for mix, whole, styled in (
        (Mixes.of(events).whole(events), found.mix, found.mix_style),
        (Mixes.of(events).left(events), found.left, found.left_style),
    ):
        told = [{f: share for f, share in zip(FORMATS, row, strict=True) if share} for row in mix.tolist()]
        for i in range(len(events)):
            style, earlier = Style(), (events.learner == events.learner[i]) & (events.at_us < events.at_us[i])
            for j in np.flatnonzero(earlier).tolist():
                style = style_after(
                    style, format=FORMATS[events.format[j]], kind="completed", shown=(), prior=told[j],
                    at_us=int(events.at_us[j]),
                )  # fmt: skip
            taken_up = FORMATS[events.format[i]]
            assert whole[i] == pytest.approx(np.log2(told[i][taken_up]))
            assert styled[i] == pytest.approx(np.log2(format_shares(style, told[i], int(events.at_us[i]))[taken_up]))


@settings(max_examples=20, deadline=None)
@given(TAKEN)
def test_learners_may_be_taken_in_any_portions(taken):
    events, whole = events_of(taken), bits_file._BLOCK
    together = format_bits(events)
    try:
        bits_file._BLOCK = 3
        apart = format_bits(events)
    finally:
        bits_file._BLOCK = whole
    assert np.array([*together.saved().values()]) == pytest.approx(np.array([*apart.saved().values()]))


def school(share_of_own, *, n_learners=60, n_events=30, seed=0):
    """Everybody picks from two equal shelves; this share of the time from their own, else from either."""
    rng = np.random.default_rng(seed)
    shelves = rng.permuted(np.tile(np.arange(200), (n_learners, 1)), axis=1)
    rows = []
    for learner in range(n_learners):
        queues = [[r for r in shelves[learner] if r % 2 == shelf] for shelf in (0, 1)]
        for day in range(n_events):
            shelf = learner % 2 if rng.random() < share_of_own else int(rng.integers(2))
            rows.append((learner, queues[shelf].pop(), day))
    learner, resource, day = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    ids = tuple(f"l{i}" for i in range(n_learners))
    return FormatEvents(ids, ("a", "b"), learner, resource, 0 * day, day // 7, resource % 2, day * DAY_US)


def test_a_style_that_is_there_saves_bits_and_one_that_is_not_costs_little():
    strong, none = (format_bits(school(share)).saved()["style_over_mix"].mean() for share in (0.8, 0.0))
    assert strong > 0.1
    assert -0.03 < none < 0.005


def test_a_patient_style_learns_a_steady_taste_better_and_a_timid_one_less():
    events = school(0.8)
    served = format_bits(events).saved()["style_over_mix"].mean()
    patient = format_bits(events, replace(SERVED, half_life_us=1000 * DAY_US)).saved()["style_over_mix"].mean()
    timid = format_bits(events, StyleSettings(prior_events=1e6)).saved()["style_over_mix"].mean()
    assert patient > served > timid > -1e-3


def test_what_was_taken_up_cannot_come_next_and_the_mix_of_what_is_left_knows():
    # One reading and one video, everybody takes both: the second is certain once the first is gone.
    order = [(learner, (learner + step) % 2, step) for learner in range(200) for step in range(2)]
    learner, resource, day = (np.array(column, dtype=np.int64) for column in zip(*order, strict=True))
    ids = tuple(f"l{i:03d}" for i in range(200))
    events = FormatEvents(ids, FORMATS[:2], learner, resource, 0 * day, 0 * day, resource, day * DAY_US)
    found = format_bits(events)
    assert found.mix[1::2].mean() == pytest.approx(-1.0, abs=0.01)
    assert found.left[1::2].mean() > -0.3


def test_events_of_one_day_say_nothing_of_each_other():
    events = school(1.0, n_learners=2, n_events=6)
    together = replace(events, at_us=0 * events.at_us, cell=0 * events.cell)
    found = format_bits(together)
    assert found.mix_style == pytest.approx(found.mix, abs=1e-9)


def test_events_come_from_the_log_with_their_week_of_the_course(tiny_log):
    events = format_events_of(read_log(tiny_log))
    assert set(events.formats) == {"video", "exercise"}
    assert (np.diff(events.learner) >= 0).all()
    assert ((np.diff(events.at_us) >= 0) | (np.diff(events.learner) > 0)).all()
    # Two cohorts of one course share its weeks, and each of the checkerboard's steps is one week.
    assert len(np.unique(events.cell)) == 11
    step = np.concatenate([np.arange(n) for n in np.bincount(events.learner)])
    assert len(np.unique(events.cell - step)) == 1


def test_without_a_clock_there_are_no_events_and_no_bits(tmp_path):
    events = format_events_of(read_log(write_log(tmp_path / "log", clock=False)))
    assert (len(events), len(format_bits(events).saved()["style_over_left"])) == (0, 0)


def test_classes_without_a_first_day_have_weeks_of_the_calendar(tmp_path):
    at = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=d) for d in (0, 1, 14)]
    rows = pl.DataFrame({"learner_id": ["a", "b", "a"], "resource_id": ["r", "s", "t"], "at": at})
    add_to_log(tmp_path / "log", interactions=[rows], source="t", now=NOW, report=lambda what, share: None)
    events = format_events_of(read_log(tmp_path / "log"))
    assert events.formats == ("other",)
    assert [len(set(events.cell[events.at_us < limit * DAY_US])) for limit in (20_459, 99_999)] == [1, 2]
