"""The compiled fold and its Python twin say the same to the last bit, online as in a batch, and always in numbers."""

import shutil
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learner import kernels
from engine.learner.features import COLUMN, NAMES
from engine.learner.kernels import (
    ARRAYS,
    BLOCK,
    AskedRows,
    Prepared,
    Statics,
    Traces,
    ask,
    encode,
    fold,
    started,
    traces,
)  # fmt: skip
from engine.learner.rows import Rows

law = settings(max_examples=40, deadline=None, derandomize=True)
compiled = pytest.mark.skipif(kernels.library() is None, reason="nothing was compiled: there is only the twin")
either = pytest.mark.parametrize("form", [pytest.param("compiled", marks=compiled), "twin"])

N_ITEMS, N_SKILLS, N_FOLDS = 5, 4, 3
CENTURY = 365.25 * 100 * 24 * 60
NAN = float("nan")
EVERYTHING = np.arange(len(NAMES), dtype=np.int32)


def in_form(form):
    """The kernels as compiled, or as where nothing was compiled."""
    found = kernels.library()
    return patch.object(kernels, "library", lambda: found if form == "compiled" else None)


def statics(seed, n_items=N_ITEMS, n_skills=N_SKILLS):
    rng = np.random.default_rng(seed)
    shapes = {"item": (N_FOLDS, n_items), "skill": (N_FOLDS, n_skills)}
    arrays = {name: rng.normal(size=shapes[name.split("_")[0]]) for name in ARRAYS if not name.endswith("regime")}
    arrays |= {f"{who}_regime": rng.normal(0, 0.3, (*shape, 3)) for who, shape in shapes.items()}
    arrays |= {f"{who}_n": rng.integers(0, 900, shape).astype(float) for who, shape in shapes.items()}
    return Prepared(Statics(mean=float(rng.uniform(0.1, 0.9)), b=float(rng.normal()), m=2.5, **arrays))


def rows_of(events):
    """Rows from (minute, outcome, seconds, item, skills); items and skills beyond the statics are unknown to them."""
    items, skills = [e[3] for e in events], [s for e in events for s in e[4]]
    return Rows(
        t=np.array([e[0] for e in events], np.float64),
        y=np.array([e[1] for e in events], np.float64),
        seconds=np.array([e[2] for e in events], np.float64),
        item_key=np.array([(i + 1) * 0x9E3779B97F4A7C15 % 2**64 for i in items], np.uint64),
        item_row=np.array([i if i < N_ITEMS else -1 for i in items], np.int32),
        skill_ptr=np.cumsum([0, *(len(e[4]) for e in events)], dtype=np.int64),
        skill_key=np.array([(s + 1) * 0xD1B54A32D192ED03 % 2**64 for s in skills], np.uint64),
        skill_row=np.array([s if s < N_SKILLS else -1 for s in skills], np.int32),
    )


# Clocks that are missing, stand still, jump ahead by centuries and back; minutes since 1970.
STEPS = st.sampled_from([0.0, 0.2, 3.0, 59.9, 60.0, 61.0, 1440.0, CENTURY, 80 * CENTURY, -5.0, -CENTURY, NAN])
OUTCOMES = st.sampled_from([NAN, 0.0, 1.0, 1.0, 0.5, 0.3, 0.001, 1e-9]) | st.floats(0, 1)
SECONDS = st.sampled_from([NAN, 0.5, 14_400.0]) | st.floats(0.5, 14_400)
SKILLS = st.lists(st.integers(0, N_SKILLS + 1), max_size=4, unique=True)


@st.composite
def histories(draw, min_size=1, max_size=12):
    """Events of one learner in sequence, as `rows_of` takes them."""
    minute = draw(st.sampled_from([0.0, 29_000_000.25, -0.7 * CENTURY]))
    events = []
    for step, y, seconds, item, skills in draw(
        st.lists(
            st.tuples(STEPS, OUTCOMES, SECONDS, st.integers(0, N_ITEMS + 1), SKILLS),
            min_size=min_size, max_size=max_size,
        )
    ):  # fmt: skip
        minute += 0.0 if np.isnan(step) else step
        events.append((NAN if np.isnan(step) else minute, y, seconds, item, skills))
    return events


def simulated(n, seed, n_items=N_ITEMS + 2, n_skills=N_SKILLS + 2):
    """A long history in no special trouble."""
    rng = np.random.default_rng(seed)
    minutes = np.cumsum(rng.exponential(40.0, n)) + 29_000_000
    return [
        (
            minutes[i], NAN if rng.random() < 0.1 else float(rng.random() < 0.7), NAN if i % 3 else rng.uniform(1, 90),
            int(rng.integers(n_items)), rng.permutation(n_skills)[: rng.integers(4)].tolist(),
        )
        for i in range(n)
    ]  # fmt: skip


