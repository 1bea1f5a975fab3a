"""The quick way to tell what learners did answers, keeps and counts as the route of the same address does."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.domain.errors import Unavailable
from serving import workflows
from serving.app import create_app
from serving.settings import Settings
from tests.served import key_for

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
BODY = {"content-type": "application/json"}
GOOD = {"event_id": "e1", "learner_id": "lena", "resource_id": "r1", "outcome": 0.7, "duration_s": 34.271}
# Told one after the other to one store, so that later ones meet what earlier ones left there.
TOLD: list[Any] = [
    [GOOD],
    [GOOD],
    [GOOD, {**GOOD, "outcome": 0.1}, {**GOOD, "event_id": "e2", "at": "2026-08-31T09:00:00+02:00"}],
    [{"event_id": 3, "learner_id": 7, "resource_id": 9, "kind": "viewed", "order": 4, "skills": ["a"]}],
    [{"learner_id": "lena", "resource_id": "r2"}, {"learner_id": "lena", "resource_id": "r2"}],
    [{"learner_id": "x" * 513, "resource_id": "r1"}, {"learner_id": "\u00e9" * 256, "resource_id": "r1"}],
    [{"learner_id": "\u20ac" * 171, "resource_id": "r1"}, {"learner_id": "", "resource_id": "r1"}],
    [{"learner_id": "lena", "kind": "danced"}, {"learner_id": "lena", "outcome": 2, "resource_id": "r1"}, 5],
    [{**GOOD, "event_id": "nul\u0000"}, {**GOOD, "event_id": "n2", "source": "\u0000"}],
    [{**GOOD, "event_id": "n3", "value": "\u0000"}, {**GOOD, "event_id": "n4", "value": "\\u0000"}],
    [{"learner_id": "lena", "kind": "goal_set", "value": "what?"}, {**GOOD, "event_id": "future", "at": "2030-01-01"}],
    [],
]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[TestClient, TestClient]]:
    """Two servers of the same school, each on a store of its own, at noon."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(_serving(tmp_path / name)) for name in ("quick", "route"))  # type: ignore[misc]


def _serving(folder: Path, **settings: Any) -> TestClient:
    folder.mkdir(exist_ok=True)
    app = create_app(Settings(data=folder, **settings))

    class AtNoon(TestClient):
        def __enter__(self) -> TestClient:
            client = super().__enter__()
            app.state.house = replace(app.state.house, clock=lambda: NOON)
            return client

    headers = {"Authorization": f"Bearer {key_for(folder, 'events')}"}
    return AtNoon(app, headers=headers, raise_server_exceptions=False)


def _told(answer: Any) -> tuple[Any, ...]:
    names = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return answer.status_code, names, re.sub(r'"[0-9a-f]{32}"', '"made"', answer.text)


def _by_route(client: TestClient, content: bytes, **headers: str) -> Any:
    """A body whose length is not told goes to the route."""
    return client.post("/v1/events", content=iter([content]), headers={**BODY, **headers})


def _kept(client: TestClient) -> Any:
    house = client.app.state.house  # type: ignore[attr-defined]
    assert client.portal is not None
    return client.portal.call(house.store.events.after, "school", 0, 1_000)


def _counted(client: TestClient) -> list[str]:
    return [x for x in client.get("/metrics").text.splitlines() if x.startswith(("trailmate_ev", "trailmate_req"))]


def test_both_ways_answer_and_keep_alike(both: tuple[TestClient, TestClient]) -> None:
    quick, route = both
    for batch in TOLD:
        content = json.dumps({"events": batch}).encode()
        assert _told(quick.post("/v1/events", content=content, headers=BODY)) == _told(_by_route(route, content))
    assert _kept(quick) == _kept(route)
    assert [event.event_id for _, event in _kept(quick)][:3] == ["e1", "e2", "3"]
    assert len(_kept(quick)) == 6


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"{}", b"[]", b'{"events": 1}', b'{"event": []}', b'{"events": [{]}']
)
def test_both_ways_refuse_alike(both: tuple[TestClient, TestClient], content: bytes) -> None:
    quick, route = both
    first = _told(quick.post("/v1/events", content=content, headers=BODY))
    assert first == _told(_by_route(route, content))
    assert first[0] in (400, 422)


