"""Several proposals to choose from: different as parts of a class, and as good as the best where there are such."""

import json

import numpy as np
import pytest
from classrooms import classroom, groupings, plain_cost, rule, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collaborators.bounds import least_broken
from engine.collaborators.conflict import Conflict
from engine.collaborators.counts import parted
from engine.collaborators.propose import Effort, propose
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Size, Spec, layouts_of
from engine.collaborators.telling import notes_on, told


def a_class(n, **columns):
    return Roster(tuple(f"l{i:02d}" for i in range(n)), columns)


def parts(proposal):
    return frozenset(frozenset(np.flatnonzero(proposal.groups == g).tolist()) for g in set(proposal.groups.tolist()))


APART = Rule(0, "keep_apart", hard=True, learners=("l03", "l07"))


@pytest.mark.parametrize("wanted", [3, 10])
@pytest.mark.parametrize("rules", [(), (APART,), (Rule(0, "cluster", hard=False, by=("interest",)),)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_the_first_is_perfect_others_as_good_are_found(rules, seed, wanted):
    interest = tuple("xyzw"[i // 7] for i in range(28))
    found = propose(a_class(28, interest=interest), Spec(Size(7), rules), Effort(seed=seed, n_proposals=wanted))
    if rules and rules[0].verb == "cluster":
        # Four interests of seven learners each make one perfect grouping and no other.
        assert found.proposals[0].broken == 0 < found.proposals[1].broken
    else:
        assert {one.objective for one in found.proposals} == {0.0}
    assert len({parts(one) for one in found.proposals}) == wanted
    assert notes_on(found) == []


@pytest.mark.parametrize("seed", range(6))
def test_proposals_under_locks_differ_in_more_than_their_numbers(seed):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, int(rng.integers(8, 30)))
    locks = tuple(rule(rng, roster, i, "lock", hard=i == 0, n_groups=2) for i in range(2))
    told_ = Spec(Size(4), (*locks, Rule(2, "balance", hard=False, by=("gpa",))))
    found = propose(roster, told_, Effort(seed=seed, steps=40_000, n_proposals=4))
    if not isinstance(found, Conflict):
        assert len({parts(one) for one in found.proposals}) == len(found.proposals) == 4


@given(seed=st.integers(0, 10**6), n=st.integers(1, 7), n_rules=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_in_a_tiny_class_there_are_as_many_as_exist_and_the_best_of_them(seed, n, n_rules):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, n)
    asked = spec(rng, roster, n_rules, p_hard=0.4)
    found = propose(roster, asked, Effort(steps=5_000, n_proposals=5))
    costs = {}
    for layout in layouts_of(asked.size, n):
        for groups in groupings(n, layout.n_groups, layout.low, layout.high, alike=False):
            hard, soft = plain_cost(roster, asked, groups, layout.n_groups)
            if hard == 0:
                key = parted(np.array(groups))
                costs[key] = min(soft, costs.get(key, np.inf))
    if isinstance(found, Conflict):
        assert not costs
        return
    assert found.n_exist == len(costs)
    assert len(found.proposals) == len({parts(one) for one in found.proposals}) == min(5, len(costs))
    assert min(one.objective for one in found.proposals) == pytest.approx(min(costs.values()))
    assert found.bound == pytest.approx(min(costs.values()))
    assert bool(notes_on(found)) == (len(costs) < 5)


def test_where_fewer_exist_a_note_says_how_many():
    few = propose(a_class(4), Spec(Size(2)), Effort(n_proposals=5))
    assert notes_on(few) == [
        "only 3 different groupings keep the hard rules and the size, so there are not 5 proposals"
    ]
    one = propose(a_class(3), Spec(Size(3)), Effort(n_proposals=3))
    assert "only one grouping keeps" in notes_on(one)[0]
    # Too many ways to look at them all, though only one keeps the rules.
    friend = tuple(f"l{(i // 4) * 4 + (i + 1) % 4:02d}" for i in range(24))
    cycle = Rule(0, "friends", hard=True, by=("friend",))
    hidden = propose(a_class(24, friend=friend), Spec(Size(4), (cycle,)), Effort(n_proposals=3, steps=50_000))
    assert len(hidden.proposals) < 3
    assert "found, not 3" in notes_on(hidden)[0]


@given(seed=st.integers(0, 10**6), n=st.integers(1, 14), wanted=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_plain_python_and_can_be_told_as_json(seed, n, wanted):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, n)
    asked = spec(rng, roster, 5, p_hard=0.0)
    for layout in layouts_of(asked.size, n):
        assert all(type(least_broken(one, roster, layout)) is int for one in asked.rules)
    found = propose(roster, asked, Effort(steps=2_000, n_proposals=wanted))
    if isinstance(found, Conflict):  # no number of groups has such sizes
        return
    assert type(found.proved) is bool
    assert type(found.bound) is float
    for one in found.proposals:
        assert (type(one.objective), type(one.broken)) == (float, float)
        for count in one.counts:
            assert {type(x) for x in (count.broken, count.of, *count.by_group)} == {int}
            assert {type(x) for x in (count.mean, count.spread, *count.means)} <= {float, type(None)}
            assert {type(count.finer), type(count.reach)} <= {float}
    assert json.loads(json.dumps(told(roster, found)))["proved_best"] is found.proved
