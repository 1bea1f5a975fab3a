"""Those who ask at once are decided for together, each as alone."""

import asyncio

import pytest

from engine.domain.decision import Request
from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.recommender import TOGETHER, Ask, decided, recommend_each
from serving import deciding
from serving.deciding import Deciding
from tests.lessons import NOW, practice

N = TOGETHER + 5


def _ask(recommender, number):
    events = practice(recommender, number, n=number % 9)
    query = query_with(
        f"l{number}", learner=None, history=history_of(events, recommender.catalogue.resource_map), classes={}, now=NOW
    )
    state = folded(events, recommender.learner, recommender.offer)
    return Ask(request=Request(learner_id=query.learner_id), query=query, decision_id="d", now=NOW, state=state)


@pytest.fixture
def passes(monkeypatch):
    """How many were decided for in each pass; whoever is called l3 cannot be."""
    sizes = []

    def counted(asked, recommender):
        sizes.append(len(asked))
        if any(one.ask.query.learner_id == "l3" for one in asked):
            raise RuntimeError("l3 cannot be decided for")
        return decided(asked, recommender)

    monkeypatch.setattr(deciding, "decided", counted)
    return sizes


def _at_once(*asks_of_each, recommender, after=lambda tasks: None):
    async def all_of_them():
        one = Deciding()
        tasks = [asyncio.create_task(one.decisions(asks, recommender)) for asks in asks_of_each]
        await asyncio.sleep(0)
        after(tasks)
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_all_who_ask_at_once_share_passes_of_a_bounded_size(lesson, passes):
    numbers = [n for n in range(N + 1) if n != 3]
    found = _at_once(*[[_ask(lesson, n)] for n in numbers], recommender=lesson)
    assert passes == [TOGETHER, N - TOGETHER]
    assert found == [recommend_each([_ask(lesson, n)], lesson) for n in numbers]


def test_what_is_kept_waits_for_nobody(lesson, passes):
    again = _ask(lesson, 8)
    recommend_each([again], lesson)
    first, second, third = _at_once([again], [_ask(lesson, 1), _ask(lesson, 2)], [_ask(lesson, 4)], recommender=lesson)
    assert passes == [1, 3]
    assert [len(first), len(second), len(third)] == [1, 2, 1]


def test_an_error_is_told_to_whom_it_belongs(lesson, passes):
    found = _at_once(*[[_ask(lesson, n)] for n in (2, 3, 4)], recommender=lesson)
    assert isinstance(found[1], RuntimeError)
    assert [found[0], found[2]] == [recommend_each([_ask(lesson, n)], lesson) for n in (2, 4)]
    assert passes == [3, 1, 1, 1]


def test_who_goes_away_meanwhile_takes_nobody_along(lesson, passes):
    found = _at_once(*[[_ask(lesson, n)] for n in (3, 4)], recommender=lesson, after=lambda tasks: tasks[0].cancel())
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1] == recommend_each([_ask(lesson, 4)], lesson)
