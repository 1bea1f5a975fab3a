"""Whatever the rules, the catalogue, the learner and the mode: the slate is what the definitions say."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.laws.rules_oracle import Oracle
from tests.laws.rules_worlds import Engine, cases

PER_WORLD = 24


def check(seed, n=PER_WORLD):
    several = cases(seed, n)
    engine = Engine(several[0].rules, several[0].resources)
    for number, case in enumerate(several):
        slate, outcome = engine.decided(case)
        expected = Oracle(case).expected()
        where = (seed, number)
        assert slate == expected.slate, where
        assert len(outcome.conflict) == expected.conflict_size, where
        said = {v.rule_id: v for v in outcome.verdicts}
        untouched = [x for x, held in expected.held.items() if not held and x not in said]
        assert not untouched, where
        assert {x: v.held for x, v in said.items()} == {x: expected.held[x] for x in said}, where
        for x, n_out in expected.taken_out.items():
            told = re.search(r"took out (\d+)", said[x].effect) if x in said else None
            assert (int(told[1]) if told else 0) == n_out, (where, x)
        rules = {r.rule_id: r for r in expected.in_force}
        broken = [x for x, held in expected.held.items() if not held and rules[x].strength == "hard"]
        if not (slate and outcome.conflict) and not outcome.conflict:
            # Only what is not on offer can be missing where hard rules can hold together.
            for x in broken:
                assert rules[x].verb in ("pin", "assign"), where
                assert not set(rules[x].what.resources) <= case.offered, where
    return len(several)


@settings(max_examples=850, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**62))
def test_every_slate_is_the_one_the_definitions_give(seed):
    check(seed)


@pytest.mark.soak
def test_a_million_slates_are_those_the_definitions_give():
    checked, seed = 0, 0
    while checked < 1_000_000:
        checked += check(seed)
        seed += 1
    assert checked >= 1_000_000
