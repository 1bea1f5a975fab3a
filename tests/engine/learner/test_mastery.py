"""What a state says of skills and resources, and in which words."""

from datetime import UTC, datetime, timedelta

import pytest
from pupils import answers, quiet

from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.evidence import day_of, learner_text, teacher_text
from engine.learner.fold import folded, offer_of
from engine.learner.mastery import Evidence, due_reviews, evidence_of, resource_outlooks, skill_masteries
from engine.learner.rows import skill_key
from training.learner_models import fit_learner_model

NOW = datetime(2026, 3, 13, 12, tzinfo=UTC)
OFFER = offer_of([])


@pytest.fixture(scope="module")
def model():
    return fit_learner_model(answers(40, 20), minutes={}, format_mix={"exercise": 1.0}, seed=0, report=quiet)


def told(outcomes, skill="s1", days_ago=3, seconds=20.0):
    start = NOW - timedelta(days=days_ago)
    return [
        Interaction(
            event_id=f"{skill}-{n}",
            learner_id="a",
            kind="attempted",
            source="t",
            resource_id=f"i{1 + 4 * (n % 6):02d}",
            at=start + timedelta(minutes=n),
            outcome=float(outcome),
            duration_s=seconds,
            skills=(skill,),
        )
        for n, outcome in enumerate(outcomes)
    ]


def mastery(model, events, skill="s1", now=NOW):
    return skill_masteries(folded(events, model, OFFER), [skill], model, microseconds(now))[0]


def test_right_answers_raise_mastery_wrong_ones_lower_it_and_both_narrow_the_doubt(model):
    nothing, right, wrong = (mastery(model, told(o)) for o in ([], [1] * 8, [0] * 8))
    assert wrong.p < nothing.p < right.p
    for some in (right, wrong):
        assert some.low < some.p < some.high
    assert nothing.evidence.n == 0 and nothing.recall is None and right.recall < 1


def test_a_skill_nobody_taught_and_no_skills_at_all_have_an_answer(model):
    unknown = mastery(model, [], skill="never heard of")
    assert 0 < unknown.low < unknown.p < unknown.high < 1
    assert skill_masteries(folded([], model, OFFER), [], model, microseconds(NOW)) == []


def test_asking_of_several_skills_is_asking_of_each(model):
    state = folded(told([1, 0, 1]) + told([0, 0], skill="s2"), model, OFFER)
    together = skill_masteries(state, ["s1", "s2", "s9"], model, microseconds(NOW))
    assert together == [skill_masteries(state, [s], model, microseconds(NOW))[0] for s in ("s1", "s2", "s9")]


def test_minutes_come_from_known_times_else_from_declared_minutes_and_the_learners_pace(model):
    quick = folded(told([1] * 12, seconds=5.0), model, OFFER)
    long = folded(told([1] * 12, seconds=200.0), model, OFFER)
    asked = [Resource(resource_id="i01", title="", skills=("s1",)), Resource(resource_id="new", title="", minutes=10.0),
             Resource(resource_id="newer", title="")]  # fmt: skip
    quick_said, long_said = (resource_outlooks(s, asked, model, microseconds(NOW)) for s in (quick, long))
    assert quick_said[0].minutes < long_said[0].minutes < 5
    assert quick_said[1].minutes < 10 < long_said[1].minutes
    assert quick_said[2].minutes is None
    assert resource_outlooks(quick, [], model, microseconds(NOW)) == []


def test_reviews_come_due_with_time(model):
    state = folded(told([1, 1, 1], days_ago=200), model, OFFER)
    due = due_reviews(state, ["s1", "s2"], microseconds(NOW))
    assert set(due) == {"s1"} and 0 < due["s1"] < 0.9
    assert due_reviews(state, ["s1"], microseconds(NOW - timedelta(days=200))) == {}


def test_what_was_never_answered_right_is_not_reviewed(model):
    state = folded(told([0, 0, 0], days_ago=200), model, OFFER)
    assert due_reviews(state, ["s1"], microseconds(NOW)) == {}
    [said] = skill_masteries(state, ["s1"], model, microseconds(NOW))
    assert (said.recall, said.due_us) == (None, None)
    assert due_reviews(folded(told([0, 1, 0], days_ago=200), model, OFFER), ["s1"], microseconds(NOW))


def test_evidence_counts_the_last_answers_newest_first(model):
    state = folded(told([0, 1, 1, 0, 1, 1]), model, OFFER)
    evidence = evidence_of(state, skill_key("s1"))
    assert (evidence.n, evidence.last) == (6, (True, True, False, True, True, False))
    assert teacher_text(evidence, "equivalent fractions", microseconds(NOW)) == (
        "4 of the last 5 on equivalent fractions right, last on Tuesday."
    )
    assert learner_text(evidence, "equivalent fractions", microseconds(NOW)) == (
        "You got 4 of your last 5 on equivalent fractions right, last on Tuesday."
    )


@pytest.mark.parametrize(
    ("evidence", "teacher", "learner"),
    [
        (Evidence(0, (), 0, None), "No answer on x yet.", "You have not answered anything on x yet."),
        (
            Evidence(0, (), 2, 1),
            "No answer on x yet, looked at 2 times, last today.",
            "You have not answered anything on x yet.",
        ),
        (
            Evidence(1, (True,), 0, 1),
            "The only answer on x was right, today.",
            "You got your first one on x right, today.",
        ),
        (Evidence(1, (False,), 0, None), "The only answer on x was wrong.", "You tried x once."),
        (
            Evidence(3, (True, False, True), 0, 1),
            "2 of 3 answers on x right, last today.",
            "You got 2 of your 3 on x right, last today.",
        ),
    ],
)
def test_words_fit_what_there_is(evidence, teacher, learner):
    assert teacher_text(evidence, "x", 2) == teacher
    assert learner_text(evidence, "x", 2) == learner


def test_days_are_said_as_people_say_them():
    us = microseconds(NOW)
    day = 86_400_000_000
    said = [day_of(us - n * day, us) for n in (0, 1, 3, 8, 400)]
    assert said == ["today", "yesterday", "on Tuesday", "on 5 March", "on 6 February 2025"]
    assert day_of(us + day, us) == "today"
