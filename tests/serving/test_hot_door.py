"""The quick way to a recommendation answers as the route of the same address does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import (
    LEARNER,
    Clock,
    app,
    asking,
    school,
    school_bundle,
    school_log,
    school_told,
    told,
)

__all__ = ["app", "asking", "clock", "school", "school_bundle", "school_log", "school_told", "told"]


class Standing(Clock):
    """A clock that stands, so that two answers are given at one moment."""

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Standing()


ASKED = [
    {"learner_id": LEARNER},
    {"learner_id": LEARNER, "objective": "uptake", "k": 12},
    {"learner_id": LEARNER, "what_if": True, "k": 2},
    {"learner_id": LEARNER, "non_personalised": True, "seen_token": "s1"},
    {"learner_id": "nobody", "formats": ["video"], "minutes": 5},
    {"learner_id": 7},
    {"learner_id": ""},
    {"learner_id": LEARNER, "k": 0},
    {"learner_id": LEARNER, "kk": 1},
    {"learner_id": LEARNER, "seen_token": "soon"},
    {"learner_id": LEARNER, "seen_token": "s999999"},
    {"learner_id": LEARNER, "goal": ["no such skill"]},
    ["no object"],
]


def told_of(answer: Any) -> tuple[Any, ...]:
    """All of an answer but the ids that were made for it and how far the store had come."""
    names = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "content-length")}
    # Decisions are numbered, too, a moment after they were answered.
    text = re.sub(r'"seen_token":"s[0-9]+"', '"seen_token":"moved on"', answer.text)
    return answer.status_code, names, re.sub(r'"[0-9a-f]{32}"', '"made"', text)


def both(app: TestClient, content: bytes, **headers: str) -> Iterator[tuple[Any, ...]]:
    """What the quick way answers, and the route: a body whose length is not told goes there."""
    head = {"content-type": "application/json", **headers}
    yield told_of(app.post("/v1/recommendations", content=content, headers=head))
    yield told_of(app.post("/v1/recommendations", content=iter([content]), headers=head))


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: json.dumps(asked)[:60])
def test_both_ways_answer_alike(app: TestClient, asked: Any) -> None:
    quick, route = both(app, json.dumps(asked).encode())
    assert quick == route


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"{}"])
def test_both_ways_refuse_alike(app: TestClient, content: bytes) -> None:
    quick, route = both(app, content)
    assert quick == route
    assert quick[0] >= 400


@pytest.mark.parametrize("key", ["", "Bearer nonsense", "Bearer tm_000000000000_" + "a" * 43])
def test_both_ways_ask_for_a_key_alike(app: TestClient, key: str) -> None:
    quick, route = both(app, b'{"learner_id": "x"}', authorization=key)
    assert quick == route
    assert quick[0] == 401


def test_both_ways_are_counted_and_named_alike(app: TestClient) -> None:
    content = json.dumps({"learner_id": LEARNER}).encode()

    def counted() -> float:
        wanted = 'trailmate_requests_total{method="POST",route="/v1/recommendations",status="200"} '
        return next((float(x.removeprefix(wanted)) for x in app.get("/metrics").text.splitlines() if wanted in x), 0.0)

    before = counted()
    for given in (content, iter([content])):
        answer = app.post("/v1/recommendations", content=given, headers={"x-request-id": "mine-7"})
        assert answer.headers["x-request-id"] == "mine-7"
    assert counted() == before + 2


def test_what_is_at_hand_changes_no_answer(app: TestClient) -> None:
    asked = {"learner_id": LEARNER, "k": 20}
    house = app.app.state.house  # type: ignore[attr-defined]
    first = told_of(app.post("/v1/recommendations", json=asked))
    again = told_of(app.post("/v1/recommendations", json=asked))
    house.bundles.at_hand.clear()
    afresh = told_of(app.post("/v1/recommendations", json=asked))
    assert first == again == afresh


def test_the_unforeseen_is_told_of_in_the_usual_place(app: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import choosing

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(choosing, "recommend_next", broken)
    answer = app.post("/v1/recommendations", json={"learner_id": LEARNER})
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:trailmate:problem:unexpected"
    assert "secret" not in answer.text
