"""The minutes of a path follow what becomes known of the learner: they do not jump where little does."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.learner.preferences import Goal
from engine.learner.steps_left import MOST_STEPS, expected_steps
from engine.learner.tracing import MASTERED, USUAL_TRACING, Tracing
from engine.path import path_of
from engine.ranking.way import Shelf, way_through
from tests.lessons import NOW, event, practice

quick = settings(max_examples=40, deadline=None)
law = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
CHANCES = st.floats(0.02, 0.9)
KNOWN = st.floats(0.0, 1.0)
# As docs/choosing.md says.
MOST_AFTER_RIGHT, MOST_AFTER_WRONG, A_FEW_MINUTES = 1.25, 2.0, 15.0


@st.composite
def laws(draw):
    guess, slip = draw(st.floats(0.02, 0.35)), draw(st.floats(0.02, 0.3))
    learns, loses = draw(st.floats(0.02, 0.5)), draw(st.floats(0.0, 0.01))
    return Tracing(guess=guess, slip=slip, learns=learns, loses=loses, fades=0.0, prior=0.3, skill_keys=np.zeros(0, np.uint64), priors=np.zeros(0))  # fmt: skip  # noqa: E501


def after(tracing, known, right):
    n = np.array([1])
    return float(tracing.known(np.array([known]), n, np.array([int(right)]), np.zeros(1))[0])


@quick
@given(tracing=laws(), known=KNOWN, learns=CHANCES)
def test_a_right_answer_never_leaves_more_steps_and_none_leave_more_than_the_most(tracing, known, learns):
    before = expected_steps(tracing, known, learns)
    assert 0.0 <= before <= MOST_STEPS
    assert (before == 0.0) == (known >= MASTERED)
    assert before == 0.0 or before >= 1.0 - 1e-9
    if known < MASTERED:
        assert expected_steps(tracing, after(tracing, known, right=True), learns) <= before + 1e-6


@quick
@given(tracing=laws(), learns=CHANCES, known=st.floats(0.0, 0.8))
def test_it_falls_with_what_is_known_and_with_what_a_step_teaches_and_moves_little_where_little_is_known_more(
    tracing, learns, known
):
    here, more, faster = (
        expected_steps(tracing, known, learns), expected_steps(tracing, known + 0.01, learns),
        expected_steps(tracing, known, min(learns * 1.1, 0.9)),
    )  # fmt: skip
    assert more <= here + 1e-6
    assert faster <= here + 1e-6
    assert here - faster <= 0.12 * here + 1e-6


@pytest.mark.parametrize("known", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("learns", [0.05, 0.3])
def test_it_is_the_mean_of_what_learners_of_this_law_take(known, learns):
    tracing, rng, took = USUAL_TRACING, np.random.default_rng(5), []
    for _ in range(2_000):
        knows, believed, n = rng.random() < known, known, 0
        while believed < MASTERED and n < MOST_STEPS:
            right = rng.random() < (1.0 - tracing.slip if knows else tracing.guess)
            believed, n = after(tracing, believed, right), n + 1
            knows = knows or rng.random() < learns
        took.append(n)
    told, spread = expected_steps(tracing, known, learns), 4 * np.std(took) / np.sqrt(len(took))
    assert told == pytest.approx(np.mean(took), rel=0.1, abs=spread)


@quick
@given(
    minutes=st.lists(st.floats(1.0, 60.0), min_size=1, max_size=8),
    rates=st.lists(st.floats(0.0, 0.1), min_size=8, max_size=8),
    known=st.floats(0.0, 0.84),
    learns=CHANCES,
)
def test_a_way_takes_what_its_resources_take_the_best_first(minutes, rates, known, learns):
    n = len(minutes)
    shelf = Shelf(
        np.arange(n), np.zeros(n, np.int64), np.array(rates[:n]), np.array(minutes), learns, np.array([known]),
        USUAL_TRACING,
    )  # fmt: skip
    through = way_through(0, shelf, 10.0)
    assert sorted(through.rows) == list(range(n))
    assert [rates[r] for r in through.rows] == sorted(rates[:n], reverse=True)
    assert min(minutes) - 1e-9 <= through.minutes <= max(minutes) + 1e-9
    assert through.steps == expected_steps(USUAL_TRACING, known, learns)
    assert way_through(1, replace_known(shelf, known), 10.0).minutes == 10.0


def replace_known(shelf, known):

    return replace(shelf, known=np.array([known, known]))


def minutes_of(lesson, goal, events, now):
    state = folded(events, lesson.learner, lesson.offer)
    history = history_of(events, lesson.catalogue.resource_map)
    query = query_with("lena", learner=None, history=history, classes={}, now=now)
    return path_of(goal, state, events, lesson, query=query)


@law
@given(seed=st.integers(0, 10_000), outcome=st.sampled_from([0.0, 1.0]), picks=st.sets(st.integers(0, 15), min_size=1, max_size=4))  # fmt: skip  # noqa: E501
def test_who_follows_the_path_sees_its_minutes_grow_by_no_more_than_is_documented(lesson, seed, outcome, picks):
    skills = sorted(lesson.skill_rows)
    goal, events, now = Goal(skills=tuple(skills[i] for i in picks)), practice(lesson, seed), NOW
    path = minutes_of(lesson, goal, events, now)
    for n in range(8):
        if not path.steps:
            return
        done = {e.resource_id for e in events}
        named = path.steps[0].resources
        chosen = next((r for r in named if r not in done), named[0])
        events = [*events, event(f"on-{n}", resource_id=chosen, outcome=outcome, at=now)]
        now += timedelta(minutes=30)
        following = minutes_of(lesson, goal, events, now)
        most = MOST_AFTER_RIGHT if outcome else MOST_AFTER_WRONG
        assert following.minutes <= path.minutes * most + A_FEW_MINUTES
        path = following