@pytest.mark.parametrize("key", ["", "Bearer nonsense", "Bearer tm_000000000000_" + "a" * 43])
def test_both_ways_ask_for_a_key_alike(both: tuple[TestClient, TestClient], key: str) -> None:
    quick, route = both
    first = _told(quick.post("/v1/events", content=b'{"events": []}', headers={**BODY, "authorization": key}))
    assert first == _told(_by_route(route, b'{"events": []}', authorization=key))
    assert first[0] == 401


def test_both_ways_ask_for_the_scope(tmp_path: Path, both: tuple[TestClient, TestClient]) -> None:
    for name, client in zip(("quick", "route"), both, strict=True):
        key = f"Bearer {key_for(tmp_path / name, 'recommend')}"
        told = [
            client.post("/v1/events", content=b'{"events": []}', headers={"authorization": key}),
            _by_route(client, b'{"events": []}', authorization=key),
        ]
        assert [answer.status_code for answer in told] == [403, 403]
        assert _told(told[0]) == _told(told[1])


def test_both_ways_count_and_name_alike(both: tuple[TestClient, TestClient]) -> None:
    quick, route = both
    for batch in TOLD[:8]:
        content = json.dumps({"events": batch}).encode()
        for answer in (
            quick.post("/v1/events", content=content, headers={**BODY, "x-request-id": "mine-7"}),
            _by_route(route, content, **{"x-request-id": "mine-7"}),
        ):
            assert answer.headers["x-request-id"] == "mine-7"
    told = [[x for x in _counted(client) if "seconds" not in x] for client in both]
    assert told[0] == told[1]
    assert 'trailmate_events_total{fate="duplicate"} 3.0' in told[0]


def test_a_day_that_is_full_and_a_body_too_long_are_refused_alike(tmp_path: Path) -> None:
    content = json.dumps({"events": [{**GOOD, "event_id": f"e{i}"} for i in range(3)]}).encode()
    long = json.dumps({"events": [{**GOOD, "event_id": f"e{i}"} for i in range(30)]}).encode()
    assert len(long) > 1_000
    settings = {"quota_events_per_day": 4, "max_body_bytes": 1_000}
    with _serving(tmp_path / "quick", **settings) as quick, _serving(tmp_path / "route", **settings) as route:
        for given, status in ((content, 200), (content, 429), (long, 413)):
            first = _told(quick.post("/v1/events", content=given, headers=BODY))
            assert first == _told(_by_route(route, given))
            assert first[0] == status


@pytest.mark.parametrize("problem", [Unavailable("the store did not answer; wait"), RuntimeError("secret")])
def test_what_breaks_is_told_alike_and_not_tried_again(
    both: tuple[TestClient, TestClient], monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    tried = []

    async def broken(*_: object, **__: object) -> None:
        tried.append(1)
        raise problem

    monkeypatch.setattr(workflows, "append_events", broken)
    quick, route = both
    content = json.dumps({"events": [GOOD]}).encode()
    first = _told(quick.post("/v1/events", content=content, headers=BODY))
    assert first == _told(_by_route(route, content))
    assert first[0] in (500, 503)
    assert "secret" not in first[2]
    assert len(tried) == 2
    assert [x for x in _counted(quick) if "requests" in x] == [x for x in _counted(route) if "requests" in x]


def test_a_key_to_answer_once_and_a_query_go_to_the_route(both: tuple[TestClient, TestClient]) -> None:
    quick, _ = both
    once = {**BODY, "Idempotency-Key": "once"}
    content = json.dumps({"events": [GOOD]}).encode()
    first, again = (quick.post("/v1/events", content=content, headers=once) for _ in range(2))
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert quick.post("/v1/events?dry=1", content=content, headers=BODY).status_code == 422
