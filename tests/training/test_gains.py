"""What steps are worth is found where it is, not found where it is not, and read online as it was read in the log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.fold import folded, offer_of
from engine.learner.gains import FACTS, step_facts
from engine.learner.menu import known_of, menu_of
from engine.learner.tracing import within_reach
from engine.ranking.steps import readiness_of
from engine.ranking.worth import worth_of
from training.attempts import attempts_of, frame_of
from training.gain_models import gain_model_for
from training.gains import LEAST_STEPS
from training.learner_models import fit_learner_model
from training.log import add_to_log, interactions_of, read_log
from training.tracing import Traced, fit_tracing, met_in
from training.value_added import _rising, value_added

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
NEEDED = {"counting": (), "adding": ("counting",), "doubling": ("adding",)}
RESOURCES = [
    Resource(resource_id=f"{skill}-{kind}", title=kind, format=kind, skills=(skill,), minutes=5.0)
    for skill in NEEDED
    for kind in ("lesson", "quiz")
]


def school(folder, *, teaches, n_learners=220, n_steps=16, ready=None):
    """Learners at random resources of three skills; a lesson lifts its skill by `teaches`, a quiz never.

    Where `ready` is given, a lesson on a skill teaches only once what is needed before it is known so well, and all
    start as beginners.
    """
    rng = np.random.default_rng(3)
    rows = []
    for learner in range(n_learners):
        p = dict.fromkeys(NEEDED, float(rng.uniform(0.2, 0.5)) if ready is None else 0.15)
        for step in range(n_steps):
            r = RESOURCES[int(rng.integers(len(RESOURCES)))]
            skill = r.skills[0]
            at = MORNING + timedelta(days=step, minutes=int(learner))
            rows.append(
                (f"e{learner}-{step}", f"l{learner:03d}", r.resource_id, at, float(rng.random() < p[skill]), 60.0)
            )
            if r.format == "lesson" and all(p[q] >= (ready or 0.0) for q in NEEDED[skill]):
                p[skill] = min(p[skill] + teaches, 0.95)
    columns = ["event_id", "learner_id", "resource_id", "at", "outcome", "duration_s"]
    events = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        kind=pl.lit("attempted"), source=pl.lit("t"), at=pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    table = pl.DataFrame(
        [(r.resource_id, r.title, r.format, list(r.skills), r.minutes) for r in RESOURCES],
        schema=["resource_id", "title", "format", "skills", "minutes"], orient="row",
    )  # fmt: skip
    skills = pl.DataFrame(
        [(s, s, list(ps)) for s, ps in NEEDED.items()],
        schema={"skill_id": pl.String(), "title": pl.String(), "prerequisites": pl.List(pl.String())}, orient="row",
    )  # fmt: skip
    add_to_log(
        folder, interactions=[events], resources=table, skills=skills, source="t",
        now=MORNING + timedelta(days=99), report=lambda what, share: None,
    )  # fmt: skip
    return read_log(folder)


def fitted(log):
    frame = frame_of(log)
    minutes = {r.resource_id: r.minutes for r in RESOURCES}
    return fit_learner_model(frame, minutes=minutes, format_mix={"lesson": 0.5, "quiz": 0.5}, seed=0,
                             report=lambda what, share: None)  # fmt: skip


FOLLOWS = {"": "counting", "counting": "adding", "adding": "doubling"}


def answer(skill, number):
    """One right answer in a row of them."""
    at = MORNING + timedelta(days=200 + 10 * list(NEEDED).index(skill) + number)
    return Interaction(event_id=f"{skill}-{number}", learner_id="x", kind="attempted", source="t",
                       resource_id=f"{skill}-lesson", at=at, outcome=1.0, duration_s=60.0)  # fmt: skip


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    log = school(tmp_path_factory.mktemp("taught") / "log", teaches=0.25)
    return log, fitted(log)


def expected_gains(log, model, gains):
    """The mean gain of a fresh learner's step on each resource."""
    model = replace(model, tracing=gains.tracing)
    menu = menu_of(RESOURCES, NEEDED, model)
    from engine.learner.fold import fresh

    state = fresh(model, offer_of(RESOURCES))
    known = known_of(menu, np.arange(len(RESOURCES)), np.arange(3), state=state, model=model, now_us=0)
    worth = worth_of(menu, known, gains, np.arange(3))
    return dict(zip([r.resource_id for r in RESOURCES], worth.gain.tolist(), strict=True))


def test_lessons_that_teach_are_told_from_quizzes_that_do_not(taught):
    log, model = taught
    gains, told = gain_model_for(log, model, seed=0)
    assert told["steps"] > LEAST_STEPS
    found = expected_gains(log, model, gains)
    for skill in NEEDED:
        assert found[f"{skill}-lesson"] > 0.1
        assert found[f"{skill}-lesson"] > 2.5 * found[f"{skill}-quiz"]


