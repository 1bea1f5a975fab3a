"""The laws of the simulated mind, seen one at a time."""

from datetime import UTC, datetime

import numpy as np
import pytest

from experiments.simulation.curriculum import FORMS, Course
from experiments.simulation.learning import State, first_state, p_success, readiness, recall, take, updated_where
from experiments.simulation.school import build_school
from experiments.simulation.traits import Traits, traits_of

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY_US = 86_400_000_000


@pytest.fixture
def mathematics() -> tuple[Course, Traits, State]:
    school = build_school(600, seed=5, now=NOW)
    course = school.courses[0]
    traits = traits_of(school, course, school.members(0))
    return course, traits, first_state(course, traits)


def row(course: Course, resource_id: str) -> int:
    return [resource.resource_id for resource in course.resources].index(resource_id)


def everyone(traits: Traits, chosen: int) -> np.ndarray:
    return np.full(len(traits.learner), chosen)


def test_half_of_mastery_fades_with_its_half_life_and_half_stays(mathematics: tuple[Course, Traits, State]) -> None:
    _, traits, state = mathematics
    half_life_us = (state.half_life[:, 0] * DAY_US).astype(np.int64)
    np.testing.assert_allclose(recall(state, traits.starts_us), state.mastery)
    np.testing.assert_allclose(recall(state, traits.starts_us + half_life_us), 0.75 * state.mastery)
    np.testing.assert_allclose(recall(state, traits.starts_us + 1000 * half_life_us), 0.5 * state.mastery)


def test_practice_teaches_most_where_the_prerequisites_are_known(mathematics: tuple[Course, Traits, State]) -> None:
    course, traits, state = mathematics
    practice, skill = row(course, "m7-frac-2-practice"), 1
    state.mastery[:, skill] = 0.2
    gained = []
    for known_before in (0.0, 0.5, 1.0):
        state.mastery[:, 0] = known_before
        after, _ = take(
            course, traits, state, chosen=everyone(traits, practice), at_us=traits.starts_us, step=0, seed=5
        )
        gained.append(after.mastery[:, skill] - 0.2)
    assert (gained[0] > 0).all()
    assert (gained[1] > gained[0]).all()
    assert (gained[2] > gained[1]).all()


def test_a_project_also_practises_the_skill_it_uses_but_less(mathematics: tuple[Course, Traits, State]) -> None:
    course, traits, state = mathematics
    state.mastery[:] = 0.3
    project = everyone(traits, row(course, "m7-frac-2-project"))
    after, _ = take(course, traits, state, chosen=project, at_us=traits.starts_us, step=0, seed=5)
    changed = (after.mastery != state.mastery).any(axis=0)
    assert changed.tolist() == [True, True] + [False] * 9
    assert (after.half_life[:, 1] > after.half_life[:, 0]).all()
    assert (state.mastery == 0.3).all()


def test_outcomes_follow_the_chance_of_success(mathematics: tuple[Course, Traits, State]) -> None:
    course, traits, state = mathematics
    at_us = traits.starts_us
    p = p_success(course, recall(state, at_us))
    for resource, form in enumerate(FORMS):
        _, taken = take(course, traits, state, chosen=everyone(traits, resource), at_us=at_us, step=0, seed=5)
        if form.difficulty is None:
            assert np.isnan(taken.outcome).all()
        else:
            # 200 learners, 10 questions each: the mean's standard error is below .012.
            assert abs(taken.outcome.mean() - p[:, resource].mean()) < 0.04
            assert np.corrcoef(taken.outcome, p[:, resource])[0, 1] > 0.5


def test_time_is_log_normal_around_the_usual_minutes(mathematics: tuple[Course, Traits, State]) -> None:
    course, traits, state = mathematics
    _, taken = take(course, traits, state, chosen=everyone(traits, 0), at_us=traits.starts_us, step=0, seed=5)
    log_ratio = np.log(taken.seconds / (60 * course.minutes[0]))
    assert abs(log_ratio.mean()) < 0.1
    assert 0.38 < log_ratio.std() < 0.54  # √(.3² + .35²) = .46
    assert np.corrcoef(log_ratio, traits.pace)[0, 1] > 0.4


def test_readiness_is_the_weakest_prerequisite(mathematics: tuple[Course, Traits, State]) -> None:
    course, _, _ = mathematics
    known = np.tile(np.linspace(0.1, 0.9, len(course.skills)), (3, 1))
    ready = readiness(course, known)
    percentages = [skill.skill_id for skill in course.skills].index("m7-pct-1")
    assert ready[0, 0] == 1.0
    assert ready[0, percentages] == min(known[0, 2], known[0, 3])


def test_who_stays_away_stays_as_is(mathematics: tuple[Course, Traits, State]) -> None:
    course, traits, state = mathematics
    after, _ = take(course, traits, state, chosen=everyone(traits, 2), at_us=traits.starts_us + 1, step=0, seed=5)
    came = np.arange(len(traits.learner)) % 2 == 0
    kept = updated_where(came, after, state)
    assert (kept.mastery[~came] == state.mastery[~came]).all()
    assert (kept.mastery[came] == after.mastery[came]).all()
    assert (kept.n_done[~came] == 0).all()
    assert (kept.n_done[came].sum(axis=1) == 1).all()
