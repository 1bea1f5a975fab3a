"""What is kept of a learner changes no answer, whoever else is asked for and whatever has changed since."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lessons import NOW, event, practice

from engine import closer_look
from engine.closer_look import Pool
from engine.domain.decision import Request
from engine.domain.history import History, history_of
from engine.domain.query import query_with
from engine.last_stage import Rules
from engine.learner.fold import folded
from engine.options import Settled
from engine.recommender import Ask, recommend_each
from engine.rules.compiled import book_of
from engine.rules.matching import contents_of
from engine.rules.scope import Who
from tests.laws.test_rules_in_every_mode import rules_for


def a_class(recommender, r):
    """Learners who differ in all that a decision may depend on."""
    book = book_of(rules_for(r, recommender), contents_of(recommender.catalogue))
    ids = [x.resource_id for x in recommender.catalogue.resources if x is not None]
    skills = sorted({s for x in recommender.catalogue.resources if x is not None for s in x.skills})
    return [ask(recommender, r, n, book, ids, skills) for n in range(r.randint(1, 7))]


def ask(recommender, r, n, book, ids, skills):
    now = NOW + timedelta(minutes=r.choice([0, 7, 90]))
    events = practice(recommender, r.randint(0, 99), r.choice([0, 2, 9, 25]))
    words = [
        event(i + 1, kind, r.choice(ids))
        for i, kind in enumerate(r.sample(["too_hard", "too_easy", "accepted"], r.randint(0, 2)))
    ]
    state = folded([*events, *words], recommender.learner, recommender.offer) if recommender.learner else None
    history = history_of(events, recommender.catalogue.resource_map)
    request = Request(
        learner_id=f"l{n}",
        k=r.choice([1, 3, 5]),
        objective=r.choice(["uptake", "learning"]),
        goal=r.choice([None, (), tuple(r.sample(skills, 2))]),
        explore=r.random() < 0.4,
        non_personalised=r.random() < 0.1,
        candidates=tuple(r.sample(ids, 6)) if r.random() < 0.2 else None,
        exclude=tuple(r.sample(ids, 2)) if r.random() < 0.2 else (),
        minutes=r.choice([2.0, 4.0, 8.0]) if r.random() < 0.3 else None,
    )
    return Ask(
        request=request,
        query=query_with(f"l{n}", learner=None, history=history, classes={}, now=now),
        decision_id=f"decision {n}",
        now=now,
        state=state,
        rules=Rules(book=book, who=Who(learner_id=f"l{n}", class_ids=("7b",))) if r.random() < 0.7 else None,
    )


def forgetting(one):
    """The same ask, of which nothing is kept."""
    history = one.query.history
    fresh = History(history.resource_index, history.at_us)
    return replace(one, query=replace(one.query, history=fresh))


def said(decisions):
    return [msgspec.to_builtins(decision) for decision in decisions]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), served=st.booleans())
def test_a_class_is_answered_as_its_learners_are_alone(lesson, without_a_bundle, seed, served):
    recommender = lesson if served else without_a_bundle
    asks = a_class(recommender, Random(seed))
    alone = [recommend_each([forgetting(one)], recommender)[0] for one in asks]
    together = recommend_each(asks, recommender)
    assert said(together) == said(alone)
    # Once more: now much of it is kept.
    assert said(recommend_each(asks, recommender)) == said(alone)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_what_is_kept_of_a_learner_is_told_from_what_has_changed(lesson, seed):
    r = Random(seed)
    [first, *_] = a_class(lesson, r)
    contents = contents_of(lesson.catalogue)
    for _ in range(6):
        change = r.choice(["moment", "rules", "k", "goal", "exclude", "objective", "words", "course"])
        request, query = first.request, first.query
        if change == "moment":
            later = first.now + timedelta(seconds=r.choice([4, 45, 60, 3_000, 180_000]))
            moved = query_with("l", learner=None, history=query.history, classes={}, now=later)
            first = replace(first, now=later, query=moved)
        elif change == "rules":
            book = book_of(rules_for(r, lesson), contents)
            first = replace(first, rules=Rules(book=book, who=Who(learner_id="l", class_ids=("7b",))))
        elif change == "words":
            first = replace(first, state=replace(first.state, spoken=()))
        elif change == "course":
            first = replace(first, query=replace(query, course_id=r.choice([None, "c", "d"])))
        else:
            other = {
                "k": {"k": r.choice([1, 2, 5])},
                "goal": {"goal": r.choice([None, ()])},
                "exclude": {"exclude": tuple(r.sample(lesson.catalogue.resource_map.ids, 3))},
                "objective": {"objective": r.choice(["uptake", "learning"])},
            }[change]
            first = replace(first, request=replace(request, **other))
        assert said(recommend_each([first], lesson)) == said(recommend_each([forgetting(first)], lesson)), change


def test_within_a_minute_whoever_is_led_is_looked_at_once(lesson, monkeypatch):
    looked_at = []
    looks = closer_look.learning_of
    monkeypatch.setattr(closer_look, "learning_of", lambda *a: looked_at.append(a) or looks(*a))
    events = practice(lesson, 5, 9)
    state = folded(events, lesson.learner, lesson.offer)
    history = history_of(events, lesson.catalogue.resource_map)

    def asked_after(seconds):
        now = NOW + timedelta(seconds=seconds)
        query = query_with("lena", learner=None, history=history, classes={}, now=now)
        return Ask(request=Request(learner_id="lena"), query=query, decision_id="d", now=now, state=state)

    made = [recommend_each([asked_after(seconds)], lesson)[0] for seconds in (1, 30, 59, 61)]
    assert len(looked_at) == 2
    assert made[0].slate == made[1].slate == made[2].slate


def test_no_more_is_kept_than_is_usually_looked_at(lesson, monkeypatch):
    monkeypatch.setattr(closer_look, "N_LEARNING", 11)
    monkeypatch.setattr(closer_look, "N_UPTAKE", 11)
    looked_at = []
    pool_of = closer_look.pool_of
    monkeypatch.setattr(closer_look, "pool_of", lambda *a, **b: looked_at.append(pool_of(*a, **b)) or looked_at[-1])
    asks = [
        replace(one, request=replace(one.request, k=1)) for seed in range(12) for one in a_class(lesson, Random(seed))
    ]
    recommend_each(asks, lesson)
    # Some rules make us look further.
    assert max(map(len, looked_at)) > 11
    kept = [made for one in asks for _, made, _ in one.query.history._kept.values()]
    assert max(len(made.rows) for made in kept if isinstance(made, Pool)) <= 11
    slates = [made for made in kept if isinstance(made, Settled)]
    assert len(slates) > len(asks) / 4
    # Of a slate, however far it was looked for, nothing but what stands on it.
    assert all(len(made.ranked.rows) <= 1 and made.ranked.learning is None for made in slates)
