"""The program says of every verb what the plain reading says, and its door is opened only when it is needed."""

import subprocess
import sys

import numpy as np
import pytest
from classrooms import VERBS, breaks, classroom, groupings, rule, spec

from engine.collaborators import exact
from engine.collaborators.bounds import least_broken, least_finer
from engine.collaborators.counts import share_of
from engine.collaborators.exact import Limits, solved
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Size, Spec

LAYOUTS = (Layout(2, 3, 4), Layout(3, 2, 3))


def least_by_reading(roster, told, layout):
    """The least weighted breaks of soft rules in groupings that break no hard one; None where there is none."""
    alike = not any(one.verb == "lock" for one in told.rules)
    found = []
    for groups in groupings(len(roster), layout.n_groups, layout.low, layout.high, alike=alike):
        broken = [(one, breaks(one, roster, groups, layout.n_groups)[0]) for one in told.rules]
        if not any(n for one, n in broken if one.hard):
            found.append(sum(one.weight * n for one, n in broken if not one.hard))
    return min(found, default=None)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("hard", [False, True])
def test_a_verb_alone(verb, hard):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        roster = classroom(rng, 7)
        told = Spec(Size(3), (rule(rng, roster, 0, verb, hard=hard),))
        for layout in LAYOUTS:
            least = least_by_reading(roster, told, layout)
            found = solved(roster, told, layout, Limits(20))
            assert found.impossible == (least is None)
            if least is not None:
                assert found.finished
                broken = breaks(told.rules[0], roster, found.groups.tolist(), layout.n_groups)[0]
                assert broken * told.rules[0].weight * (not hard) == pytest.approx(least)
                assert found.bound == pytest.approx(least)


@pytest.mark.parametrize("seed", range(12))
def test_several_verbs_together(seed):
    rng = np.random.default_rng(seed)
    roster = classroom(rng, 7)
    told = spec(rng, roster, 4, size=Size(3))
    for layout in LAYOUTS:
        least = least_by_reading(roster, told, layout)
        found = solved(roster, told, layout, Limits(20))
        assert found.impossible == (least is None)
        assert least is None or found.bound == pytest.approx(least)


@pytest.mark.parametrize("verb", VERBS)
def test_counting_never_says_more_than_is_true(verb):
    told_something = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        roster = classroom(rng, 7)
        one = rule(rng, roster, 0, verb)
        for layout in LAYOUTS:
            alike = verb != "lock"
            every = groupings(7, layout.n_groups, layout.low, layout.high, alike=alike)
            least = min(breaks(one, roster, groups, layout.n_groups)[0] for groups in every)
            assert least_broken(one, roster, layout) <= least
            told_something += least_broken(one, roster, layout) > 0
    if verb in ("cluster", "avoid_repeat"):
        assert told_something


@pytest.mark.parametrize("verb", ["cluster", "distribute"])
def test_counting_what_is_finer_never_says_more_than_is_true_and_often_just_that(verb):
    exactly = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        roster = classroom(rng, 7)
        if seed % 2:
            roster = Roster(roster.learner_ids, {"major": tuple(m or "x" for m in roster.columns["major"])})
        told = Spec(Size(3), (rule(rng, roster, 0, verb, hard=False),))
        for layout in LAYOUTS:
            every = groupings(7, layout.n_groups, layout.low, layout.high, alike=True)
            least = min(breaks(told.rules[0], roster, groups, layout.n_groups)[1] for groups in every)
            counted = least_finer(roster, told, layout) / share_of(told.rules[0], told)
            assert counted <= least + 1e-12
            exactly += counted == pytest.approx(least)
    assert exactly >= 20


@pytest.mark.parametrize(("majors", "least"), [("xxxxxxxyz", 2), ("xxxyyyzzz", 0), ("xxxxxxxxx", 0), ("xxxxxxy--", 0)])
def test_too_few_different_values_are_counted(majors, least):
    roster = Roster(tuple("abcdefghi"), {"major": tuple(m.strip("-") for m in majors)})
    one = Rule(0, "distribute", hard=False, by=("major",))
    assert least_broken(one, roster, Layout(3, 3, 3)) == least
    every = groupings(9, 3, 3, 3)
    assert min(breaks(one, roster, groups, 3)[0] for groups in every) >= least


def test_scipy_is_not_loaded_before_it_is_needed():
    code = "import sys, engine.collaborators.propose; print('scipy' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout.strip() == "False"


def test_a_class_too_large_to_be_worth_it_is_told_by_its_size():
    roster = classroom(np.random.default_rng(0), 30)
    assert exact.size_of(roster, Spec(Size(3)), Layout(10, 3, 3)) == 300
