"""A class answered in one pass: each learner gets what they would get on their own, to the last digit."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.decision import Request
from engine.domain.history import History, history_of
from engine.domain.query import query_with
from engine.domain.rule import Rule, What
from engine.last_stage import Rules
from engine.learner.fold import folded
from engine.recommender import Ask, recommend, recommend_each
from engine.rules.compiled import book_of
from engine.rules.matching import contents_of
from engine.rules.scope import Who
from tests.lessons import NOW, event, practice

# More than are scored at once, so that a class is parted.
N_LEARNERS = 19
VERBS = ("hide", "boost", "pin", "require_first", "success_band", "formats")


def _rule(number, verb, recommender, rng):
    formats = recommender.catalogue.formats
    what = {
        "pin": What(resources=(str(rng.choice(recommender.catalogue.resource_map.ids)),)),
        "success_band": What(),
        "formats": What(),
    }.get(verb, What(skills=(str(rng.choice(sorted(recommender.skill_rows))),)))
    value = {"boost": 2, "success_band": [0.3, 0.97], "formats": {"max": {formats[0]: 2}}}.get(verb)
    return Rule(rule_id=f"r{number}", verb=verb, strength="hard" if number % 2 else "soft", what=what, value=value)


def _learner(recommender, rng, number):
    """Anybody: without any event, with a few, with words of their own."""
    events = practice(recommender, int(rng.integers(10_000)), n=int(rng.choice([0, 3, 14])))
    if rng.random() < 0.4:
        said = str(rng.choice(["accepted", "declined", "too_hard"]))
        row = str(rng.choice(recommender.catalogue.resource_map.ids))
        events.append(event(0, said, row, at=NOW - timedelta(minutes=5)))
    state = folded(events, recommender.learner, recommender.offer)
    history = history_of(events, recommender.catalogue.resource_map)
    query = query_with(f"l{number}", learner=None, history=history, classes={}, now=NOW)
    return query, state


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    objective=st.sampled_from(["learning", "uptake"]),
    explore=st.booleans(),
    verbs=st.lists(st.sampled_from(VERBS), max_size=5),
)
def test_a_class_gets_what_each_gets_alone(lesson, seed, objective, explore, verbs):
    rng = np.random.default_rng(seed)
    book = book_of([_rule(k, v, lesson, rng) for k, v in enumerate(verbs)], contents_of(lesson.catalogue))
    goals = sorted(lesson.skill_rows)
    asked = []
    for number in range(N_LEARNERS):
        query, state = _learner(lesson, rng, number)
        goal = (str(rng.choice(goals)),) if rng.random() < 0.5 else None
        request = Request(
            learner_id=query.learner_id, objective=objective, explore=explore, seed=seed, goal=goal,
            non_personalised=bool(rng.random() < 0.15), again=bool(rng.random() < 0.8),
        )  # fmt: skip
        rules = Rules(book=book, who=Who(learner_id=query.learner_id))
        asked.append(Ask(request=request, query=query, decision_id="d", now=NOW, state=state, rules=rules))
    # Alone first, with nothing kept of anybody, then all together with what is kept of half of them.
    alone = [
        recommend(
            one.request, _forgetting(one.query), lesson, decision_id="d", now=NOW, state=one.state, rules=one.rules
        )
        for one in asked
    ]
    for one in asked[::2]:
        recommend_each([one], lesson)
    assert recommend_each(asked, lesson) == alone


def _forgetting(query):
    return replace(query, history=History(query.history.resource_index, query.history.at_us))


def test_without_a_model_a_class_is_answered_by_the_plan():
    from engine.recommender import recommender_of
    from tests.engine.test_recommender import catalogue

    recommender = recommender_of(None, catalogue(4))
    history = history_of([], recommender.catalogue.resource_map)
    queries = [query_with(x, learner=None, history=history, classes={}, now=NOW) for x in ("a", "b")]
    asks = [Ask(request=Request(learner_id=q.learner_id), query=q, decision_id="d", now=NOW) for q in queries]
    found = recommend_each(asks, recommender)
    assert [one.learner_id for one in found] == ["a", "b"]
    assert {one.mode for one in found} == {"fallback"}
    assert all(one.slate for one in found)


def test_nobody_asked_is_nobody_answered(lesson):
    assert recommend_each([], lesson) == []


@pytest.mark.parametrize("n", [1, 3, 7, 8, 9])
def test_factors_say_the_same_to_one_and_among_others(lesson, n):
    vectors = np.random.default_rng(0).normal(size=(n, lesson.model.factors._vectors.shape[1])).astype(np.float32)
    together = lesson.model.factors.said(list(vectors))
    for one, said in zip(vectors, together, strict=True):
        np.testing.assert_array_equal(lesson.model.factors.said([one])[0], said)
