"""Who worked likewise in an earlier cohort tells what comes next: two ways through a course, whose ends are visible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.likewise import Likewise, days_worked
from training.likewise import likewise_arrays
from training.rehearsal import rehearsals_of
from training.relevance_models import ModelSettings
from training.votes import Votes

N, DAY_US, YEAR_US = 12, 86_400_000_000, 364 * 86_400_000_000
COURSES = IdMap(["", "maths"])
# Even learners take up resources 0, 2, 4 in the first week and 6, 8, 10 in the third, odd ones the odd ones alike; all
# do one last thing at the end.
DAY_OF = {r: 1 + r // 2 if r < 6 else 12 + r // 2 for r in range(N)}


def _votes(n_earlier: int = 60, n_new: int = 10) -> Votes:
    rows = [(u, r, 1, DAY_OF[r] * DAY_US) for u in range(n_earlier) for r in range(N) if u % 2 == r % 2]
    rows += [(u, N, 1, 90 * DAY_US) for u in range(n_earlier)]
    late = range(n_earlier, n_earlier + n_new)
    rows += [(u, r, 2, YEAR_US + DAY_OF[r] * DAY_US) for u in late for r in range(6) if u % 2 == r % 2]
    learner, resource, school_class, at_us = (np.array(c) for c in zip(*sorted(rows), strict=True))
    return Votes(
        IdMap(f"u{i:03}" for i in range(n_earlier + n_new)), IdMap(f"r{i:02}" for i in range(N + 1)),
        COURSES, IdMap(["", "first", "second"]), np.array([0, 1, 1], np.int32), np.array([NO_TIME, 0, YEAR_US]),
        learner.astype(np.int32), resource.astype(np.int32), school_class.astype(np.int32), at_us.astype(np.int64),
        np.arange(len(rows)), at_us.astype(np.int64),
    )  # fmt: skip


def _said(votes: Votes, history: list[int], *, day: float = 4.0, starts_us: int = YEAR_US) -> np.ndarray:
    at_us = np.array([starts_us + DAY_OF[r] * DAY_US for r in history], np.int64)
    query = Query(
        learner_id="x", known=True, history=History(np.array(history, np.int32), at_us), course_id="maths",
        now_us=starts_us + int(day * DAY_US), starts_us=starts_us,
    )  # fmt: skip
    return Likewise(likewise_arrays(votes, ModelSettings()), COURSES, N + 1).score(query)


@pytest.mark.parametrize("history", [[0, 2, 4], [1, 3, 5]])
def test_what_followed_in_the_earlier_cohort_is_likelier_and_the_other_way_less_likely(history):
    said = _said(_votes(), history)
    same = [r + 6 for r in history]
    assert min(said[same]) > 0.2
    assert max(said[[r for r in range(6, N) if r % 2 != history[0] % 2]]) < -0.2
    assert abs(said[N]) < 0.05


def test_nothing_is_said_far_from_the_day_or_to_the_cohort_that_taught_it():
    assert np.isfinite(_said(_votes(), [0, 2], day=20.0)).all()
    assert np.isnan(_said(_votes(), [0, 2], day=40.0)).all()
    assert np.isnan(_said(_votes(), [0, 2], starts_us=0)).all()
    assert np.isnan(_said(_votes(), [])).all()


def test_fewer_than_twenty_learners_are_never_spoken_of():
    assert len(likewise_arrays(_votes(n_earlier=19), ModelSettings())["likewise_course"]) == 0
    assert len(likewise_arrays(_votes(n_earlier=20), ModelSettings())["likewise_course"]) == 1


def test_no_row_belongs_to_a_learner():
    assert not {name for name, array in likewise_arrays(_votes(), ModelSettings()).items() if 60 in array.shape}


def test_a_rehearsed_class_keeps_its_touches_beside_its_votes():
    votes = _votes()
    for rehearsal in rehearsals_of(votes, seed=0):
        staged = rehearsal.votes
        assert (staged.school_class == 3).any()
        np.testing.assert_array_equal(staged.touch_at_us, staged.at_us[staged.touch_vote])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4 * DAY_US)), max_size=30), st.randoms())
def test_days_are_counted_whatever_the_order_and_however_often_a_day(events, random):
    shuffled = list(events)
    random.shuffle(shuffled)
    told = [
        days_worked(History(np.array([r for r, _ in e], np.int32), np.array([t for _, t in e], np.int64)), 5)
        for e in (events, shuffled + shuffled)
    ]
    by_hand = {r: len({t // DAY_US for x, t in events if x == r}) for r, _ in events if r < 5}
    for rows, days in told:
        assert rows.tolist() == sorted(by_hand)
        assert days == pytest.approx([np.log1p(by_hand[r]) for r in rows.tolist()])
