"""Each mode makes the groups its name promises, and each group gets a task it is ready for."""

from dataclasses import replace

import numpy as np
import pytest

from engine.collaborators.modes import INTEREST, MODES, NEED, PART, Known, parts_of, plan_of, weakest_ready
from engine.collaborators.propose import Effort, propose
from engine.collaborators.purpose import Purpose, notes_for, purpose_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Size
from engine.collaborators.tasks import ready_skills, tasks_of
from engine.domain.errors import BadInput
from engine.domain.resource import Resource

SKILLS = ("add", "halves", "thirds")


def a_class(n=12, seed=0):
    rng = np.random.default_rng(seed)
    mastery = rng.random((n, 3))
    ids = tuple(f"l{i:02d}" for i in range(n))
    return Known(ids, SKILLS, mastery, rng.random((n, 3)) < 0.8, tuple(("sea", "sky", "")[i % 3] for i in range(n)))


def grouped(mode, known, size=3, rules=()):
    roster, spec = plan_of(mode, known, Size(size), rules)
    best = propose(roster, spec, Effort(steps=60_000)).proposals[0]
    return roster, spec, best


def test_same_need_puts_one_need_into_a_group():
    known = a_class()
    mastery = np.full((12, 3), 0.9)
    for i in range(12):
        mastery[i, i % 2] = 0.1
    known = Known(known.learner_ids, SKILLS, mastery, np.ones((12, 3), bool))
    assert weakest_ready(known) == ("add", "halves") * 6
    roster, _, best = grouped("same_need", known)
    assert best.broken == 0
    for g in range(4):
        assert len({roster.columns[NEED][i] for i in np.flatnonzero(best.groups == g)}) == 1


def test_mixed_groups_are_as_strong_as_one_another():
    known = a_class(seed=3)
    _, _, best = grouped("mixed", known)
    means = [known.mastery[best.groups == g].mean() for g in range(4)]
    chance = [np.std([known.mastery[p[i::4]].mean() for i in range(4)]) for p in _shuffles(12)]
    assert np.std(means) < np.mean(chance) / 2


def _shuffles(n):
    rng = np.random.default_rng(1)
    return [rng.permutation(n) for _ in range(200)]


def test_a_jigsaw_has_one_expert_of_each_part_in_every_group():
    known = a_class(seed=4)
    roster, _, best = grouped("jigsaw", known)
    for g in range(4):
        assert {roster.columns[PART][i] for i in np.flatnonzero(best.groups == g)} == set(SKILLS)


def test_parts_are_even_and_go_to_those_who_know_them():
    known = a_class(seed=5)
    parts = parts_of(known)
    assert [parts.count(skill) for skill in SKILLS] == [4, 4, 4]
    own = [known.mastery[i, SKILLS.index(part)] for i, part in enumerate(parts)]
    assert np.mean(own) > known.mastery.mean() + 0.1


def test_interest_keeps_the_unknown_anywhere():
    _, _, best = grouped("interest", a_class())
    assert best.broken == 0


@pytest.mark.parametrize("mode", MODES)
def test_further_rules_keep_their_indexes_and_hold(mode):
    known = a_class()
    apart = Rule(0, "keep_apart", hard=True, learners=("l00", "l01"))
    _, spec, best = grouped(mode, known, rules=(apart,))
    assert [rule.index for rule in spec.rules] == list(range(len(spec.rules)))
    assert spec.rules[0] == apart
    assert best.groups[0] != best.groups[1]


def test_an_unknown_mode_is_refused():
    with pytest.raises(BadInput, match="choose one of same_need"):
        plan_of("speed_dating", a_class(), Size(3))


def test_a_group_s_task_asks_for_nothing_it_is_not_ready_for():
    mastery = np.array([[0.9, 0.2, 0.1], [0.9, 0.4, 0.2], [0.2, 0.1, 0.1], [0.9, 0.9, 0.3]])
    ready = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 1, 1]], bool)
    known = Known(("a", "b", "c", "d"), SKILLS, mastery, ready)
    assert ready_skills(known, [0, 1]) == ("halves",)
    assert ready_skills(known, [2, 3]) == ("add",)
    resources = [
        Resource(resource_id="r1", title="", format="video", skills=("halves",)),
        Resource(resource_id="r2", title="", format="project", skills=("halves", "thirds")),
        Resource(resource_id="r3", title="", format="project", skills=("add", "halves")),
        Resource(resource_id="r4", title="", format="exercise", skills=("add",)),
    ]
    first, second = tasks_of(known, np.array([0, 0, 1, 1], np.int32), 2, resources)
    assert (first.resource_id, first.skills, first.inquiry, first.artifact) == ("r3", ("halves",), True, True)
    assert (second.resource_id, second.artifact) == ("r4", False)


