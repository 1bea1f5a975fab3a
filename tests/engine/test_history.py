from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.history import NO_TIME, History, history_of, microseconds
from engine.domain.id_map import IdMap
from engine.domain.interaction import Interaction

START = datetime(2026, 3, 1, tzinfo=UTC)
RESOURCES = IdMap(["a", "b", "c"])


def event(event_id, resource_id="a", kind="viewed", minute=0, **more):
    at = START + timedelta(minutes=minute)
    return Interaction(
        event_id=event_id, learner_id="lena", kind=kind, source="t", resource_id=resource_id, at=at, **more
    )


def test_events_stand_in_their_own_sequence_whenever_they_arrive():
    history = history_of([event("2", "b", minute=5), event("1", "a", minute=1)], RESOURCES)
    assert history.resource_index.tolist() == [0, 1]
    assert history.at_us[0] == microseconds(START + timedelta(minutes=1))


def test_shown_declined_foreign_and_voided_events_are_no_history():
    events = [
        event("1", kind="shown"),
        event("2", kind="declined"),
        event("3", "elsewhere"),
        event("4", "b"),
        event("5", resource_id=None, kind="voided", voids="4"),
        event("6", "c"),
    ]
    assert history_of(events, RESOURCES).resource_index.tolist() == [2]


def test_an_event_without_time_stands_first_and_says_so():
    timeless = Interaction(event_id="0", learner_id="lena", kind="viewed", source="t", resource_id="b")
    history = history_of([event("1", "a"), timeless], RESOURCES)
    assert history.resource_index.tolist() == [1, 0]
    assert history.at_us[0] == NO_TIME


@given(st.permutations(list(range(8))))
def test_the_order_of_arrival_changes_nothing(order):
    events = [event(str(i), "abc"[i % 3], minute=i // 2) for i in range(8)]
    expected, given_order = history_of(events, RESOURCES), history_of([events[i] for i in order], RESOURCES)
    assert np.array_equal(expected.resource_index, given_order.resource_index)
    assert np.array_equal(expected.at_us, given_order.at_us)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_microseconds_are_exact(at):
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(at)) == at


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_rows_never_move_when_a_map_grows(ids, more):
    before = IdMap(ids)
    after = before.extended(more)
    assert after.ids[: len(before)] == before.ids
    assert after.rows(before.ids).tolist() == list(range(len(before)))
    assert all(x_id in after for x_id in more)
    assert before.row("not there at all") == -1


def test_what_is_kept_stands_for_the_very_things_it_was_made_of():
    history, rows, same = History.empty(), np.arange(3), np.arange(3)
    made = []

    def kept(*made_of, is_small=lambda _: True):
        return history.kept("sum", made_of, lambda: made.append(made_of) or len(made), is_small)

    assert [kept(rows, "a"), kept(rows, "a")] == [1, 1]
    assert history.recalled("sum", (rows, "a")) is not None
    # Names by what they say, arrays by whether they are the same one.
    assert kept(rows, "".join(["a"])) == 1
    assert kept(same, "a") == 2
    assert kept(same, "b") == 3
    assert history.recalled("sum", (rows, "a")) is None
    assert kept(same, "b", "c", is_small=lambda _: False) == 4
    assert history.recalled("sum", (same, "b")) is not None
    assert history.recalled("sum", (same, "b", "c")) is None
