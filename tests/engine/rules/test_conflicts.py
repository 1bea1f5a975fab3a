"""The smallest conflict is really smallest: every set of rules and every slate is tried."""

from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.rule import Rule
from engine.rules.conflicts import EXHAUSTIVE, smallest_conflict
from tests.laws.rules_oracle import Oracle
from tests.laws.rules_worlds import Engine, cases

clauses = st.lists(st.frozensets(st.integers(0, 7), min_size=1, max_size=4), max_size=5)


def rules(n):
    return [Rule(rule_id=f"r{i:02d}", verb="hide") for i in range(n)]


def without(clauses):
    """Rules can hold together where they contain none of these sets."""
    return lambda some: not any(c <= {int(r.rule_id[1:]) for r in some} for c in clauses)


@given(clauses, st.integers(1, 8))
def test_up_to_twelve_rules_no_smaller_set_fails(clauses, n):
    found = smallest_conflict(rules(n), without(clauses))
    inside = [c for c in clauses if max(c) < n]
    assert len(found) == min(map(len, inside), default=0)
    assert not found or frozenset(int(r.rule_id[1:]) for r in found) in inside


@given(st.lists(st.frozensets(st.integers(0, 39), min_size=1, max_size=20), min_size=1, max_size=5))
def test_of_more_rules_nothing_can_be_left_out(clauses):
    can = without(clauses)
    found = smallest_conflict(rules(40), can)
    assert len(found) > 0
    assert not can(found)
    assert all(can([r for r in found if r is not one]) for one in found)
    assert EXHAUSTIVE >= 12


def some_slate_keeps(rules, oracle, demands):
    """Whether any slate at all keeps these hard rules, by trying every set of resources."""
    put = [x for x, own in demands.items() if any(r in rules and r.strength == "hard" for r in own)]
    there = oracle.available(demands)
    for format_ in {r.format for r in oracle.case.resources}:
        least = [r.value["min"][format_] for r in oracle.quota_rules("min", format_) if r in rules]
        most = [r.value["max"][format_] for r in oracle.quota_rules("max", format_) if r in rules]
        if most and min(max(least, default=0), there.count(format_)) > min(most):
            return False
    free = [x for x in oracle.case.candidates if x not in put and all(oracle.keeps(r, x, put=False) for r in rules)]
    for size in range(oracle.case.k + 1 - len(put)):
        for chosen in combinations(free, size):
            if keep((*put, *chosen), put, rules, oracle):
                return True
    return False


def keep(slate, put, rules, oracle):
    counts = oracle.counts(slate)
    for rule in rules:
        if not all(oracle.keeps(rule, x, put=x in put) for x in slate):
            return False
        for format_, n in (rule.value.get("max") or {}).items() if rule.verb == "formats" else ():
            if rule in oracle.quota_rules("max", format_) and counts.get(format_, 0) > n:
                return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**62))
def test_a_conflict_is_one_that_no_slate_solves_and_no_smaller_set_makes(seed):
    several = cases(seed, 12)
    engine = Engine(several[0].rules, several[0].resources)
    for case in several:
        _, outcome = engine.decided(case)
        oracle = Oracle(case)
        demands = oracle.demands()
        hard = [r for r in oracle.rules if r.strength == "hard"]
        named = [r for r in hard if r.rule_id in outcome.conflict]
        if some_slate_keeps(hard, oracle, demands):
            # What is named, if anything, leaves nothing to choose from.
            assert not outcome.slate or not named
            continue
        assert len(named) == len(outcome.conflict) > 0
        assert not some_slate_keeps(named, oracle, demands)
        for size in range(len(named)):
            assert all(some_slate_keeps(few, oracle, demands) for few in combinations(hard, size))
