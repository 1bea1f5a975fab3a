import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.ranking.selection import N_CONSIDERED, Variety, slate_of

scores_and_formats = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, -1.0]), st.integers(0, 2)), max_size=80)


def slate(rows, k, variety=False):
    scores = np.array([s for s, _ in rows], dtype=float)
    formats = np.array([f for _, f in rows], dtype=np.int32)
    nobody = np.zeros(len(rows), dtype=bool)
    wanted = Variety(inquiry=nobody, refused=nobody) if variety else None
    return slate_of(scores, formats, np.arange(len(rows)), k=k, variety=wanted)


@given(scores_and_formats, st.integers(1, 12))
def test_the_best_come_first_and_equals_in_the_order_of_their_ids(rows, k):
    expected = sorted(range(len(rows)), key=lambda p: (-rows[p][0], p))[:k]
    assert list(slate(rows, k).chosen) == expected


@given(scores_and_formats, st.integers(2, 8))
def test_a_slate_holds_two_formats_wherever_the_candidates_allow(rows, k):
    found = slate(rows, k, variety=True)
    formats = {rows[p][1] for p in found.chosen}
    assert len(formats) >= min(2, len({f for _, f in rows}), len(found.chosen))
    assert len(set(found.chosen)) == len(found.chosen)


@given(scores_and_formats, st.integers(1, 8), st.booleans())
def test_what_was_considered_for_a_slot_holds_the_chosen_and_nobody_chosen_before(rows, k, variety):
    found = slate(rows, k, variety=variety)
    for slot, position in enumerate(found.chosen):
        considered = found.considered(slot)
        assert considered[0] == position
        assert not set(considered) & set(found.chosen[:slot])
        assert len(considered) <= N_CONSIDERED


def test_of_what_was_done_before_there_is_one_in_three_while_anything_is_new():
    scores = np.array([9.0, 8.0, 7.0, 6.0, 1.0, 0.5, 0.2])
    again = np.array([True, True, True, True, False, False, False])
    formats, ids = np.zeros(7, np.int32), np.arange(7)
    for k, expected in ((1, [0]), (2, [0, 4]), (3, [0, 4, 5]), (6, [0, 1, 4, 5, 6, 2])):
        assert list(slate_of(scores, formats, ids, k=k, again=again).chosen) == expected
    assert list(slate_of(scores[:3], formats[:3], ids[:3], k=2, again=again[:3]).chosen) == [0, 1]