def test_an_artifact_is_among_the_tasks_where_it_can_be():
    known = Known(("a", "b"), SKILLS[:2], np.zeros((2, 2)), np.ones((2, 2), bool))
    resources = [
        Resource(resource_id="r1", title="", format="exercise", skills=("add", "halves")),
        Resource(resource_id="r2", title="", format="exercise", skills=("add",), tags=("artifact",)),
    ]
    tasks = tasks_of(known, np.array([0, 1], np.int32), 2, resources)
    assert [task.resource_id for task in tasks] == ["r2", "r2"]
    # Only what is not first for a group is to be made: it gets that all the same.
    halves = [resources[0], replace(resources[1], skills=("halves",)), replace(resources[0], resource_id="r0")]
    tasks = tasks_of(known, np.array([0, 1], np.int32), 2, halves)
    assert [task.resource_id for task in tasks] == ["r2", "r1"]
    assert tasks_of(known, np.array([0, 1], np.int32), 2, []) == [None, None]


def test_a_task_fits_the_first_skill_of_its_group_and_groups_get_different_ones():
    known = Known(("a", "b", "c", "d", "e"), SKILLS, np.zeros((5, 3)), np.ones((5, 3), bool))
    formats = {"video": SKILLS[:2], "project": SKILLS, "experiment": SKILLS[:1]}
    made = [(f"{form}-{skill}", form, (skill,)) for form, skills in formats.items() for skill in skills]
    made.append(("fair", "project", SKILLS))
    resources = [Resource(resource_id=x, title="", format=form, skills=skills) for x, form, skills in made]
    first = [("add",), ("halves",), ("add",), ("add",), ("thirds",)]
    groups = np.arange(5, dtype=np.int32)
    tasks = tasks_of(known, groups, 5, resources, skills=first)
    assert all(skills[0] in task.skills and task.artifact for skills, task in zip(first, tasks, strict=True))
    names = [task.resource_id for task in tasks]
    assert names == ["fair", "project-halves", "experiment-add", "project-add", "project-thirds"]
    assert tasks == tasks_of(known, groups, 5, resources[::-1], skills=first)


def test_those_who_share_an_interest_come_together_though_others_told_none():
    ids = tuple(f"l{i:02d}" for i in range(12))
    for wanting, groups in (({0, 4, 7, 11}, [4]), ({0, 1, 5, 7, 11}, [2, 3]), ({3}, [1]), (set(), [])):
        wants = tuple("format:project" if i in wanting else "" for i in range(12))
        known = Known(ids, SKILLS, np.zeros((12, 3)), np.ones((12, 3), bool), wants)
        roster, _, best = grouped("interest", known, size=4)
        assert best.broken == 0
        found = sorted(c for c in np.bincount(best.groups[sorted(wanting)], minlength=3).tolist() if c)
        assert found == groups
        [note] = notes_for("interest", roster)
        shared = len(wanting) > 1
        assert note.startswith(
            f"{12 - len(wanting)} of the 12 want nothing that others want" if shared else "nobody here"
        )
    assert notes_for("random", roster) == []


def test_a_group_says_what_it_has_in_common_and_a_jigsaw_who_is_the_expert_of_what():
    known = a_class(seed=4)
    roster, _, best = grouped("jigsaw", known)
    members = np.flatnonzero(best.groups == 0).tolist()
    told = purpose_of("jigsaw", roster, members, str.upper)
    assert told.experts == {known.learner_ids[i]: roster.columns[PART][i] for i in members}
    assert (told.in_common, told.text_teacher) == (None, "Each is the expert of a part: ADD, HALVES, THIRDS.")
    roster = Roster(("a", "b", "c", "d"), {NEED: ("add", "halves", "halves", ""), INTEREST: ("sea", "", "", "")})
    told = purpose_of("same_need", roster, range(4), str.upper)
    assert (told.in_common, told.text_teacher) == ("halves", "2 of 4 need HALVES next; 1 needs something else.")
    told = purpose_of("interest", roster, range(4), str.upper)
    assert (told.in_common, told.text_teacher, told.experts) == ("sea", "1 of 4 wants SEA.", {})
    for mode, members in (("same_need", [3]), ("mixed", [0]), ("random", [0])):
        assert purpose_of(mode, roster, members, str.upper) == Purpose()
    assert purpose_of("jigsaw", Roster(("a",), {PART: ("",)}), [0], str.upper) == Purpose()
