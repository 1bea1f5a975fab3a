"""What is made of learners stays at hand for as many as a number of bytes holds, which are counted as they are."""

import gc
import tracemalloc
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from msgspec.structs import astuple, replace

from engine.domain.decision import Request
from engine.learner.fold import folded
from engine.recommender import Ask, recommend_each
from serving.at_hand import AtHand
from serving.known_learner import learner_in_sight
from serving.storage.copies import Copies
from serving.storage.decisions import _texts
from serving.storage.port import KeptState, LearnerContext
from serving.storage.rows import interaction_of, interaction_row
from serving.wire import recommendation_out
from tests.lessons import NOW, event, practice


def context_of(recommender, n, n_events=40):
    """A learner who did so much, as they are read from the store."""
    told = [*practice(recommender, n, n_events), event(1, "accepted", recommender.catalogue.resource_map.ids[0])]
    rows = [interaction_row("t", replaced, None, b"") for replaced in told]
    state = folded(told, recommender.learner, recommender.offer)
    # Texts as they come from a database: each for itself.
    events = [interaction_of([x[:1] + x[1:] if isinstance(x, str) else x for x in astuple(row)]) for row in rows]
    return LearnerContext(
        learner=None,
        interactions=events,
        arrived=[10_000 + i for i in range(len(events))],
        state=KeptState(seq=10_000 + len(events) - 1, content=state.to_bytes()),
        classes={},
        seq=99_999,
        catalogue_version=1,
    )


def answered(recommender, at_hand, learner_id, context, objectives=("uptake", "learning")):
    """Answer as a server does, and make what it makes of it."""
    known = learner_in_sight("t", learner_id, context, recommender, at_hand)
    for objective in objectives:
        ask = Ask(
            request=Request(learner_id=learner_id, k=5, objective=objective),
            query=known.query(now=NOW + timedelta(days=1), class_id=None),
            decision_id=f"d{objective}",
            now=NOW + timedelta(days=1),
            state=known.state,
        )
        [decision] = recommend_each([ask], recommender)
        msgspec.json.encode(recommendation_out(decision, seen_token="s1"))
        _texts(decision)
    return known


def stay(at_hand, recommender, contexts):
    return [x for x, context in contexts.items() if at_hand.of("t", x, context.interactions, recommender)]


def test_what_is_counted_of_a_learner_is_what_they_take(lesson):
    answered(lesson, AtHand(), "warm", context_of(lesson, 0))
    gc.collect()
    tracemalloc.start()
    try:
        at_hand, copies = AtHand(), Copies(None)
        for n in range(1, 31):
            context = context_of(lesson, n)
            copies.keep("t", {f"l{n}": context}, unknown=())
            answered(lesson, at_hand, f"l{n}", context)
            at_hand.of("t", f"l{n}", context.interactions, lesson)
        del context
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        # The blocks of a state that was read are those of its bytes, which count with the copy.
        twice = sum(made.state.blocks.nbytes for made in at_hand._made.values())
        counted = at_hand._n_bytes + copies._n_bytes - twice
    finally:
        tracemalloc.stop()
    assert taken / 30 > 30_000
    assert counted == pytest.approx(taken, rel=0.3)


def test_who_was_not_asked_for_longest_goes_as_soon_as_there_is_no_room(lesson):
    contexts = {f"l{n}": context_of(lesson, n) for n in range(40)}
    at_hand = AtHand(most_bytes=500_000)
    for x, context in contexts.items():
        answered(lesson, at_hand, x, context)
        at_hand.of("t", x, context.interactions, lesson)
    some = stay(at_hand, lesson, contexts)
    assert 3 < len(some) < 20
    assert some == list(contexts)[-len(some) :]
    # Who was answered once and never came again counts with the answer.
    once = AtHand(most_bytes=500_000)
    for x, context in contexts.items():
        answered(lesson, once, x, context, objectives=("uptake",))
    others = len(stay(once, lesson, contexts))
    assert len(some) < others < 3 * len(some)
    taken = sum(made.n_bytes for made in once._made.values())
    assert taken < 1.3 * 500_000


def test_who_is_larger_than_all_the_room_is_at_hand_while_nobody_else_is_asked_for(lesson):
    at_hand = AtHand(most_bytes=1)
    first, second = context_of(lesson, 1), context_of(lesson, 2)
    known = answered(lesson, at_hand, "first", first)
    assert at_hand.of("t", "first", first.interactions, lesson) is known.made
    answered(lesson, at_hand, "second", second)
    assert at_hand.of("t", "first", first.interactions, lesson) is None
    at_hand.clear()
    assert at_hand._n_bytes == 0
    assert at_hand.of("t", "second", second.interactions, lesson) is None


def test_who_is_told_of_again_and_again_counts_once(lesson):
    at_hand = AtHand()
    context = context_of(lesson, 3)
    for _ in range(5):
        context = replace(context, interactions=list(context.interactions))
        answered(lesson, at_hand, "lena", context)
    made = at_hand.of("t", "lena", context.interactions, lesson)
    assert made is not None
    assert at_hand._n_bytes == made.n_bytes


def test_a_fresh_state_lies_in_the_bytes_that_are_kept(lesson):
    context = replace(context_of(lesson, 4), state=None)
    made = learner_in_sight("t", "lena", context, lesson).made
    assert made.state.blocks.base is not None
    assert made.content == made.state.to_bytes()
    whole = [array.__array_interface__["data"][0] for array in (made.state.whole, made.state.blocks)]
    start = np.frombuffer(made.content, np.uint8).__array_interface__["data"][0]
    assert all(start < place < start + len(made.content) for place in whole)
