"""A batch read in one go is the batch read event by event."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import BadInput
from engine.domain.interaction import KINDS, MAX_WITH
from serving import batch
from serving.batch import batch_in

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
PLAIN = {"event_id": "e1", "learner_id": "lena", "resource_id": "r1", "outcome": 0.7, "duration_s": 34.271}
IDS = st.sampled_from(["a", "é" * 128, "x" * 129, "x" * 513, "", "\0", 7, None, 2.5])
MOMENTS = st.sampled_from(
    [
        "2026-08-31T09:00:00+02:00",
        "2026-08-31T09:00:00.123456Z",
        "2026-08-31T09:00:00",
        "2026-09-02T12:00:00.000001Z",
        "2026-09-02T12:00:00Z",
        "1900-01-01T00:00:00Z",
        "1899-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "noon",
    ]
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0, 1, 0.5, -0.0, 1e-50, 1e39, 2, "1", True])
)
TEXTS = st.lists(st.one_of(st.text(max_size=3), st.just(1)), max_size=3)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "kind": st.sampled_from([*KINDS, "danced", "", None]),
    "at": MOMENTS,
    "order": st.sampled_from([0, -(2**63), 2**63, 1.5, None]),
    "outcome": NUMBERS,
    "duration_s": NUMBERS,
    "skills": TEXTS,
    "with_learner_ids": st.one_of(TEXTS, st.just(["x"] * (MAX_WITH + 1))),
    "value": st.sampled_from(["words", '{"skills": ["s"]}', "\0", None, 4]),
    "source": st.sampled_from(["app", "", None]),
    "no_field": st.sampled_from([1, [{}]]),
} | dict.fromkeys(
    ("event_id", "learner_id", "resource_id", "item_id", "class_id", "decision_id", "group_id", "voids"), IDS
)
CHANGES = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
)
EVENTS = st.one_of(CHANGES.map(lambda change: PLAIN | change), st.sampled_from([{}, 5, None, []]))


def _read(content: bytes, read: Any) -> Any:
    try:
        told = read(content, NOW)
    except BadInput as problem:
        return type(problem), str(problem)
    # As text, which tells 0.0 from -0.0.
    return repr(told.good), list(told.places), told.rejected


@given(st.one_of(EVENTS.map(lambda event: [event]), st.lists(EVENTS, max_size=3)))
def test_read_in_one_go_or_one_by_one(events: list[Any]) -> None:
    content = json.dumps({"events": events}).encode()
    assert _read(content, batch_in) == _read(content, batch._read_each)


@pytest.mark.parametrize("content", [b"", b"{", b'{"events": [{]}', b'{"events": [], "more": 1}', b'{"events": [5]'])
def test_what_is_no_batch_is_refused_alike(content: bytes) -> None:
    assert _read(content, batch_in) == _read(content, batch._read_each)


def test_too_many_are_refused_alike() -> None:
    content = json.dumps({"events": [PLAIN] * 1_001}).encode()
    assert _read(content, batch_in) == _read(content, batch._read_each)
    assert isinstance(_read(content, batch_in)[1], str)


@pytest.mark.parametrize("kind", [None, "viewed", "too_hard", "shown"])
def test_what_apps_send_is_read_in_one_go(kind: str | None) -> None:
    events = [PLAIN | {"at": "2026-08-31T09:00:00+02:00"}, PLAIN | {"kind": kind}]
    content = json.dumps({"events": events}).encode()
    assert _read(content, batch._read_at_once) == _read(content, batch._read_each)
