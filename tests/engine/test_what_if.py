"""Every sentence of what-if comes true: whoever does what it says and asks again gets the slate it speaks of."""

import re
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.asked import Ask
from engine.domain.decision import Request
from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.phrases import WHAT_IF
from engine.recommender import recommend_each
from engine.what_if import what_if_of
from tests.lessons import NOW, event, practice

law = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
PLACES = {
    name: n for n, name in enumerate(("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"), 1)
}
WITHOUT = re.compile(r"Without your (?:last )?answer on “(.+?)” (.+), this would (.+)\.")


def ask_of(recommender, request, events, state=None):
    """What is asked for Lena after these events."""
    query = query_with(
        "lena", learner=None, history=history_of(events, recommender.catalogue.resource_map), classes={}, now=NOW
    )
    state = state or folded(list(events), recommender.learner, recommender.offer)
    return Ask(request=request, query=query, decision_id="d1", now=NOW, state=state)


def told(recommender, request, events):
    """The slate, and each sentence with the option it was said of."""
    asked = ask_of(recommender, request, events)
    decision = recommend_each([asked], recommender)[0]
    said = what_if_of(
        asked, events, decision, recommender,
        imagined=lambda others, state: ask_of(recommender, request, others, state),
    )  # fmt: skip
    for sentence in (one for of_option in said.values() for one in of_option):
        # The code and the facts are enough to say it, in whatever language.
        assert WHAT_IF[sentence.code].format(**sentence.facts) == sentence.text
    return decision.slate, [(option, one.text) for option in decision.slate for one in said[option.resource_id]]


def shown(recommender, request, events):
    """What is shown after these events."""
    return recommend_each([ask_of(recommender, request, events)], recommender)[0].slate


def ids(slate):
    return [option.resource_id for option in slate]


def requests(recommender, seed, k):
    skills = sorted(recommender.skill_rows)
    goal = tuple(np.random.default_rng(seed).choice(skills, 2, replace=False)) if seed % 3 else None
    return Request(learner_id="lena", k=k, goal=goal)


def meant(events, title, recommender):
    """The answer that a sentence speaks of: the last one on the resource of this title."""
    catalogue = recommender.catalogue
    return [e for e in events if catalogue.title(catalogue.resource_map.row(e.resource_id)) == title][-1]


@law
@given(seed=st.integers(0, 10_000), n=st.integers(3, 25), k=st.integers(1, 8))
def test_without_the_answer_the_option_stands_where_it_is_said_and_elsewhere_than_now(lesson, seed, n, k):
    events, request = practice(lesson, seed, n), requests(lesson, seed, k)
    _, sentences = told(lesson, request, events)
    for option, sentence in sentences:
        if not sentence.startswith("Without"):
            continue
        title, _, claim = WITHOUT.fullmatch(sentence).groups()
        gone = meant(events, title, lesson)
        then = ids(shown(lesson, request, [e for e in events if e is not gone]))
        if claim.startswith("not be"):
            assert option.resource_id not in then
        else:
            place = PLACES[claim.removeprefix("stand ")]
            assert then[place - 1] == option.resource_id
            assert place != option.rank


@law
@given(seed=st.integers(0, 10_000), n=st.integers(0, 25), k=st.integers(1, 8))
def test_what_is_done_and_right_brings_what_is_said_and_something_new(lesson, seed, n, k):
    events, request = practice(lesson, seed, n), requests(lesson, seed, k)
    slate, sentences = told(lesson, request, events)
    promised = {option.rank: s for option, s in sentences if "would come first" in s}
    for option in slate:
        done = event(-0.01, resource_id=option.resource_id, outcome=1.0, at=NOW)
        first = shown(lesson, request, [*events, done])[0]
        if first.resource_id in (slate[0].resource_id, option.resource_id):
            assert option.rank not in promised
        else:
            assert promised[option.rank] == f"Then “{first.title}” would come first."


def test_both_kinds_of_sentence_are_said(lesson):
    said = Counter()
    for seed in range(40):
        for _, sentence in told(lesson, requests(lesson, seed, 4), practice(lesson, seed, 12))[1]:
            said[
                "stands" if ", this would stand" in sentence else "gone" if "not be among" in sentence else "done"
            ] += 1
    assert min(said[kind] for kind in ("stands", "gone", "done")) >= 5, said


def test_of_two_answers_on_one_resource_the_last_is_spoken_of_and_called_so(lesson):
    ids = lesson.catalogue.resource_map.ids
    events = [*practice(lesson, 4, 8), *(event(n / 100, resource_id=ids[2], outcome=0.0, at=NOW) for n in (3, 2, 1))]
    title = lesson.catalogue.title(2)
    for k in (3, 5, 8):
        for seed in range(12):
            for _, sentence in told(lesson, requests(lesson, seed, k), events)[1]:
                assert f"your answer on “{title}”" not in sentence