def test_where_nothing_teaches_next_to_nothing_is_found(tmp_path):
    log = school(tmp_path / "log", teaches=0.0)
    model = fitted(log)
    gains, _ = gain_model_for(log, model, seed=0)
    assert max(expected_gains(log, model, gains).values()) < 0.06


def test_a_short_log_leaves_the_prior_and_an_empty_one_too(tmp_path):
    log = school(tmp_path / "log", teaches=0.25, n_learners=8)
    model = fitted(log)
    gains, told = gain_model_for(log, model, seed=0)
    assert told["steps"] < LEAST_STEPS
    assert not gains.forest.leaf.any()
    found = expected_gains(log, model, gains)
    assert all(0 <= g < 0.03 for g in found.values())
    # While the prior stands alone the graph rules: what waits for nothing is worth more than what waits.
    assert found["counting-quiz"] > max(found["adding-quiz"], found["doubling-quiz"])


def test_the_way_is_found_where_hardly_anybody_of_the_log_ever_went_it(tmp_path):
    """Steps on what waits for others taught nearly nobody: still, learn the first skill first, then the second."""
    log = school(tmp_path / "log", teaches=0.3, n_steps=8, ready=0.9)
    model = fitted(log)
    gains, _ = gain_model_for(log, model, seed=0)
    model = replace(model, tracing=gains.tracing)
    menu, offer = menu_of(RESOURCES, NEEDED, model), offer_of(RESOURCES)
    aim = np.array([menu.number["doubling"]])
    told = []
    for skill in ("", "counting", "adding"):
        told += [answer(skill, k) for k in range(6) if skill]
        state = folded(told, model, offer)
        known = known_of(menu, np.arange(len(RESOURCES)), np.arange(3), state=state, model=model, now_us=0)
        rate = worth_of(menu, known, gains, aim).rate
        assert RESOURCES[int(rate.argmax())].skills == (FOLLOWS[skill],)
        # With no time left no way around is begun: nothing on it would be reached.
        assert not worth_of(menu, known, gains, aim, ahead=0.1).opens


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_usual_scores_rise_and_are_lifted_nowhere(means):
    """Noise that falls is shared among neighbours, and the mean of all stays what it was."""
    rising = _rising(np.array(means))
    assert (np.diff(rising) >= -1e-12).all()
    assert rising.mean() == pytest.approx(np.mean(means))
    assert np.allclose(_rising(np.sort(means)), np.sort(means))


def test_the_same_log_gives_the_same_bytes(taught):
    log, model = taught
    one, other = (gain_model_for(log, model, seed=0)[0] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one.arrays().values(), other.arrays().values(), strict=True))


def test_facts_read_from_a_state_are_those_read_in_the_log(taught):
    """Whoever asks online about a step asks about what the trees were grown on."""
    log, model = taught
    attempts = attempts_of(frame_of(log), model.vocabulary)
    ids = attempts.frame["resource_id"].to_list()
    menu, offer = menu_of(RESOURCES, NEEDED, model), offer_of(RESOURCES)
    from engine.learner.rows import skill_key

    row_of = {s: model.vocabulary.skill_row(skill_key(s)) for s in NEEDED}
    needed = {row_of[s]: [row_of[p] for p in ps] for s, ps in NEEDED.items()}
    number = {x.resource_id: k for k, x in enumerate(RESOURCES)}
    met = met_in(attempts, len(model.vocabulary.skill_keys))
    law = fit_tracing(met, model.vocabulary.skill_keys)
    found = value_added(
        attempts, model, traced=Traced(met, law), needed=needed, log_minutes=np.full(len(ids), np.log(5.0)),
        formats=np.array([float(x.endswith("quiz")) for x in ids]), seed=0,
    )  # fmt: skip
    events = interactions_of(log.interactions().collect())
    by_learner = {}
    for event in events:
        by_learner.setdefault(event.learner_id, []).append(event)
    rng = np.random.default_rng(1)
    for k in rng.choice(np.flatnonzero(found.steps), 25, replace=False):
        row = int(found.row[k])
        learner, at = attempts.frame["learner_id"][row], attempts.frame["at"][row]
        before = [e for e in by_learner[learner] if e.at < at]
        state = folded(before, model, offer)
        at_us = int(attempts.frame["at"].dt.epoch("us")[row])
        rows, every = np.array([number[ids[row]]]), np.arange(len(menu.skills))
        known = known_of(menu, rows, every, state=state, model=replace(model, tracing=law), now_us=at_us)
        place, skill = menu.pairs(rows)
        least, mean = readiness_of(menu, known.known, every)
        least = within_reach(least, known.against)
        online = step_facts(
            mastery=known.mastery[skill], readiness=(least[skill], mean[skill]), p=known.p[place],
            of_skill=known.facts[skill], own=known.own[place], log_minutes=np.log(np.array([5.0])),
            formats=np.array([float(ids[row].endswith("quiz"))]), known=known.known[skill],
        )  # fmt: skip
        np.testing.assert_allclose(online[0], found.facts[k], rtol=1e-6, atol=1e-7, err_msg=str(FACTS))
