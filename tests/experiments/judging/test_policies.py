"""What each peer does on the toy world, where the right choice is known."""

from dataclasses import replace

import numpy as np
import pytest
from toy_world import SKILLS, world

from engine.domain.interaction import Interaction
from experiments.judging.intake import shelf_of
from experiments.judging.policies import MasteryThreshold, Oracle, PlannedOrder, Popularity, RandomChoice, ReadyWalk
from experiments.judging.tracker import after
from experiments.judging.view import Choices, View
from experiments.judging.zpdes import Zpdes, weight_of

CHOICES = Choices(shelf_of(world().catalog()), {"one-text": 3, "two-film": 5, "three-quiz": 9})


def view(*events, goal=("two",), seed=0, gain=None):
    done = [
        Interaction(
            event_id=f"e{n:03d}", learner_id="lena", kind="attempted", source="toy", resource_id=r, outcome=y, order=n
        )
        for n, (r, y) in enumerate(events)
    ]
    return View(
        learner_id="lena",
        choices=CHOICES,
        goal=tuple(goal),
        closure=tuple(CHOICES.closure(goal)),
        events=done,
        steps_left=5,
        now=None,
        rng=np.random.default_rng(seed),
        gain=gain,
    )


def skills_chosen(policy, *events, **given):
    return {policy.choose(view(*events, seed=s, **given)).split("-")[0] for s in range(40)}


ALL_RIGHT = [("one-quiz", 1.0)] * 6


def test_the_closure_has_prerequisites_first_and_nothing_else():
    assert CHOICES.closure(["three"]) == list(SKILLS)
    assert CHOICES.closure(["one"]) == ["one"]
    assert CHOICES.closure(["two", "unheard-of"]) == ["one", "two", "unheard-of"]


def test_random_takes_anything():
    assert len({RandomChoice().choose(view(seed=s)) for s in range(200)}) == 9


def test_popularity_takes_what_the_log_took_most_and_then_the_next():
    assert Popularity().choose(view()) == "two-film"
    assert Popularity().choose(view(("two-film", None))) == "one-text"


def test_the_planned_order_goes_through_the_goal_and_what_it_needs():
    assert PlannedOrder().choose(view()) == "one-film"
    assert PlannedOrder().choose(view(("one-film", None), ("one-quiz", 0.0))) == "one-text"
    everything = [(r.resource_id, 1.0) for r in CHOICES.resources if "three" not in r.skills]
    assert PlannedOrder().choose(view(*everything)) == "one-film"


def test_mastery_learning_stays_until_the_first_skill_is_mastered():
    assert MasteryThreshold().choose(view()) == "one-film"
    assert MasteryThreshold().choose(view(("one-film", None), ("one-quiz", 0.0))) == "one-text"
    assert MasteryThreshold().choose(view(*ALL_RIGHT)) == "two-film"


def test_mastery_learning_goes_on_with_the_goal_once_all_is_mastered():
    done = [*ALL_RIGHT, *(("two-quiz", 1.0),) * 6]
    assert MasteryThreshold().choose(view(*done)).startswith("two")


def test_the_walk_takes_only_what_the_learner_is_ready_for():
    assert skills_chosen(ReadyWalk()) == {"one"}
    assert skills_chosen(ReadyWalk(), *ALL_RIGHT) == {"two"}
    assert skills_chosen(ReadyWalk(), *ALL_RIGHT, goal=("one", "two")) == {"two"}


def test_zpdes_opens_a_skill_when_what_it_needs_succeeds_and_closes_what_is_mastered():
    assert skills_chosen(Zpdes()) == {"one"}
    assert skills_chosen(Zpdes(), *ALL_RIGHT[:3]) == {"one", "two"}
    assert skills_chosen(Zpdes(), *ALL_RIGHT) == {"two"}
    assert skills_chosen(Zpdes(), *[("one-quiz", 0.0)] * 6) == {"one"}


def test_zpdes_follows_progress():
    rising, level, falling = weight_of([0, 0, 0, 1, 1, 1]), weight_of([1] * 6), weight_of([1, 1, 1, 0, 0, 0])
    assert rising > level > falling


def test_a_skill_that_is_never_scored_opens_what_comes_after_it():
    assert "two" in skills_chosen(Zpdes(), *[("one-film", None)] * 3)


def test_the_oracle_takes_the_best_gain_per_minute_and_does_not_stick():
    gains = {"two-text": 0.3, "two-quiz": 0.2}
    assert Oracle().choose(view(gain=lambda r: gains.get(r, 0.0))) == "two-text"
    assert Oracle().choose(view(gain=lambda r: -0.5 if r.startswith("one") else -0.1)).startswith(("one", "two"))
    first = Oracle().choose(view(gain=lambda _: 0.0))
    assert not first.startswith("three")
    assert Oracle().choose(view((first, 0.0), gain=lambda _: 0.0)) != first


@pytest.mark.parametrize("policy", [RandomChoice, Popularity, PlannedOrder, MasteryThreshold, ReadyWalk, Zpdes])
@pytest.mark.parametrize("goal", [("unheard-of",), ("one", "two", "three")])
def test_every_policy_always_has_an_answer(policy, goal):
    seen = view(("not-there", 1.0), ("one-quiz", 0.5), ("two-film", None), goal=goal)
    assert policy().choose(seen) in CHOICES.by_id
    assert policy().choose(replace(seen, events=[])) in CHOICES.by_id


def test_the_tracker_rises_with_success_falls_with_failure_and_reckons_as_bkt_does():
    p = 0.3
    right = p * 0.9 / (p * 0.9 + 0.7 * 0.2)
    assert after(p, 1.0) == pytest.approx(right + (1 - right) * 0.15)
    assert after(p, None) == pytest.approx(p + 0.7 * 0.15)
    assert after(p, 0.0) < after(p, 0.5) < after(p, 1.0)
