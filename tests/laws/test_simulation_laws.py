"""Laws of the simulated school that hold for every seed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.domain.history import microseconds
from engine.domain.interaction import KINDS
from engine.domain.skill import mended
from experiments.simulation.chance import uniform
from experiments.simulation.curriculum import courses
from experiments.simulation.generator import simulate_log
from experiments.simulation.learning import p_success, readiness, recall
from experiments.simulation.school import School, build_school
from experiments.simulation.tables import assignments_of, interactions_of
from experiments.simulation.traits import traits_of
from experiments.simulation.year import year

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
seeds = st.integers(0, 2**63 - 1)


def log_of(school: School, n_steps: int) -> pl.DataFrame:
    return pl.concat(simulate_log(school, n_steps=n_steps).interactions)


@settings(max_examples=3, deadline=None)
@given(seed=seeds, n_learners=st.integers(1, 30), n_steps=st.integers(1, 12), now=moments)
def test_the_same_seed_gives_the_same_log_and_another_seed_another(
    seed: int, n_learners: int, n_steps: int, now: datetime
) -> None:
    first = log_of(build_school(n_learners, seed=seed, now=now), n_steps)
    assert_frame_equal(first, log_of(build_school(n_learners, seed=seed, now=now), n_steps))
    other = log_of(build_school(n_learners, seed=seed ^ 1, now=now), n_steps)
    assert not first.drop("event_id").equals(other.drop("event_id"))


@settings(max_examples=3, deadline=None)
@given(seed=seeds, n_learners=st.integers(2, 9), n_steps=st.integers(1, 9))
def test_many_learners_at_once_equal_one_at_a_time(seed: int, n_learners: int, n_steps: int) -> None:
    school = build_school(n_learners, seed=seed, now=NOW)
    alone = []
    for learner in range(n_learners):
        course = school.course_of(learner)
        traits = traits_of(school, course, np.array([learner]))
        steps = [step for step, _ in year(school, course, traits, n_steps=n_steps)]
        alone += [assignments_of(school, course, traits), interactions_of(school, course, traits, steps)]
    assert_frame_equal(log_of(school, n_steps).sort("event_id"), pl.concat(alone).sort("event_id"), check_exact=True)


@settings(max_examples=4, deadline=None)
@given(seed=seeds, now=moments)
def test_the_hidden_state_stays_in_its_ranges_and_practice_never_lowers_mastery(seed: int, now: datetime) -> None:
    school = build_school(30, seed=seed, now=now)
    course = school.courses[0]
    traits = traits_of(school, course, school.members(0))
    for step, state in year(school, course, traits, n_steps=20):
        known = recall(state, step.ends_us)
        p = p_success(course, known)
        scored = ~np.isnan(course.difficulty)
        assert ((state.mastery >= 0) & (state.mastery <= 1)).all()
        assert ((known >= 0) & (known <= state.mastery)).all()
        assert ((readiness(course, known) >= 0) & (readiness(course, known) <= 1)).all()
        assert ((p[:, scored] > 0) & (p[:, scored] < 1)).all()
        assert np.isnan(p[:, ~scored]).all()


@settings(max_examples=4, deadline=None)
@given(seed=seeds, now=moments, n_steps=st.integers(1, 30))
def test_events_are_what_a_log_may_hold(seed: int, now: datetime, n_steps: int) -> None:
    school = build_school(20, seed=seed, now=now)
    log = simulate_log(school, n_steps=n_steps)
    events = pl.concat(log.interactions)
    starts = log.classes.select("class_id", "starts_at")
    assert events["event_id"].is_unique().all()
    assert set(events["kind"]) <= set(KINDS)
    assert events["at"].max() <= now
    assert events.join(starts, on="class_id").filter(pl.col("at") < pl.col("starts_at")).is_empty()
    assert events["outcome"].drop_nulls().is_between(0, 1).all()
    assert (events["duration_s"].drop_nulls() > 0).all()
    for table, key in ((log.resources, "resource_id"), (log.learners, "learner_id"), (log.classes, "class_id")):
        assert table[key].is_unique().all()
        assert set(events[key]) <= set(table[key])


@settings(max_examples=4, deadline=None)
@given(seed=seeds)
def test_who_needs_captions_never_takes_what_has_none(seed: int) -> None:
    log = simulate_log(build_school(150, seed=seed, now=NOW), n_steps=8)
    without = log.resources.filter(~pl.col("access").list.contains("captions"))["resource_id"].to_list()
    needing = log.learners.filter(pl.col("access_needs").list.contains("captions"))["learner_id"].to_list()
    chosen = pl.concat(log.interactions).filter(pl.col("kind") == "chosen")
    assert chosen.filter(pl.col("learner_id").is_in(needing) & pl.col("resource_id").is_in(without)).is_empty()
    assert not chosen.filter(pl.col("resource_id").is_in(without)).is_empty()


@settings(max_examples=20, deadline=None)
@given(now=moments, n_learners=st.integers(1, 2_000))
def test_every_class_is_a_cohort_of_its_own(now: datetime, n_learners: int) -> None:
    school = build_school(n_learners, seed=0, now=now)
    assert len({c.class_id for c in school.classes}) == len(school.classes)
    for course in school.courses:
        starts = {c.starts_at for c in school.classes if c.course_id == course.course_id}
        assert len(starts) == 2
        assert max(starts) - min(starts) == timedelta(weeks=52)  # type: ignore[operator]
    assert np.bincount(school.class_index).max() <= 28
    assert (school.starts_us < microseconds(now)).all()


def test_prerequisites_have_no_cycles_and_stand_before_what_needs_them() -> None:
    for course in courses():
        place = {skill.skill_id: i for i, skill in enumerate(course.skills)}
        _, report = mended({skill.skill_id: skill.prerequisites for skill in course.skills})
        assert (report.cycles, report.dangling) == ((), ())
        assert all(place[p] < place[skill.skill_id] for skill in course.skills for p in skill.prerequisites)
        assert all(skill in place for resource in course.resources for skill in resource.skills)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, who=st.integers(0, 2**40), step=st.integers(0, 2**20), channel=st.integers(0, 2**16))
def test_a_number_depends_only_on_who_when_and_what_for(seed: int, who: int, step: int, channel: int) -> None:
    alone = uniform(seed, who, step=step, channel=channel)
    many = uniform(seed, np.arange(who, who + 5)[:, None], step=step, channel=channel + np.arange(3))
    assert alone.shape == (1,)
    assert many.shape == (5, 3)
    assert alone[0] == many[0, 0]
    assert ((many > 0) & (many < 1)).all()
    assert len(np.unique(many)) == many.size


def test_the_numbers_are_uniform_and_neighbours_are_unrelated() -> None:
    drawn = uniform(0, np.arange(400)[:, None], step=3, channel=np.arange(500))
    counts = np.bincount((drawn.ravel() * 20).astype(int), minlength=20)
    expected = drawn.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 43.8  # chi², 19 degrees of freedom, p = .001
    for a, b in ((drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.01
