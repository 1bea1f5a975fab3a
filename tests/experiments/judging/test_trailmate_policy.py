"""The engine as a policy hears each event once, and the goal once, after what happened before."""

from dataclasses import replace

import numpy as np
import pytest
from toy_world import ToyWorld

from engine.bundle import read_bundle
from engine.domain.interaction import Interaction
from engine.learner.fold import folded
from engine.learner.preferences import goal_of
from experiments.judging.intake import history_of_world
from experiments.judging.setup import Schooling, prepared
from experiments.judging.trailmate_policy import Trailmate, recommender_for
from experiments.judging.view import View, next_order


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    bundle = tmp_path_factory.mktemp("taught") / "bundle"
    schooling = Schooling(seed=0, n_learners=30, bundle=bundle)
    choices, _, version = prepared("trailmate", ToyWorld(), schooling, lambda _w, _s: None)
    told = read_bundle(bundle)
    assert told.version == version
    return choices, recommender_for(told, choices)


def view_of(choices, events):
    goal = ("two",)
    return View(
        learner_id="lena", choices=choices, goal=goal, closure=tuple(choices.closure(goal)), events=events,
        steps_left=9, now=None, rng=np.random.default_rng(0),
    )  # fmt: skip


def test_the_state_is_what_all_events_fold_to(taught):
    choices, recommender = taught
    policy = Trailmate(recommender)
    # An earlier goal in the history counts as an event, and the goal of now stands.
    before = [
        {"resource_id": "one-quiz", "outcome": 0.0},
        {"kind": "goal_set", "value": '{"skills": ["three"]}'},
        {"resource_id": "one-quiz", "outcome": 1.0},
    ]
    events = history_of_world(before, "lena")
    for n in range(3):
        chosen = policy.choose(view_of(choices, events))
        assert chosen in choices.by_id
        events.append(
            Interaction(
                event_id=f"step-{n}", learner_id="lena", kind="attempted", source="toy", resource_id=chosen,
                outcome=1.0, order=next_order(events),
            )
        )  # fmt: skip
    policy.choose(view_of(choices, events))
    heard = policy._events
    assert [e.event_id for e in heard if e.kind != "goal_set"] == [e.event_id for e in events if e.kind != "goal_set"]
    assert goal_of(policy._state.goal).skills == ("two",)
    again = folded(heard, recommender.learner, recommender.offer)
    assert policy._state.n_events == again.n_events == len(events) + 1
    assert np.array_equal(policy._state.blocks, again.blocks)


def test_the_same_view_gets_the_same_choice(taught):
    choices, recommender = taught
    view = view_of(choices, [])
    assert Trailmate(recommender).choose(view) == Trailmate(recommender).choose(replace(view))
