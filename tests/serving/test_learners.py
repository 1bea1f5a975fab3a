"""The doors of the open learner model, asked in one process without a bundle, and what they refuse."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from engine.domain.errors import Unavailable
from engine.learner.preferences import Goal, is_past
from serving.app import create_app
from serving.settings import Settings
from serving.storage.opening import open_store
from tests.served import key_for

DOORS = [
    ("get", ""), ("get", "/path"), ("put", "/preferences"), ("put", "/goal"), ("post", "/voice"),
    ("delete", "/voice/e"),
]  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {"/preferences": {}, "/goal": {"skills": []}, "/voice": {"voice": "know_it"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    headers = {"Authorization": f"Bearer {key_for(folder, 'read', 'events', 'recommend', 'catalogue')}"}
    with TestClient(create_app(Settings(data=folder, key_cache_s=0)), headers=headers) as client:
        client.put(
            "/v1/resources",
            json={"resources": [{"resource_id": "r", "skills": ["s", "s2"]}, {"resource_id": "bare", "position": 1}]},
        )
        yield client


def detail(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["detail"])


@pytest.mark.parametrize(("method", "door"), DOORS)
def test_each_door_asks_for_its_own_scope(client: TestClient, folder: Path, method: str, door: str) -> None:
    needed = "read" if method == "get" else "events"
    others = [s for s in ("recommend", "events", "catalogue", "read") if s != needed]
    headers = {"Authorization": f"Bearer {key_for(folder, *others)}"}
    body = {"json": BODIES[door]} if door in BODIES else {}
    refused = client.request(method, f"/v1/learners/x{door}", headers=headers, **body)
    assert f"scope {needed};" in detail(refused, 403)


@pytest.mark.parametrize(
    ("door", "body", "status", "word"),
    [
        ("/preferences", {"formats": "video"}, 422, "array"),
        ("/preferences", {"formats": ["x"] * 51}, 422, "50"),
        ("/preferences", {"formats": [""]}, 422, "formats"),
        ("/preferences", {"learning_style": "visual"}, 422, "unknown field"),
        ("/preferences", {"minutes_per_day": 0}, 422, "minutes_per_day"),
        ("/goal", {}, 422, "skills"),
        ("/goal", {"skills": ["s"], "by": "soon"}, 422, "by"),
        ("/goal", {"skills": ["s"], "by": "2026-02-30"}, 422, "by"),
        ("/goal", {"skills": ["s"], "by": "2020-02-20"}, 422, "by lies in the past"),
        ("/goal", {"skills": ["s"], "floor": -1}, 422, "floor"),
        ("/goal", {"skills": ["s"], "ceiling": 1e9}, 422, "ceiling"),
        ("/goal", {"skills": ["s"], "floor": 60, "ceiling": 30}, 422, "floor lies above ceiling"),
        ("/voice", {"voice": "shout", "skills": ["s"]}, 422, "voice"),
        ("/voice", {"voice": "know_it"}, 422, "name skills or a resource_id"),
        ("/voice", {"voice": "know_it", "resource_id": "bare"}, 422, "no skill is known"),
        ("/voice", {"voice": "know_it", "resource_id": "nowhere"}, 422, "no skill is known"),
        ("/voice", {"voice": "know_it", "skills": ["secret-skill"]}, 400, "skills names a skill"),
        ("/voice", {"voice": "accept"}, 422, "resource_id"),
        ("/voice", {"voice": "too_easy", "skills": ["s"]}, 422, "resource_id"),
        ("/voice", {"voice": "too_easy", "skills": ["s"], "resource_id": "r"}, 422, "leave skills out"),
        ("/voice", {"voice": "decline", "resource_id": "secret-resource"}, 400, "resource_id names no resource"),
        ("/voice", {"voice": "decline", "resource_id": "r", "event_id": ""}, 422, "event_id"),
        ("/goal", {"skills": ["s", "secret-skill"]}, 400, "skills names a skill"),
        ("/voice", {"voice": "contest", "skills": ["s"], "text": "I was ill"}, 422, "unknown field"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_of_it_is_kept(
    client: TestClient, door: str, body: dict[str, Any], status: int, word: str
) -> None:
    method = "post" if door == "/voice" else "put"
    told = detail(client.request(method, f"/v1/learners/refused{door}", json=body), status)
    assert word in told
    assert "I was ill" not in told
    assert "secret" not in told
    assert "nobody told" in detail(client.get("/v1/learners/refused"), 404)


def offered(client: TestClient, learner_id: str, **wanted: Any) -> list[str]:
    answer = client.post("/v1/recommendations", json={"learner_id": learner_id, **wanted})
    assert answer.status_code == 200, answer.text
    return [option["resource_id"] for option in answer.json()["slate"]]


@pytest.mark.parametrize(
    ("voice", "first"), [("accept", "bare"), ("decline", "r"), ("not_now", "r"), ("too_easy", "r"), ("too_hard", "r")]
)
def test_words_count_without_a_bundle_and_can_be_taken_back(client: TestClient, voice: str, first: str) -> None:
    who = f"says {voice}"
    before = offered(client, who)
    assert before == ["bare", "r"]
    about = "r" if voice == "accept" else "bare"
    word = {"voice": voice, "resource_id": about, "event_id": f"word-{voice}", "decision_id": "d"}
    said = client.post(f"/v1/learners/{who}/voice", json=word).json()
    assert (said["event_id"], said["checks"], said["message"]) == (f"word-{voice}", [], None)
    assert offered(client, who, k=1) == ["r"]
    assert offered(client, who) == ["r", "bare"]
    again = client.post(f"/v1/learners/{who}/voice", json=word)
    assert (again.json()["holds_until"], client.get(f"/v1/learners/{who}").json()["n_events"]) == (
        said["holds_until"], 1,
    )  # fmt: skip
    other = {**word, "resource_id": "r" if about == "bare" else "bare"}
    assert "event_id was used before" in detail(client.post(f"/v1/learners/{who}/voice", json=other), 409)

    assert detail(client.delete(f"/v1/learners/somebody-else/voice/word-{voice}"), 404)
    undone = client.delete(f"/v1/learners/{who}/voice/word-{voice}").json()
    assert undone["voids"] == f"word-{voice}"
    assert offered(client, who, seen_token=undone["seen_token"]) == before
    assert detail(client.delete(f"/v1/learners/{who}/voice/word-{voice}"), 404)


def test_goals_wants_and_checks_are_taken_back_by_the_ids_their_doors_answer(client: TestClient) -> None:
    goals = [client.put("/v1/learners/undo/goal", json={"skills": [s]}).json()["event_id"] for s in ("s", "s2")]
    wants = client.put("/v1/learners/undo/preferences", json={"formats": ["video"]}).json()["event_id"]
    word = client.post("/v1/learners/undo/voice", json={"voice": "contest", "skills": ["s"]}).json()
    assert word["holds_until"] is None
    client.post("/v1/events", json={"events": [{"learner_id": "undo", "resource_id": "r", "event_id": "work"}]})
    for event_id in (goals[1], wants, word["event_id"]):
        assert client.delete(f"/v1/learners/undo/voice/{event_id}").json()["voids"] == event_id
    told = client.get("/v1/learners/undo").json()
    assert (told["goal"]["skills"], told["preferences"]["formats"], told["n_events"]) == (["s"], [], 2)
    # What was done is no word: it is taken back with POST /v1/events alone.
    assert detail(client.delete("/v1/learners/undo/voice/work"), 404)


def test_without_a_bundle_or_a_goal_a_path_says_what_is_missing(client: TestClient) -> None:
    assert detail(client.get("/v1/learners/nobody/path"), 404)
    client.put("/v1/learners/walker", json={})
    assert "--bundle" in client.get("/v1/learners/walker/path").json()["message"]
    asked = client.get("/v1/learners/walker/path", params={"goal": "s,s2"}).json()
    assert (asked["goal"], asked["steps"], asked["minutes"]) == (["s", "s2"], [], None)
    for wrong in ({"goal": "s,secret"}, {"choose": "secret"}):
        told = detail(client.get("/v1/learners/walker/path", params=wrong), 400)
        assert next(iter(wrong)) in told
        assert "secret" not in told


def test_a_goal_of_unknown_skills_is_refused_and_without_a_catalogue_taken(client: TestClient, tmp_path: Path) -> None:
    told = detail(client.post("/v1/recommendations", json={"learner_id": "x", "goal": ["secret"]}), 400)
    assert "goal names a skill" in told
    assert "secret" not in told
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    with TestClient(create_app(Settings(data=tmp_path)), headers=headers) as empty:
        assert empty.put("/v1/learners/x/goal", json={"skills": ["anything"]}).status_code == 200
        assert empty.post("/v1/recommendations", json={"learner_id": "x", "goal": ["anything"]}).status_code == 200


def test_a_class_is_answered_as_its_learners_are_one_by_one(client: TestClient) -> None:
    for learner_id in ("kim", "ada"):
        client.put(f"/v1/learners/{learner_id}", json={"classes": ["8a"]})
    client.post("/v1/events", json={"events": [{"learner_id": "bo", "resource_id": "r", "class_id": "8a"}]})
    told = client.post("/v1/recommendations/batch", json={"class_id": "8a", "k": 2}).json()["decisions"]
    assert [d["learner_id"] for d in told] == ["ada", "bo", "kim"]
    named = client.post("/v1/recommendations/batch", json={"learner_ids": ["kim", "new", 7, "kim"]}).json()["decisions"]
    assert [d["learner_id"] for d in named] == ["kim", "new", "7"]
    for one in told:
        alone = client.post(
            "/v1/recommendations", json={"learner_id": one["learner_id"], "k": 2, "class_id": "8a"}
        ).json()
        assert alone["slate"] == one["slate"]
    assert len({d["decision_id"] for d in (*told, *named)}) == 6
    client.put("/v1/classes/empty", json={})
    assert client.post("/v1/recommendations/batch", json={"class_id": "empty"}).json() == {"decisions": []}


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "either class_id or learner_ids"),
        ({"class_id": "8a", "learner_ids": ["x"]}, 422, "either class_id or learner_ids"),
        ({"learner_ids": []}, 422, "learner_ids"),
        ({"learner_ids": ["x"] * 201}, 422, "learner_ids"),
        ({"learner_ids": ["x"], "learner_id": "x"}, 422, "unknown field"),
        ({"learner_ids": ["x"], "what_if": True}, 422, "unknown field"),
        ({"learner_ids": ["x", ""]}, 422, "learner_id"),
        ({"learner_ids": ["x"], "goal": ["secret"]}, 400, "goal"),
        ({"learner_ids": ["x"], "seen_token": "s999999"}, 503, "seen_token"),
        ({"class_id": "nowhere"}, 404, "class"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(
    client: TestClient, body: dict[str, Any], status: int, word: str
) -> None:
    told = detail(client.post("/v1/recommendations/batch", json=body), status)
    assert word in told
    assert "secret" not in told


def test_a_class_too_large_for_one_request_is_asked_for_in_parts(client: TestClient) -> None:
    events = [{"learner_id": f"m{i}", "resource_id": "r", "class_id": "mass"} for i in range(201)]
    client.post("/v1/events", json={"events": events})
    assert "in parts" in detail(client.post("/v1/recommendations/batch", json={"class_id": "mass"}), 422)


def test_without_a_bundle_all_is_kept_and_a_message_says_what_is_missing(client: TestClient) -> None:
    client.put("/v1/learners/lena", json={"classes": ["7b"], "subgroups": ["language:second"]})
    wants = {"formats": ["video", "video"], "access_needs": ["captions"]}
    assert client.put("/v1/learners/lena/preferences", json=wants).json()["preferences"]["formats"] == ["video"]
    goal = client.put("/v1/learners/lena/goal", json={"skills": ["s"], "by": "2026-12-18"}).json()
    assert (goal["goal"]["skills"], goal["goal"]["by"], goal["goal"]["minutes_needed"]) == (["s"], "2026-12-18", None)
    voice = client.post("/v1/learners/lena/voice", json={"voice": "contest", "resource_id": "r"}).json()
    told = client.get("/v1/learners/lena?audience=learner").json()
    for answer in (goal, voice, told):
        assert "--bundle" in answer["message"]
    assert (told["skills"], told["formats"], told["checks"], told["n_events"]) == ([], [], [], 3)
    assert (told["classes"], told["goal"], told["preferences"]["access_needs"]) == (["7b"], goal["goal"], ["captions"])
    assert "second" not in str(told)
    assert "audience" in client.get("/v1/learners/lena").json()
    assert detail(client.get("/v1/learners/lena?audience=parent"), 422)
    mistake = {"learner_id": "lena", "kind": "preferences_set", "event_id": "mistake", "value": "{}"}
    client.post("/v1/events", json={"events": [mistake]})
    client.post("/v1/events", json={"events": [{"learner_id": "lena", "kind": "voided", "voids": "mistake"}]})
    again = client.get("/v1/learners/lena").json()
    assert (again["n_events"], again["preferences"]) == (3, told["preferences"])
    # Needs hold without any model, too.
    assert client.post("/v1/recommendations", json={"learner_id": "lena"}).json()["slate"] == []


def test_an_id_may_hold_a_slash_on_every_door(client: TestClient) -> None:
    client.put("/v1/learners/a%2Fb/preferences", json={"formats": ["video"]})
    client.put("/v1/learners/a%2Fb/goal", json={"skills": ["s"]})
    client.post("/v1/learners/a%2Fb/voice", json={"voice": "know_it", "skills": ["s"]})
    told = client.get("/v1/learners/a%2Fb").json()
    assert (told["learner_id"], told["n_events"], told["preferences"]["formats"]) == ("a/b", 3, ["video"])
    assert detail(client.get("/v1/learners/a"), 404)


@given(at=st.datetimes(timezones=st.just(UTC)), days=st.integers(-3, 3), skills=st.sampled_from([("s",), ()]))
def test_a_goal_is_past_when_its_day_is_over_everywhere(at: datetime, days: int, skills: tuple[str, ...]) -> None:
    try:
        by = at.date() + timedelta(days=days)
    except OverflowError:
        return
    behind = is_past(Goal(skills=skills, by=by.isoformat()), at)
    # The day ends last where clocks are twelve hours behind.
    assert behind == (days < -1 or (days == -1 and at.hour >= 12))
    assert not is_past(Goal(skills=skills), at)


def test_an_event_may_say_a_goal_that_was_ahead_when_it_was_said(client: TestClient) -> None:
    def sent(at: str, by: str) -> Any:
        event = {"learner_id": "past", "kind": "goal_set", "at": at, "value": json.dumps({"skills": ["s"], "by": by})}
        return client.post("/v1/events", json={"events": [event]}).json()

    assert sent("2020-02-01T08:00:00Z", "2020-02-20")["accepted"] == 1
    assert "by in value" in sent("2020-03-01T08:00:00Z", "2020-02-20")["rejected"][0]["reason"]
    assert sent("0001-01-01T00:00:00Z", "0001-01-02")["accepted"] in (0, 1)


def test_whatever_an_event_says_of_goals_and_wants_never_breaks_an_answer(client: TestClient) -> None:
    values = ['{"skills": ["s"], "by": "soon"}', '{"skills": 3}', "[", "", '{"skills": ["s"], "floor": -5}']
    for value in values:
        events = [{"learner_id": "odd", "kind": kind, "value": value} for kind in ("goal_set", "preferences_set")]
        client.post("/v1/events", json={"events": events})
        assert client.get("/v1/learners/odd").json()["goal"] is None
        assert client.post("/v1/recommendations", json={"learner_id": "odd"}).status_code == 200


def of_lena(folder: Path) -> Any:
    async def read() -> Any:
        async with open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}") as store:
            return await store.events.context("school", "lena")

    return asyncio.run(read())


def spoil(folder: Path, seq: int, content: bytes) -> None:
    async def put() -> None:
        async with open_store(f"sqlite+aiosqlite:///{folder / 'store.db'}") as store:
            await store.states.put("school", "lena", seq, content)

    asyncio.run(put())


def test_a_state_that_cannot_be_read_or_written_never_costs_an_answer(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}

    def fresh() -> TestClient:
        """A server that has read nobody yet: it has no copy of what is in the store."""
        return TestClient(create_app(Settings(data=tmp_path, bundle=tiny_bundle)), headers=headers)

    with fresh() as app:
        app.put("/v1/resources", json={"resources": [{"resource_id": f"r{i:02d}"} for i in range(9)]})
        app.post("/v1/events", json={"events": [{"learner_id": "lena", "resource_id": "r00", "outcome": 1.0}]})
        asked = {"learner_id": "lena", "k": 3}
        first = app.post("/v1/recommendations", json=asked).json()["slate"]
    # A server that ends has written what was on its way.
    good = of_lena(tmp_path).state
    for spoiled in (b"", b"TMLS", good.content[:-9], good.content[:300] + b"\0" * 9 + good.content[309:]):
        spoil(tmp_path, good.seq, spoiled)
        with fresh() as app:
            again = app.post("/v1/recommendations", json=asked).json()["slate"]
        assert [o["resource_id"] for o in again] == [o["resource_id"] for o in first]
        assert of_lena(tmp_path).state == good
    with fresh() as app:

        async def away(*_: object) -> None:
            raise Unavailable("the store did not answer; check it")

        monkeypatch.setattr(type(app.app.state.house.store.states), "put_all", away)
        app.post("/v1/events", json={"events": [{"learner_id": "lena", "resource_id": "r01", "outcome": 0.0}]})
        assert app.post("/v1/recommendations", json=asked).status_code == 200
        assert app.get("/v1/learners/lena").json()["n_events"] == 2
        assert of_lena(tmp_path).state == good


def test_nobody_gets_a_state_for_being_asked_about(tiny_bundle: Path, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    with TestClient(create_app(Settings(data=tmp_path, bundle=tiny_bundle)), headers=headers) as app:
        app.post("/v1/recommendations", json={"learner_id": "lena"})
        app.put("/v1/learners/lena", json={})
        assert app.get("/v1/learners/lena").status_code == 200
    assert of_lena(tmp_path).state is None
