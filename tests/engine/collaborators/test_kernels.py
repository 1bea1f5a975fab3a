"""The compiled search, its twin and the plain reading of the rules say the same."""

import numpy as np
import pytest
from classrooms import VERBS, classroom, plain_cost, rule, spec

from engine.collaborators import kernels, twin
from engine.collaborators.counts import counts_of, hard_broken, objective_of
from engine.collaborators.kernels import Annealing, Prepared, anneal, cost_of, enumerated
from engine.collaborators.problem import problem_of
from engine.collaborators.spec import Spec, layouts_of
from engine.collaborators.start import start_of

compiled = pytest.mark.skipif(kernels.library() is None, reason="nobody compiled the kernels")


def case(seed, n_rules=6, p_hard=0.3):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, int(rng.integers(5, 16)))
    told = spec(rng, roster, n_rules, p_hard=p_hard)
    layout = layouts_of(told.size, len(roster))[0]
    return rng, roster, told, layout


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("hard", [False, True])
def test_a_verb_costs_what_its_words_say(verb, hard):
    for seed in range(15):
        rng, roster, told, layout = case(seed)
        told = Spec(told.size, (rule(rng, roster, 0, verb, hard=hard),))
        problem = problem_of(roster, told, layout)
        groups = start_of(problem, rng)
        if groups is None:
            continue
        expected = plain_cost(roster, told, groups.tolist(), layout.n_groups)
        counts = counts_of(roster, told, groups, layout.n_groups)
        assert (hard_broken(counts), objective_of(counts, told)) == pytest.approx(expected)
        cost = cost_of(Prepared(problem), groups)
        kept_together = verb == "keep_together" and hard
        assert cost[0] == pytest.approx(0 if kept_together else expected[0])
        assert cost[1] + problem.constant == pytest.approx(expected[1])
        assert twin.cost_of(problem, groups.tolist()) == cost


@pytest.mark.parametrize("seed", range(60))
def test_what_the_search_says_its_groups_cost_is_what_they_cost(seed):
    rng, roster, told, layout = case(seed)
    problem = problem_of(roster, told, layout)
    start = start_of(problem, rng)
    if start is None:
        return
    found = anneal(Prepared(problem), start, Annealing(seed=seed, steps=3_000, hot=1.0, cold=0.01, penalty=4.0))
    sizes = np.bincount(found.groups, minlength=layout.n_groups)
    assert layout.low <= sizes.min() <= sizes.max() <= layout.high
    hard, soft = plain_cost(roster, told, found.groups.tolist(), layout.n_groups)
    assert (found.hard, found.soft + problem.constant) == pytest.approx((hard, soft))


@compiled
@pytest.mark.parametrize("seed", range(60))
def test_the_twin_finds_the_same_to_the_last_bit(seed):
    rng, roster, told, layout = case(seed)
    problem = problem_of(roster, told, layout)
    start = start_of(problem, rng)
    if start is None:
        return
    how = Annealing(seed=seed, steps=400, hot=1.0, cold=0.01, penalty=4.0, until_kept=seed % 4 == 0)
    found = anneal(Prepared(problem), start, how)
    groups, hard, soft = twin.anneal(problem, start.tolist(), how)
    assert groups.tolist() == found.groups.tolist()
    assert (hard, soft) == (found.hard, found.soft)


@compiled
@pytest.mark.parametrize("seed", range(40))
def test_the_twin_looks_at_the_same_groupings(seed):
    _, roster, told, layout = case(seed, n_rules=3)
    if len(roster) > 8:
        return
    problem = problem_of(roster, told, layout)
    for limit in (50, 10**6):
        found, seen = enumerated(Prepared(problem), limit)
        code, groups, soft = twin.enumerated(problem, limit)
        assert (code != 2) == seen
        assert (groups is None) == (found is None)
        if found is not None:
            assert (groups.tolist(), soft) == (found.groups.tolist(), found.soft)


def test_without_a_compiler_the_twin_answers(monkeypatch):
    rng, roster, told, layout = case(3, p_hard=0.0)
    prepared = Prepared(problem_of(roster, told, layout))
    start = start_of(prepared.problem, rng)
    how = Annealing(seed=1, steps=200, hot=1.0, cold=0.01, penalty=4.0)
    with_it = anneal(prepared, start, how), cost_of(prepared, start), enumerated(prepared, 500)[1]
    monkeypatch.setattr(kernels, "library", lambda: None)
    without = anneal(prepared, start, how), cost_of(prepared, start), enumerated(prepared, 500)[1]
    assert with_it[0].groups.tolist() == without[0].groups.tolist()
    assert with_it[1:] == without[1:]
