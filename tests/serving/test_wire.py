"""What goes over the wire arrives as the log would keep it."""

import math
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.interaction import Interaction
from serving.schemas import EventIn
from serving.storage import tables
from serving.storage.decisions import DecisionRow
from serving.storage.rows import InteractionRow, content_of, from_us, hash_of, to_us
from serving.wire import decoded, interaction_in, single, utc

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def kept(body: bytes) -> Interaction:
    return interaction_in(decoded(body, EventIn), now=NOW, new_id=lambda _: "made")


def test_ids_become_text_and_kinds_follow_the_outcome() -> None:
    scored = kept(b'{"learner_id": 7, "resource_id": 8, "outcome": 0.5, "event_id": 9}')
    assert (scored.learner_id, scored.resource_id, scored.event_id, scored.kind) == ("7", "8", "9", "attempted")
    assert kept(b'{"learner_id": "l", "resource_id": "r"}').kind == "viewed"
    assert kept(b'{"learner_id": "l"}').event_id == "made"


@given(st.floats(allow_nan=False))
def test_numbers_survive_the_single_precision_of_the_log(number: float) -> None:
    once = single(number)
    assert once == single(once)
    if math.isfinite(once or 0):
        assert struct.unpack("f", struct.pack("f", once))[0] == once


@pytest.mark.parametrize("duration", [-1, 1e300])
def test_a_duration_that_cannot_be_one_is_left_out(duration: float) -> None:
    assert kept(b'{"learner_id": "l", "duration_s": %f}' % duration).duration_s is None


def test_times_are_utc_to_the_microsecond() -> None:
    assert utc(datetime(2026, 1, 1, 12)) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    east = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert repr(utc(east)) == repr(datetime(2026, 1, 1, 10, tzinfo=UTC))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_from_the_store_exactly(at: datetime) -> None:
    assert from_us(to_us(at)) == at


def test_a_row_has_the_columns_of_its_table() -> None:
    assert list(InteractionRow.__struct_fields__) == [column.name for column in tables.interactions.columns]
    assert list(DecisionRow._fields) == [column.name for column in tables.decisions.columns]


def test_who_sent_an_event_and_when_do_not_change_its_content() -> None:
    event = kept(b'{"learner_id": "l", "resource_id": "r", "event_id": "1", "source": "a"}')
    same = kept(
        b'{"learner_id": "l", "resource_id": "r", "event_id": "2", "source": "b", "at": "2026-01-01T00:00:00Z"}'
    )
    assert hash_of(content_of(event)) == hash_of(content_of(same))
    assert hash_of(content_of(event)) != hash_of(content_of(kept(b'{"learner_id": "m", "resource_id": "r"}')))
