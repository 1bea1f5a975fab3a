"""The doors, asked in one process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.domain.errors import Unavailable
from serving.app import create_app
from serving.settings import Settings
from tests.served import key_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    app = create_app(Settings(data=folder, max_body_bytes=20_000, key_cache_s=0))
    headers = {"Authorization": f"Bearer {key_for(folder, 'admin')}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem, which must have the right form."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = response.json()
    assert told.keys() == {"type", "title", "status", "detail", "request_id"}
    assert told["status"] == status
    assert told["request_id"] == response.headers["x-request-id"]
    return told


@pytest.mark.parametrize("path", ["/v1/events", "/v1/recommendations"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"events": [', b'{"learner_id": "\\ud800"}', b"[" * 3_000])
def test_what_is_not_json_gets_400(client: TestClient, path: str, body: bytes) -> None:
    assert problem(client.post(path, content=body), 400)["type"].endswith("not-json")


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"inf"])
def test_a_number_that_is_none_is_named(client: TestClient, number: bytes) -> None:
    body = b'{"learner_id": "lena", "minutes": ' + number + b"}"
    assert "no NaN and no infinity" in problem(client.post("/v1/recommendations", content=body), 400)["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", []),
        ("/v1/events", {"events": 3}),
        ("/v1/events", {"lena-secret": []}),
        ("/v1/events", {"events": [], "lena-secret": 1}),
        ("/v1/events", {"events": [{}] * 1001}),
        ("/v1/recommendations", {}),
        ("/v1/recommendations", {"learner_id": None}),
        ("/v1/recommendations", {"learner_id": ""}),
        ("/v1/recommendations", {"learner_id": "é" * 257}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "k": 0}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "k": 51}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "k": True}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "objective": "lena-secret"}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "minutes": -1}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "seen_token": "lena-secret"}),
        ("/v1/recommendations", {"learner_id": "lena-secret", "lena-secret": 1}),
        ("/v1/recommendations", {"learner_id": "x", "candidates": "lena-secret"}),
    ],
)
def test_json_of_the_wrong_shape_gets_422_and_nothing_is_repeated(client: TestClient, path: str, body: Any) -> None:
    assert "lena-secret" not in problem(client.post(path, json=body), 422)["detail"]


@pytest.mark.parametrize("asked", [{"goal": ["s"]}, {"explore": True, "seed": 7}, {"what_if": True}])
def test_what_is_offered_may_be_asked_for_or_left_out_without_a_bundle(
    client: TestClient, asked: dict[str, Any]
) -> None:
    for body in (asked, dict.fromkeys(asked), {}):
        answer = client.post("/v1/recommendations", json={"learner_id": "x", **body})
        assert (answer.status_code, answer.json()["mode"]) == (200, "fallback")


def test_a_body_above_the_limit_gets_413_also_where_its_length_is_not_told(client: TestClient) -> None:
    body = b'{"learner_id": "' + b"x" * 20_001 + b'"}'
    assert "smaller" in problem(client.post("/v1/recommendations", content=body), 413)["detail"]
    assert problem(client.post("/v1/recommendations", content=iter([body])), 413)


def test_unknown_addresses_and_methods_are_problems_too(client: TestClient) -> None:
    problem(client.get("/v1/nothing"), 404)
    response = client.get("/v1/events")
    problem(response, 405)
    assert response.headers["allow"] == "POST"
    problem(client.put("/v1/resources?dry_run=perhaps", json={"resources": []}), 422)


BAD_EVENTS: list[tuple[Any, str]] = [
    (3, "Expected `object`"),
    ({"resource_id": "r"}, "learner_id"),
    ({"learner_id": "l", "resource_id": "r", "kind": "juggled"}, "kind"),
    ({"learner_id": "l"}, "resource_id is missing"),
    ({"learner_id": "l", "resource_id": "r", "outcome": 1.5}, "outcome"),
    ({"learner_id": "l", "resource_id": "r", "at": "2999-01-01T00:00:00Z"}, "future"),
    ({"learner_id": "l", "resource_id": "r", "at": "0001-01-01T00:00:00+14:00"}, "years"),
    ({"learner_id": "l", "resource_id": "r", "at": "yesterday"}, "at"),
    ({"learner_id": "", "resource_id": "r"}, "learner_id"),
    ({"learner_id": "l", "resource_id": "r", "order": 2**70}, "order"),
    ({"learner_id": "l", "resource_id": "r", "event_id": "x" * 513}, "event_id"),
]


def test_bad_events_are_rejected_one_by_one_with_their_reasons(client: TestClient) -> None:
    good = {"event_id": "good", "learner_id": 17, "resource_id": "r", "extra": "ignored", "duration_s": -4}
    answer = client.post("/v1/events", json={"events": [*(event for event, _ in BAD_EVENTS), good]}).json()
    assert answer["accepted"] == 1
    assert [r["index"] for r in answer["rejected"]] == list(range(len(BAD_EVENTS)))
    assert [
        r["reason"] for r, (_, word) in zip(answer["rejected"], BAD_EVENTS, strict=True) if word not in r["reason"]
    ] == []


def test_an_event_without_an_id_is_named_by_its_content_and_time(client: TestClient) -> None:
    event = {"learner_id": "l", "resource_id": "r", "at": "2026-01-01T10:00:00+02:00"}
    first, again = (client.post("/v1/events", json={"events": [event]}).json() for _ in range(2))
    assert (first["accepted"], again["duplicates"]) == (1, 1)
    later = client.post("/v1/events", json={"events": [{**event, "at": "2026-01-02T10:00:00Z"}]}).json()
    assert later["accepted"] == 1


def test_a_slip_in_one_resource_withdraws_nothing(client: TestClient) -> None:
    client.put("/v1/resources", json={"resources": [{"resource_id": "a"}, {"resource_id": "b"}]})
    sent = [{"resource_id": "a", "minutes": -3}, {"resource_id": "c"}, {"resource_id": "c", "title": "again"}, 7]
    told = client.put("/v1/resources", json={"resources": sent}).json()
    assert (told["added"], told["changed"], told["withdrawn"], told["unchanged"]) == (1, 0, 1, 1)
    assert [r["index"] for r in told["rejected"]] == [0, 2, 3]


def test_a_seen_token_from_the_future_is_not_pretended_to_be_seen(client: TestClient) -> None:
    response = client.post("/v1/recommendations", json={"learner_id": "l", "seen_token": "s999999999"})
    problem(response, 503)
    assert response.headers["retry-after"] == "1"


def test_the_request_id_of_the_caller_is_kept_and_a_dangerous_one_is_not(client: TestClient) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/livez", headers={"X-Request-ID": 'a"\\n{'}).headers["x-request-id"] != 'a"\\n{'


def test_a_store_that_is_away_is_503_and_livez_does_not_mind(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the store did not answer; check it")

    store = client.app.state.house.store
    monkeypatch.setattr(type(store.keys), "find", away)
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    # The key was good a moment ago, so it opens; what needs the store does not.
    assert client.post("/v1/events", json={"events": []}).status_code == 200
    monkeypatch.setattr(type(store.events), "append", away)
    problem(client.post("/v1/events", json={"events": []}), 503)


def test_the_unforeseen_is_500_without_a_word_of_what_was_inside(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("lena-secret")

    monkeypatch.setattr(type(client.app.state.house.store.keys), "find", broken)
    told = problem(client.post("/v1/events", json={"events": []}), 500)
    assert "lena-secret" not in json.dumps(told)


def test_recorded_and_answered_slate_are_the_same(client: TestClient) -> None:
    client.put("/v1/resources", json={"resources": [{"resource_id": x, "position": i} for i, x in enumerate("cab")]})
    answer = client.post("/v1/recommendations", json={"learner_id": "someone new", "k": 2}).json()
    store = client.app.state.house.store
    slots = client.portal.call(lambda: store.decisions.after("school", 0, 10_000))
    kept = [s for s in slots if s.decision_id == answer["decision_id"]]
    assert [(s.slot, s.resource_id, s.score, s.propensity, s.origin) for s in kept] == [
        (o["rank"], o["resource_id"], o["score"], o["propensity"], o["origin"]) for o in answer["slate"]
    ]
    assert [s.resource_id for s in kept] == ["c", "a"]
    assert all(s.resource_id in {tie.resource_id for tie in s.near_ties} for s in kept)


def test_a_new_resource_is_recommendable_at_once_and_a_withdrawn_one_is_not(client: TestClient) -> None:
    def offered(*ids: str) -> list[str]:
        client.put("/v1/resources", json={"resources": [{"resource_id": x} for x in ids]})
        answer = client.post("/v1/recommendations", json={"learner_id": "another", "k": 50}).json()
        return sorted(option["resource_id"] for option in answer["slate"])

    assert offered("p", "q") == ["p", "q"]
    assert offered("q", "new") == ["new", "q"]


def test_an_id_in_a_path_may_hold_anything(client: TestClient) -> None:
    answer = client.put("/v1/learners/a%2Fb%20%C3%A9%3F", json={"sharing": True}).json()
    assert answer["learner_id"] == "a/b é?"


def test_metrics_count_and_name_nobody(client: TestClient) -> None:
    client.post("/v1/recommendations", json={"learner_id": "lena-secret"})
    text = client.get("/metrics").text
    assert 'trailmate_requests_total{method="POST",route="/v1/recommendations",status="200"}' in text
    assert "lena-secret" not in text
    assert "school" not in text


def test_the_front_page_leads_to_the_console_which_loads_nothing_from_elsewhere(client: TestClient) -> None:
    assert client.get("/", follow_redirects=False).headers["location"] == "/console/"
    page = client.get("/console/")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "sha256-" in page.headers["content-security-policy"]


def test_the_description_gives_every_door_a_body_an_answer_and_an_example(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    shapes = described["components"]["schemas"]
    paths = {path: doors for path, doors in described["paths"].items() if path.startswith("/v1/")}
    # What a rule's schema looks like is said by the schema itself.
    del paths["/v1/rules/schema"]
    doors = [door for of_one in paths.values() for door in of_one.values()]
    assert len(doors) == 42
    for door in doors:
        asked = [door["requestBody"]["content"]] if "requestBody" in door else []
        (answered,) = [told["content"] for code, told in door["responses"].items() if code in ("200", "201")]
        for content in (*asked, answered):
            shape = shapes[content["application/json"]["schema"]["$ref"].rpartition("/")[2]]
            assert content["application/json"]["example"].keys() <= shape["properties"].keys()
    assert shapes["EventsIn"]["properties"]["events"]["items"]["$ref"].endswith("/EventIn")


def test_serving_loads_no_trainer_and_no_table_library() -> None:
    heavy = {"mlflow", "pandas", "sklearn", "torch", "lightfm", "implicit", "polars", "pyarrow", "scipy", "matplotlib"}
    code = f"import sys, serving.app; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_nothing_is_opened_before_the_lifespan_begins(tmp_path: Path) -> None:
    create_app(Settings(data=tmp_path / "data"))
    assert not (tmp_path / "data").exists()
