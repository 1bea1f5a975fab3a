"""The laws that every own world obeys, the held-out ones too."""

import copy
from importlib import import_module

import numpy as np
import pytest

from experiments.judging.intake import history_of_world, shelf_of

NAMES = ("half_life", "knowledge_space", "slips_and_guesses", "power_law", "expertise_reversal")
WORLDS = {name: import_module(f"experiments.worlds.{name}").world() for name in NAMES}


@pytest.fixture(params=NAMES)
def world(request):
    return WORLDS[request.param]


def ids_of(world):
    return [r["resource_id"] for r in world.catalog()["resources"]]


def test_the_same_seed_is_the_same_learner_and_the_same_log(world):
    one, two = world.learner(1_000_003), world.learner(1_000_003)
    assert (one.history, one.goal, one.now, one.exam()) == (two.history, two.goal, two.now, two.exam())
    assert [one.step(r) for r in ids_of(world)[:9]] == [two.step(r) for r in ids_of(world)[:9]]
    assert one.exam() == two.exam()
    assert world.log(2, 5) == world.log(2, 5)
    assert world.log(2, 5) != world.log(2, 6)
    assert world.learner(1_000_004).goal != one.goal or world.learner(1_000_004).exam() != one.exam()


def test_luck_is_the_learners_and_not_the_policys(world):
    """After any step the next random numbers are the same."""
    ids, drawn = ids_of(world), set()
    for first in ids[::17]:
        learner = world.learner(1_000_001)
        learner.step(first)
        drawn.add(learner.draws.random())
    assert len(drawn) == 1


def test_exams_lie_between_nothing_and_everything_and_asking_changes_nothing(world):
    for seed in range(1_000_000, 1_000_006):
        learner, chance = world.learner(seed), np.random.default_rng(seed)
        for _ in range(30):
            told = (learner.exam(), [learner.gain(r) for r in ids_of(world)[::9]])
            assert (learner.exam(), [learner.gain(r) for r in ids_of(world)[::9]]) == told
            assert 0 <= told[0] <= 1
            outcome, seconds = learner.step(str(chance.choice(ids_of(world))))
            assert seconds > 0
            assert outcome is None or 0 <= outcome <= 1


def test_the_oracle_is_told_the_mean_change_of_the_exam(world):
    chance, copies = np.random.default_rng(8), 200
    # What never changes is shared by the copies.
    shared = {id(x): x for x in (world.syllabus, *world.syllabus.materials)}
    for seed in range(1_000_000, 1_000_004):
        learner = world.learner(seed)
        learner.history = []
        # A resource that teaches something of the goal, and any other.
        best = max(ids_of(world), key=learner.gain)
        for resource_id in (best, str(chance.choice(ids_of(world)))):
            changes = []
            for number in range(copies):
                other = copy.deepcopy(learner, dict(shared))
                other.draws = np.random.default_rng([seed, number, 7])
                other.step(resource_id)
                changes.append(other.exam() - learner.exam())
            error = 4 * np.std(changes) / copies**0.5 + 2e-3
            assert np.mean(changes) == pytest.approx(learner.gain(resource_id), abs=error)


def test_there_is_something_to_gain_and_resources_differ(world):
    learners = [world.learner(seed) for seed in range(1_000_000, 1_000_020)]
    assert 0.05 < np.mean([x.exam() for x in learners]) < 0.9
    gains = np.array([[x.gain(r) for r in ids_of(world)] for x in learners])
    assert np.mean(gains.max(1)) > 3 * np.mean(np.abs(gains).mean(1))


def test_what_a_world_tells_passes_the_checks_of_an_import(world):
    shelf = shelf_of(world.catalog())
    assert len(shelf.resources) == len(ids_of(world))
    assert {s for r in shelf.resources for s in r.skills} == {s.skill_id for s in shelf.skills}
    learner = next(x for seed in range(50) if (x := world.learner(seed)).history)
    assert len(history_of_world(learner.history, "lena")) == len(learner.history)
    assert set(learner.goal) <= {s.skill_id for s in shelf.skills}


def test_logs_and_judged_learners_are_other_people(world):
    logged = {row["learner_id"] for row in world.log(20, 0)}
    assert len(logged) == 20
    assert world.learner(1_000_000).learner_id not in logged


def test_some_worlds_have_no_clock_no_graph_and_no_outcomes():
    assert WORLDS["expertise_reversal"].learner(1).now is None
    assert not any("at" in row for row in WORLDS["expertise_reversal"].log(3, 0))
    assert not any(s["prerequisites"] for s in WORLDS["power_law"].catalog()["skills"])
    assert any(row["outcome"] is None for row in WORLDS["power_law"].log(3, 0))
