"""Whatever the rules, the catalogue, the learner and the mode: the slate is what the definitions say."""

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.rules.admission import lifts_of
from engine.rules.matching import fits
from engine.rules.outcome import Placed
from engine.rules.proof import finished, holds
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
        if not outcome.conflict:
            # Only what is not on offer can be missing where hard rules can hold together.
            for x in broken:
                assert rules[x].verb in ("pin", "assign"), where
                assert not set(rules[x].what.resources) <= case.offered, where
    return len(several)


@settings(max_examples=850, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**62))
@example(23769)  # a boost and a demotion by the same, which must leave a tie a tie
def test_every_slate_is_the_one_the_definitions_give(seed):
    check(seed)


def check_proof(seed):
    """The proof of any slate at all, mostly wrong ones, against the oracle's."""
    several, r = cases(seed, 6), Random(seed)
    engine, n_broken = Engine(several[0].rules, several[0].resources), 0
    for case in several:
        admission, ranked, situation, ids = engine.prepared(case)
        oracle = Oracle(case)
        put_in = {d.resource_id for d in admission.wanted}
        withheld = np.array([oracle.waits(x) for x in ids], bool) if case.unready else None
        for _ in range(6):
            positions = r.sample(range(len(ids)), min(len(ids), r.randint(0, case.k)))
            slate = [
                Placed(position=p, status="assigned" if ids[p] in put_in and r.random() < 0.8 else "recommended")
                for p in positions
            ]
            if r.random() < 0.7:
                slate.sort(key=lambda p: p.status != "assigned")
            proof = finished(slate, admission, ranked, situation, withheld, case.k)
            as_ids = [(ids[p.position], p.status) for p in slate]
            for rule in admission.plan.rules:
                held = oracle.holds(rule, as_ids)
                assert holds(rule, proof) == held, (seed, rule, as_ids)
                n_broken += not held
    return n_broken


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**62))
def test_the_proof_finds_in_any_slate_what_the_definitions_find(seed):
    check_proof(seed)


def test_the_proof_has_much_to_find():
    assert sum(map(check_proof, range(40))) > 200


def test_the_proof_recomputes_what_a_boost_added():
    found = 0
    for case in (case for seed in range(40) for case in cases(seed, 2)):
        admission, ranked, situation, ids = Engine(case.rules, case.resources).prepared(case)
        resources = [admission.plan.contents.resources[row] for row in admission.rows]
        slate = [Placed(position=p) for p in range(len(ids))]
        for position, added in enumerate(ranked.added):
            terms = lifts_of(admission, position, case.scale)
            assert abs(sum(term for _, term in terms) - added) < 1e-9
        wrong = replace(ranked, added=ranked.added + 0.1)
        for rule in admission.plan.rules:
            if rule.verb == "boost" and any(fits(rule.what, resource) for resource in resources):
                assert holds(rule, finished(slate, admission, ranked, situation, None, 99))
                assert not holds(rule, finished(slate, admission, wrong, situation, None, 99))
                found += 1
    assert found > 5


@pytest.mark.soak
def test_a_million_slates_are_those_the_definitions_give():
    checked, seed = 0, 0
    while checked < 1_000_000:
        checked += check(seed)
        seed += 1
    assert checked >= 1_000_000
