"""Every way to part a small class, against a plain way of writing them all down."""

import numpy as np
import pytest
from classrooms import classroom, groupings, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collaborators.counts import numbered, parted
from engine.collaborators.every import every_way
from engine.collaborators.problem import problem_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Size, Spec, layouts_of


@given(seed=st.integers(0, 10**6), n=st.integers(1, 7), n_rules=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_each_way_once_whatever_the_numbers(seed, n, n_rules):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, n)
    # Hard keep_together and hard locks are built in; without them every way is there.
    told = spec(rng, roster, n_rules, p_hard=0.0)
    for layout in layouts_of(told.size, n):
        ways = every_way(problem_of(roster, told, layout), places=10**6)
        plain = groupings(n, layout.n_groups, layout.low, layout.high, alike=False)
        wanted = {numbered(np.array(groups, np.int32), told, layout.n_groups).tobytes() for groups in plain}
        assert sorted(numbered(way, told, layout.n_groups).tobytes() for way in ways) == sorted(wanted)


def test_units_stay_whole_and_locks_hold():
    roster = Roster(tuple("abcdef"), {})
    rules = (
        Rule(0, "keep_together", hard=True, learners=("a", "b")),
        Rule(1, "lock", hard=True, learners=("c",), group=2),
    )
    told = Spec(Size(3), rules)
    [layout] = layouts_of(told.size, 6)
    ways = [way.tolist() for way in every_way(problem_of(roster, told, layout), places=1000)]
    # a and b with one of d, e, f, or with c in group 2.
    assert sorted(ways) == sorted(
        [[0, 0, 1, 0, 1, 1], [0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]],
    )


@pytest.mark.parametrize("n", [14, 200])
def test_too_many_ways_are_not_looked_at(n):
    told = Spec(Size(2))
    roster = Roster(tuple(f"l{i}" for i in range(n)), {})
    assert every_way(problem_of(roster, told, layouts_of(told.size, n)[0]), places=5_000) is None


def test_a_group_a_lock_names_keeps_its_number_and_the_others_are_told_in_order():
    told = Spec(Size(2), (Rule(0, "lock", hard=True, learners=("c",), group=2),))
    one, other = np.array([2, 2, 1, 1, 0, 0], np.int32), np.array([0, 0, 1, 1, 2, 2], np.int32)
    assert numbered(one, told, 3).tolist() == numbered(other, told, 3).tolist() == [0, 0, 1, 1, 2, 2]
    moved = np.array([1, 1, 0, 0, 2, 2], np.int32)
    assert numbered(moved, told, 3).tolist() == [1, 1, 0, 0, 2, 2]
    assert parted(one) == parted(other) == parted(moved)
