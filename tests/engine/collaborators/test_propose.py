"""Proposals against every grouping there is: the best is found, hard rules hold, conflicts cannot be made smaller."""

import time

import numpy as np
import pytest
from classrooms import VERBS, classroom, groupings, plain_cost, rule, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collaborators import feasible
from engine.collaborators.conflict import Conflict, conflict_of
from engine.collaborators.feasible import Kept, Verdict
from engine.collaborators.propose import Effort, locked, propose
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Size, Spec, layouts_of
from engine.collaborators.telling import sentence_on
from engine.domain.errors import Unavailable

QUICK = Effort(seed=0, seconds=20, steps=20_000)


def every_cost(roster, told):
    """The cost of every grouping of every layout."""
    n, alike = len(roster), not any(r.verb == "lock" for r in told.rules)
    for layout in layouts_of(told.size, n):
        k = layout.n_groups
        for groups in groupings(n, k, layout.low, layout.high, alike=alike):
            yield plain_cost(roster, told, groups, k)


def can_hold(roster, told, indexes):
    rules = tuple(r for r in told.rules if r.index in indexes)
    return any(hard == 0 for hard, _ in every_cost(roster, Spec(told.size, rules)))


def check_conflict(roster, told, conflict):
    assert conflict.proved
    assert {r.index for r in told.rules if r.hard} >= set(conflict.rules)
    assert not can_hold(roster, told, set(conflict.rules))
    for index in conflict.rules:
        assert can_hold(roster, told, set(conflict.rules) - {index})


@pytest.mark.parametrize("n_proposals", [1, 3])
def test_a_class_of_thirteen_is_proved_best_though_several_are_wanted(n_proposals):
    rng = np.random.default_rng(5)
    roster = classroom(rng, 13)
    rules = tuple(rule(rng, roster, i, verb, hard=False) for i, verb in enumerate(("balance", "friends", "cluster")))
    found = propose(roster, Spec(Size(4), rules), Effort(seconds=1.0, n_proposals=n_proposals))
    assert found.proved
    assert len(found.proposals) == n_proposals
    assert found.bound > 0


@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 7), n_rules=st.integers(0, 6), p_hard=st.sampled_from([0.0, 0.3, 0.9])
)
@settings(max_examples=80, deadline=None)
def test_in_a_tiny_class_the_best_of_all_groupings_is_found(seed, n, n_rules, p_hard):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, n)
    told = spec(rng, roster, n_rules, p_hard=p_hard)
    found = propose(roster, told, QUICK)
    costs = [soft for hard, soft in every_cost(roster, told) if hard == 0]
    if not costs:
        assert isinstance(found, Conflict)
        check_conflict(roster, told, found)
        return
    best = found.proposals[0]
    assert best.objective == pytest.approx(min(costs))
    assert found.bound == pytest.approx(min(costs))
    assert found.proved


@pytest.mark.parametrize("seed", range(12))
def test_the_search_finds_the_best_as_well_and_no_bound_is_above_it(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, 9)
    told = spec(rng, roster, 6, size=Size(3), p_hard=0.0)
    told = Spec(told.size, tuple(r for r in told.rules if r.verb != "lock"))
    # Several proposals, and no places to look at them all: neither short way over all groupings is taken.
    monkeypatch.setattr("engine.collaborators.propose._EVERY_PLACES", 0)
    found = propose(roster, told, Effort(seed=seed, steps=200_000, n_proposals=3))
    least = min(soft for _, soft in every_cost(roster, told))
    assert found.proposals[0].objective == pytest.approx(least)
    assert found.bound <= least + 1e-6