def nobody():
    return np.zeros(0, BLOCK)


def in_pieces(prepared, events, cuts, **asked):
    """The state after folding events piece by piece, and the features of all of them."""
    whole, blocks, told = started(prepared.statics), nobody(), []
    bounds = [0, *sorted(cuts), len(events)]
    for first, last in pairwise(bounds):
        whole, blocks, x = fold(prepared, rows_of(events[first:last]), whole, blocks, features=True, **asked)
        told.append(x)
    return whole.tobytes(), blocks.tobytes(), np.concatenate(told)


def same(one, other):
    return all(a == b if isinstance(a, bytes) else np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def finite(records):
    fields = {name: records[name] for name in records.dtype.names}
    return all(finite(f) if f.dtype.names else np.isfinite(f).all() for f in fields.values())


def several(learners):
    """Rows of many learners, and where each begins."""
    return rows_of([e for events in learners for e in events]), np.cumsum([0, *map(len, learners)], dtype=np.int64)


def test_where_there_is_a_compiler_the_kernels_are_compiled():
    assert kernels.library() is not None or shutil.which("cc") is None, "kernels.c changed: run `make setup` again"


def test_a_state_starts_with_nothing_and_of_the_mean():
    states = []
    for form in ("compiled", "twin"):
        with in_form(form):
            states.append(started(statics(1).statics))
    assert states[0].tobytes() == states[1].tobytes()
    assert states[0]["block"]["mean_slow"][0] == np.float32(statics(1).statics.mean)
    assert states[0]["n_events"][0] == 0


@compiled
@law
@given(histories(), st.integers(0, 5), st.integers(0, N_FOLDS - 1), st.sets(st.integers(1, 11), max_size=3))
def test_both_fold_the_same_bits(events, seed, statics_fold, cuts):
    prepared, cuts = statics(seed), [c for c in cuts if c < len(events)]
    results = []
    for form in ("compiled", "twin"):
        with in_form(form):
            results.append(in_pieces(prepared, events, cuts, statics_fold=statics_fold))
    assert same(*results)


@compiled
@law
@given(histories(), histories(max_size=4), st.integers(0, N_FOLDS - 1))
def test_both_answer_alike_when_asked(events, asked, statics_fold):
    prepared, results = statics(2), []
    whole, blocks, _ = fold(prepared, rows_of(events), started(prepared.statics), nobody())
    for form in ("compiled", "twin"):
        with in_form(form):
            said = fold(prepared, rows_of(asked), whole, blocks, update=False, features=True, statics_fold=statics_fold)
            results.append((said[0].tobytes(), said[1].tobytes(), said[2]))
    assert same(*results)


@compiled
@law
@given(st.lists(histories(min_size=0, max_size=5), min_size=1, max_size=4), st.data())
def test_both_read_many_learners_alike(learners, data):
    prepared, (rows, learner_ptr) = statics(3), several(learners)
    folds = np.array([data.draw(st.integers(0, N_FOLDS - 1)) for _ in learners], np.int32)
    columns = np.array(data.draw(st.lists(st.sampled_from(EVERYTHING.tolist()), max_size=9)), np.int32)
    results = []
    for form in ("compiled", "twin"):
        with in_form(form):
            told = traces(prepared, rows, learner_ptr, folds=folds)
            some = encode(prepared, rows, learner_ptr, folds=folds, columns=columns)
            results.append([some, *(getattr(told, name) for name in Traces.__dataclass_fields__)])
    assert same(*results)


@compiled
def test_both_fold_the_same_bits_over_a_long_history():
    # Longer than the pattern of last outcomes, than the bits it is kept in, and than most decays.
    events, results = simulated(400, 1), []
    for form in ("compiled", "twin"):
        with in_form(form):
            results.append(in_pieces(statics(1), events, [7, 300]))
    assert same(*results)


@either
@law
@given(events=histories(), cuts=st.sets(st.integers(1, 11)), seed=st.integers(0, 5))
def test_one_event_at_a_time_is_all_at_once_is_a_batch(form, events, cuts, seed):
    prepared, cuts = statics(seed), [c for c in cuts if c < len(events)]
    with in_form(form):
        at_once = in_pieces(prepared, events, [], statics_fold=1)
        assert same(at_once, in_pieces(prepared, events, cuts, statics_fold=1))
        assert same(at_once, in_pieces(prepared, events, range(1, len(events)), statics_fold=1))
        rows, learner_ptr = several([events])
        batch = encode(prepared, rows, learner_ptr, folds=np.array([1], np.int32), columns=EVERYTHING)
    assert batch.tobytes() == at_once[2].tobytes()


@compiled
def test_a_batch_reads_a_long_history_in_segments_as_one():
    events = simulated(5_000, 2, n_items=400)
    rows, learner_ptr = several([events[:2_500], events])
    prepared, folds = statics(1), np.zeros(2, np.int32)
    batch = encode(prepared, rows, learner_ptr, folds=folds, columns=EVERYTHING)
    assert np.array_equal(batch[2_500:], in_pieces(prepared, events, [])[2])
    assert np.array_equal(batch[:2_500], batch[2_500:5_000])


@either
@law
@given(learners=st.lists(histories(max_size=4), min_size=2, max_size=3), data=st.data())
def test_a_batch_keeps_what_is_asked_of_each_learner_alone(form, learners, data):
    prepared, (rows, learner_ptr) = statics(4), several(learners)
    folds = np.arange(len(learners), dtype=np.int32) % N_FOLDS
    columns = np.array(data.draw(st.lists(st.sampled_from(EVERYTHING.tolist()), min_size=1, max_size=5)), np.int32)
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    kept = np.where(wanted, np.cumsum(wanted) - 1, -1).astype(np.int64)
    with in_form(form):
        alone = [in_pieces(prepared, e, [], statics_fold=int(f))[2] for e, f in zip(learners, folds, strict=True)]
        out = np.full((int(wanted.sum()) + 1, len(columns)), 7.0, np.float32)
        for half in ((0, 1), (1, len(learners))):
            encode(prepared, rows, learner_ptr, folds=folds, columns=columns, kept=kept, learners=half, out=out)
    assert np.array_equal(out[:-1], np.concatenate(alone)[wanted][:, columns])
    # Nothing is written where nothing was asked for.
    assert (out[-1] == 7.0).all()


@either
@law
@given(events=histories(), asked=histories(max_size=4))
def test_asking_changes_nothing_and_hears_what_an_update_would_see(form, events, asked):
    prepared, whole, blocks = statics(5), started(statics(5).statics), nobody()
    with in_form(form):
        whole, blocks, _ = fold(prepared, rows_of(events), whole, blocks)
        before = whole.tobytes(), blocks.tobytes()
        after = fold(prepared, rows_of(asked), whole, blocks, update=False, features=True)
        assert (whole.tobytes(), blocks.tobytes()) == before == (after[0].tobytes(), after[1].tobytes())
        # Each row is asked of the same state, so together is one by one; and an update sees the first row alike.
        for r, event in enumerate(asked):
            seen = fold(prepared, rows_of([event]), whole, blocks, features=True)[2]
            assert np.array_equal(after[2][r], seen[0])
        assert (whole.tobytes(), blocks.tobytes()) == before


@either
@law
@given(events=histories(), data=st.data())
def test_a_row_never_sees_its_own_outcome_or_duration(form, events, data):
    r = data.draw(st.integers(0, len(events) - 1))
    t, _, _, item, skills = events[r]
    changed = [*events[:r], (t, data.draw(OUTCOMES), data.draw(SECONDS), item, skills), *events[r + 1 :]]
    with in_form(form):
        one, other = (in_pieces(statics(6), e, [])[2] for e in (events, changed))
    assert np.array_equal(one[: r + 1], other[: r + 1])


@either
@pytest.mark.parametrize("changed", [(0.0, 5.0), (NAN, 5.0), (1.0, 6.0), (1.0, NAN)])
def test_later_rows_see_each_outcome_and_duration(form, changed):
    def read(y, seconds):
        return in_pieces(statics(6), [(0.0, y, seconds, 0, [0]), (9.0, 1.0, 5.0, 0, [0])], [])[2]

    with in_form(form):
        one, other = read(1.0, 5.0), read(*changed)
    assert np.array_equal(one[0], other[0])
    differing = {NAMES[c].split(".")[0] for c in np.flatnonzero(one[1] != other[1])}
    assert differing >= {"learner", "rarest", "item"}


@law
@given(histories(), histories(max_size=3), st.integers(0, 5))
def test_everything_is_finite_whatever_the_clocks_and_outcomes(events, asked, seed):
    prepared = statics(seed)
    whole, blocks, x = fold(prepared, rows_of(events), started(prepared.statics), nobody(), features=True)
    told = fold(prepared, rows_of(asked), whole, blocks, update=False, features=True)[2]
    assert np.isfinite(x).all()
    assert np.isfinite(told).all()
    assert finite(blocks)
    assert finite(whole)


@compiled
def test_a_row_of_three_thousand_skills_is_read_and_counted():
    events = [(float(k), float(k % 2), 9.0, 0, range(3_000)) for k in range(4)] + [(5.0, 1.0, 9.0, 1, [])]
    prepared = statics(1)
    _, blocks, x = fold(prepared, rows_of(events), started(prepared.statics), nobody(), features=True)
    assert np.isfinite(x).all()
    assert x[:, COLUMN["n_skills"]].tolist() == [3_000.0] * 4 + [0.0]
    assert len(blocks) == 3_002
    assert sorted(blocks["n"].tolist()) == [1.0] + [4.0] * 3_001
    with in_form("twin"):
        assert np.array_equal(x, fold(prepared, rows_of(events), started(prepared.statics), nobody(), features=True)[2])


@compiled
def test_a_hundred_thousand_events_of_one_learner_stay_finite():
    rng = np.random.default_rng(3)
    n = 100_000
    some = rows_of(simulated(1_000, 3, n_items=40, n_skills=30))
    long = replace(
        some,
        t=29_000_000 + np.cumsum(rng.exponential(5.0, n)),
        y=np.where(rng.random(n) < 0.05, NAN, rng.random(n) < 0.999).astype(np.float64),
        seconds=rng.uniform(0.5, 600.0, n),
        item_key=np.tile(some.item_key, 100),
        item_row=np.tile(some.item_row, 100),
        skill_ptr=np.concatenate([[0], np.cumsum(np.tile(np.diff(some.skill_ptr), 100))]),
        skill_key=np.tile(some.skill_key, 100),
        skill_row=np.tile(some.skill_row, 100),
    )
    prepared = statics(1)
    whole, blocks, x = fold(prepared, long, started(prepared.statics), nobody(), features=True)
    assert whole["n_events"][0] == n
    assert len(blocks) == 70
    assert np.isfinite(x).all()
    assert finite(blocks)
    assert finite(whole)


@either
def test_a_missing_clock_goes_on_half_a_minute_and_a_clock_never_runs_back(form):
    with in_form(form):
        whole, blocks, _ = fold(
            statics(1), rows_of([(100.0, 1.0, NAN, 0, []), (NAN, 1.0, NAN, 0, []), (50.0, 1.0, NAN, 1, [])]),
            started(statics(1).statics), nobody(),
        )  # fmt: skip
    assert whole["prev_t"][0] == 100.5
    assert blocks["last_t"].tolist() == [100.5, 100.5]


def test_a_machine_without_memory_is_told():
    none_left = SimpleNamespace(learner_fold=lambda *_: -1, learner_start=lambda *_: None)
    with patch.object(kernels, "library", lambda: none_left), pytest.raises(MemoryError):
        fold(statics(1), rows_of([(0.0, 1.0, 1.0, 0, [])]), started(statics(1).statics), nobody())


@either
@law
@given(histories(max_size=6), histories(max_size=4), st.integers(0, 9))
def test_a_row_that_is_only_asked_about_leaves_no_trace(form, events, probes, seed):
    """Asked amid the events, it hears what a fold without an update says there."""
    asked = [(e[0], -1.0, NAN, e[3], e[4]) for e in probes]
    prepared = statics(seed)
    with in_form(form):
        plain = fold(prepared, rows_of(events), started(prepared.statics), np.zeros(0, BLOCK))
        mixed = rows_of([*events, *asked])
        whole, blocks, said = fold(prepared, mixed, started(prepared.statics), np.zeros(0, BLOCK), features=True)
        _, _, expected = fold(prepared, rows_of(asked), plain[0], plain[1], update=False, features=True)
    assert whole.tobytes() == plain[0].tobytes()
    assert blocks.tobytes() == plain[1].tobytes()
    np.testing.assert_array_equal(said[len(events) :], expected)


@compiled
@law
@given(events=histories(), asked=histories(), seed=st.integers(0, 99), data=st.data())
def test_asking_about_some_rows_of_many_is_a_fold_that_leaves_no_trace(events, asked, seed, data):
    prepared = statics(seed)
    whole, blocks, _ = fold(prepared, rows_of(events), started(prepared.statics), np.empty(0, BLOCK))
    rows = rows_of(asked)
    which = np.array(data.draw(st.lists(st.integers(0, len(asked) - 1), max_size=8)), np.int64)
    columns = np.array(data.draw(st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=5)), np.int32)
    more, at, before = np.array([3, 1], np.int32), data.draw(STEPS), (whole.tobytes(), blocks.tobytes())
    said = []
    for form in ("compiled", "twin"):
        with in_form(form):
            about = {"whole": whole, "blocks": blocks, "columns": columns, "more": more}
            said.append(ask(prepared, AskedRows(rows), which, at, **about))
    for mine, theirs in zip(*said, strict=True):
        assert np.array_equal(mine, theirs, equal_nan=True)
    assert (whole.tobytes(), blocks.tobytes()) == before
