"""Whatever is said of a goal is true of the slate it is said beside, and the same at every door."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import emptiness
from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.learner.preferences import Goal
from engine.path import path_of
from tests.lessons import NOW, ask, event

law = settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def work(recommender, seed):
    """Most of what there is, skill by skill well or badly done: some is mastered, some has nothing new left."""
    rng = np.random.default_rng(seed)
    events, ids = [], recommender.catalogue.resource_map.ids
    for skill in sorted(recommender.skill_rows):
        share, right = rng.choice([0.0, 0.6, 1.0, 1.0]), rng.choice([0.1, 0.5, 1.0])
        for row in recommender.skill_rows[skill].tolist() * 2:
            if rng.random() < share:
                outcome = float(rng.random() < right)
                events.append(event(300 - len(events), resource_id=ids[row], outcome=outcome))
    return events


def path(recommender, events, goal):
    query = query_with(
        "lena", learner=None, history=history_of(events, recommender.catalogue.resource_map), classes={}, now=NOW
    )
    state = folded(events, recommender.learner, recommender.offer)
    return path_of(Goal(skills=goal), state, events, recommender, query=query)


@law
@given(seed=st.integers(0, 10_000), picks=st.lists(st.integers(0, 15), min_size=1, max_size=3))
def test_a_goal_is_mastered_for_message_and_path_alike(lesson, seed, picks):
    goal = tuple({sorted(lesson.skill_rows)[i] for i in picks})
    events = work(lesson, seed)
    decision, plan = ask(lesson, events, goal=goal, k=5), path(lesson, events, goal)
    assert (decision.message == emptiness.GOAL_MASTERED) == (not plan.remaining)
    if not plan.remaining:
        assert (plan.steps, plan.minutes, plan.finish_p50, plan.finish_p90) == ((), 0.0, None, None)


@law
@given(seed=st.integers(0, 10_000), picks=st.lists(st.integers(0, 15), min_size=1, max_size=3), k=st.integers(1, 6))
def test_what_is_said_to_be_offered_again_is_in_the_slate(lesson, seed, picks, k):
    goal = tuple({sorted(lesson.skill_rows)[i] for i in picks})
    events = work(lesson, seed)
    decision = ask(lesson, events, goal=goal, k=k)
    if decision.message is None or "offered again" not in decision.message:
        return
    done = {e.resource_id for e in events}
    shown = [lesson.catalogue.resources[lesson.catalogue.resource_map.row(o.resource_id)] for o in decision.slate]
    again = {lesson.titles.get(s, s) for r in shown if r.resource_id in done for s in r.skills}
    named = decision.message.removeprefix("There is nothing new on offer for ").split(":")[0]
    assert set(named.replace(" and ", ", ").split(", ")) <= again


def test_both_are_said_now_and_then(lesson):
    said = [
        ask(lesson, work(lesson, seed), goal=(sorted(lesson.skill_rows)[seed % 16],), k=3).message for seed in range(40)
    ]
    assert sum(m == emptiness.GOAL_MASTERED for m in said) >= 3
    assert sum("offered again" in (m or "") for m in said) >= 3