def made(seed):
    """A class as a school may have it, every tenth a large one, with hard rules that sometimes cannot hold."""
    rng = np.random.default_rng(seed)
    large, ranged = seed % 10 == 0, rng.random() < 0.4
    # A range of sizes is refused only when each number of groups is: small classes keep the test short.
    roster = classroom(rng, int(rng.integers(27, 90) if large else rng.integers(2, 19 if ranged else 27)))
    size = Size(int(rng.integers(2, 4)), int(rng.integers(4, 6))) if ranged else Size(int(rng.integers(2, 6)))
    n_groups = max(len(roster) // 4, 1)
    # Hard friends or clusters in a large class may be too hard to refuse in the time.
    verbs = sorted({*VERBS} - ({"friends", "cluster", "distribute"} if large else {"distribute"}))
    rules = [
        rule(rng, roster, i, str(rng.choice(verbs)), hard=bool(rng.random() < 0.4), n_groups=n_groups)
        for i in range(int(rng.integers(1, 7)))
    ]
    return roster, Spec(size, tuple(rules))


def judge(seeds):
    """How many classes were grouped, refused and left undecided; hard rules are counted by the plain reading."""
    grouped = refused = undecided = 0
    for seed in seeds:
        roster, told = made(seed)
        try:
            effort = Effort(seed=seed, steps=1_500, seconds=30)
            found = propose(roster, told, effort, clock=time.process_time)
        except Unavailable:
            undecided += 1
            continue
        if isinstance(found, Conflict):
            refused += 1
            continue
        grouped += 1
        best = found.proposals[0]
        assert plain_cost(roster, told, best.groups.tolist(), best.layout.n_groups)[0] == 0, seed
        sizes = np.bincount(best.groups, minlength=best.layout.n_groups)
        assert best.layout.low <= sizes.min() <= sizes.max() <= best.layout.high, seed
    return grouped, refused, undecided


@pytest.mark.parametrize("part", range(8))
def test_no_hard_rule_is_broken_in_two_thousand_classes(part):
    grouped, refused, undecided = judge(range(250 * part, 250 * (part + 1)))
    assert undecided == 0
    assert grouped > 100
    assert refused > 25


@pytest.mark.soak
def test_no_hard_rule_is_broken_in_twenty_thousand_classes():
    grouped, refused, undecided = judge(range(2_000, 22_000))
    # Said to be undecided, never grouped with a rule broken: balances of large classes in pairs.
    assert undecided <= 20
    assert grouped > 10_000
    assert refused > 2_000


def test_small_conflicts_are_real_and_cannot_be_made_smaller():
    seen = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        roster = classroom(rng, int(rng.integers(3, 9)))
        told = spec(rng, roster, 5, p_hard=0.8)
        found = propose(roster, told, QUICK)
        if isinstance(found, Conflict) and seen < 60:
            seen += 1
            check_conflict(roster, told, found)
    assert seen == 60


def a_class(n, **columns):
    return Roster(tuple(f"l{i:02d}" for i in range(n)), columns)


def hard(index, verb, **about):
    return Rule(index=index, verb=verb, hard=True, **about)


@pytest.mark.parametrize(
    ("n", "size", "rules", "conflict"),
    [
        (40, Size(4), [hard(0, "keep_apart", learners=tuple(f"l{i:02d}" for i in range(11)))], (0,)),
        (40, Size(4), [hard(0, "keep_together", learners=tuple(f"l{i:02d}" for i in range(5)))], (0,)),
        (
            40,
            Size(4),
            [
                hard(0, "keep_together", learners=("l00", "l01")),
                hard(1, "keep_together", learners=("l01", "l02")),
                hard(2, "keep_together", learners=("l03", "l04")),
                hard(3, "keep_apart", learners=("l00", "l02")),
            ],
            (0, 1, 3),
        ),
        (
            40,
            Size(4),
            [hard(0, "lock", learners=("l00",), group=11), hard(1, "lock", learners=("l01",), group=1)],
            (0,),
        ),
        (
            40,
            Size(4),
            [
                hard(0, "lock", learners=("l00", "l01", "l02"), group=1),
                hard(1, "lock", learners=("l03", "l04"), group=1),
                hard(2, "keep_apart", learners=("l05", "l06")),
            ],
            (0, 1),
        ),
        (7, Size(5, 6), [], ()),
        (2, Size(3, 5), [hard(0, "keep_apart", learners=("l00", "l01"))], ()),
    ],
)
def test_known_conflicts(n, size, rules, conflict):
    found = propose(a_class(n), Spec(size, tuple(rules)), QUICK)
    assert isinstance(found, Conflict)
    assert (found.rules, found.proved) == (conflict, True)


def test_what_cannot_be_decided_in_time_is_said_and_no_rule_broken(monkeypatch):
    monkeypatch.setattr(feasible, "_LARGE", 0)
    # Everybody has one friend and groups are pairs, of which two may not meet.
    pairs = {f"l{i:02d}": f"l{i ^ 1:02d}" for i in range(30)}
    roster = a_class(30, friend=tuple(pairs.values()))
    told = Spec(Size(2), (hard(0, "friends", by=("friend",)), hard(1, "keep_apart", learners=("l00", "l01"))))
    with pytest.raises(Unavailable, match="allow more seconds, or make a rule soft"):
        propose(roster, told, QUICK)
    monkeypatch.undo()
    assert propose(roster, told, QUICK).rules == (0, 1)


def test_learners_joined_by_a_chain_of_rules_stay_together():
    for seed in range(50):
        order = [f"l{i:02d}" for i in np.random.default_rng(seed).permutation(8)]
        links = np.random.default_rng(seed + 1).permutation(7)
        rules = [hard(at, "keep_together", learners=(order[i], order[i + 1])) for at, i in enumerate(links)]
        best = propose(a_class(24), Spec(Size(8), tuple(rules)), Effort(steps=100)).proposals[0]
        assert len({int(best.groups[int(learner[1:])]) for learner in order}) == 1


def test_the_same_seed_gives_the_same_groups_and_another_seed_others():
    rng = np.random.default_rng(5)
    roster = classroom(rng, 40)
    told = spec(rng, roster, 6, size=Size(4), p_hard=0.0)
    one, again, other = (propose(roster, told, Effort(seed=s, steps=60_000)) for s in (1, 1, 2))
    assert one.proposals[0].groups.tolist() == again.proposals[0].groups.tolist()
    assert one.proposals[0].groups.tolist() != other.proposals[0].groups.tolist()


def test_a_clock_that_does_not_end_the_search_changes_nothing():
    rng = np.random.default_rng(6)
    roster = classroom(rng, 24)
    told = spec(rng, roster, 5, size=Size(4), p_hard=0.0)
    ticks = iter(np.arange(0, 50, 0.01))
    free, timed = (
        propose(roster, told, Effort(steps=60_000, seconds=100), clock=c) for c in (None, lambda: next(ticks))
    )
    assert free.proposals[0].groups.tolist() == timed.proposals[0].groups.tolist()
    assert not timed.limited


def test_a_clock_that_ends_the_search_is_told():
    rng = np.random.default_rng(7)
    roster = classroom(rng, 60)
    rules = (Rule(0, "cluster", hard=False, by=("major",)), Rule(1, "distribute", hard=False, by=("major",)))
    told = Spec(Size(4), rules)
    ticks = iter(np.arange(0, 10**4, 0.4))
    found = propose(roster, told, Effort(seconds=2.0), clock=lambda: next(ticks))
    assert found.limited
    assert found.steps < 2.0 * 400_000


def test_proposals_are_ranked_and_differ():
    rng = np.random.default_rng(8)
    roster = classroom(rng, 30)
    told = spec(rng, roster, 5, size=Size(4), p_hard=0.0)
    found = propose(roster, told, Effort(steps=300_000, n_proposals=3))
    told_apart = {one.groups.tobytes() for one in found.proposals}
    assert len(found.proposals) == len(told_apart) == 3
    broken = [one.broken for one in found.proposals]
    assert broken == sorted(broken)


def test_locked_members_stay_where_a_proposal_put_them():
    rng = np.random.default_rng(9)
    roster = classroom(rng, 26)
    told = Spec(Size(4), (Rule(0, "balance", hard=False, by=("gpa",)), Rule(1, "cluster", hard=False, by=("major",))))
    first = propose(roster, told, Effort(seed=1, steps=20_000)).proposals[0]
    held = [roster.learner_ids[i] for i in (0, 5, 9, 20)]
    locks = locked(first, roster, held)
    again = propose(roster, Spec(told.size, (*told.rules, *locks)), Effort(seed=2, steps=20_000)).proposals[0]
    for i in (0, 5, 9, 20):
        assert again.groups[i] == first.groups[i]
    assert again.groups.tolist() != first.groups.tolist()


@pytest.mark.parametrize(("n", "size", "sizes"), [
    (1, Size(4), [1]), (3, Size(5), [3]), (7, Size(4), [7]), (11, Size(4), [5, 6]), (103, Size(4), [4] * 22 + [5] * 3),
    (10, Size(1), [1] * 10), (9, Size(3, 3), [3, 3, 3]),
])  # fmt: skip
def test_sizes_without_any_rule(n, size, sizes):
    found = propose(a_class(n), Spec(size), Effort(steps=100))
    assert sorted(np.bincount(found.proposals[0].groups).tolist()) == sizes
    assert found.proved


def test_a_range_is_kept_and_the_middle_preferred():
    sizes = np.bincount(propose(a_class(41), Spec(Size(3, 5)), QUICK).proposals[0].groups)
    assert len(sizes) == 10
    assert 3 <= sizes.min() <= sizes.max() <= 5


def test_a_range_takes_another_number_of_groups_where_the_first_cannot_hold():
    apart = hard(0, "keep_apart", learners=tuple(f"l{i:02d}" for i in range(13)))
    sizes = np.bincount(propose(a_class(40), Spec(Size(3, 5), (apart,)), QUICK).proposals[0].groups)
    assert len(sizes) == 13


def test_the_pairs_of_a_conflict_are_found_among_many_rules():
    apart = [hard(i, "keep_apart", learners=(f"l{i:02d}", f"l{i + 20:02d}")) for i in range(14)]
    told = Spec(Size(4), (*apart, hard(14, "keep_together", learners=("l03", "l23"))))
    found = propose(a_class(40), told, QUICK)
    assert found.rules == (3, 14)


APART_3 = hard(0, "keep_apart", learners=("l00", "l01", "l02"))
TOGETHER = hard(1, "keep_together", learners=("l00", "l01"))


@pytest.mark.parametrize(
    ("size", "rules", "sized"),
    [(Size(20), (APART_3,), True), (Size(4), (APART_3, TOGETHER), False), (Size(40), (APART_3, TOGETHER), True)],
)
def test_a_size_is_a_cause_where_another_would_do(size, rules, sized):
    found = propose(a_class(28), Spec(size, rules), QUICK)
    assert found.sized == sized
    assert ("change the size" in sentence_on(found, Spec(size, rules))) == sized


def test_a_conflict_that_may_be_smaller_says_so(monkeypatch):
    told = Spec(Size(4), tuple(hard(i, "keep_apart", learners=(f"l{i:02d}", f"l{i + 9:02d}")) for i in range(3)))

    def undecided(_roster, asked, _left, **_how):
        layouts = tuple(layouts_of(asked.size, 28))
        return Verdict((), () if len(asked.rules) == 3 else layouts)

    monkeypatch.setattr("engine.collaborators.conflict.verdict_on", undecided)
    found = conflict_of(a_class(28), told, lambda: 0.0)
    assert (found.rules, found.proved) == ((0, 1, 2), False)
    assert "cannot all hold; or fewer of them, there was no time to find out: change one" in sentence_on(found, told)


def test_a_conflict_is_smallest_whatever_was_undecided_elsewhere(monkeypatch):
    told = Spec(Size(4), tuple(hard(i, "keep_apart", learners=(f"l{i:02d}", f"l{i + 9:02d}")) for i in range(3)))

    def first_undecided(roster, asked, _left, **_how):
        layouts = tuple(layouts_of(asked.size, 28))
        indexes = [r.index for r in asked.rules]
        kept = (Kept(layouts[0], np.zeros(28, np.int32)),) if not indexes else ()
        return Verdict(kept, () if indexes == [1] else layouts)

    monkeypatch.setattr("engine.collaborators.conflict.verdict_on", first_undecided)
    found = conflict_of(a_class(28), told, lambda: 0.0)
    assert (found.rules, found.proved) == ((1,), True)
