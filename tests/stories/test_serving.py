"""A school day over HTTP: a real server in its own process, a real bundle, a real store."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.served import Served, key_for, served
from trailmate.cli import main

RESOURCES = [{"resource_id": f"r{i:02d}", "title": f"Resource {i}", "position": i} for i in range(24)]


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("school") / "data", "--bundle", str(tiny_bundle)) as running:
        yield running


def command(server: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """What a command prints as JSON, run beside the running server."""
    monkeypatch.setenv("TRAILMATE_DATA", str(server.data))
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    assert ended.value.code == 0
    return json.loads(capsys.readouterr().out)


def events_of(*done: str, learner_id: str) -> dict[str, Any]:
    events = [{"event_id": f"{learner_id}-{r}", "learner_id": learner_id, "resource_id": r} for r in done]
    return {"events": [{**event, "kind": "completed"} for event in events]}


def slate(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [option["resource_id"] for option in answer.json()["slate"]]


def test_from_the_first_key_to_a_recommendation_that_follows_what_was_done(
    server: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("keys", "create", "--tenant", "day", "--scopes", "recommend,events,catalogue")
    key = command(server, capsys, monkeypatch, *words)["key"]
    with server.client(key) as app:
        assert app.put("/v1/resources", json={"resources": RESOURCES}).json()["added"] == 24
        stranger = app.post("/v1/recommendations", json={"learner_id": "stranger", "k": 3}).json()
        assert (stranger["mode"], len(stranger["slate"])) == ("cold", 3)

        even = events_of("r00", "r02", "r04", learner_id="lena")
        told = app.post("/v1/events", json=even).json()
        assert (told["accepted"], told["duplicates"], told["rejected"]) == (3, 0, [])
        again = app.post("/v1/events", json=even).json()
        assert (again["accepted"], again["duplicates"]) == (0, 3)

        asked = {"learner_id": "lena", "k": 3, "seen_token": told["seen_token"]}
        answer = app.post("/v1/recommendations", json=asked)
        first = answer.json()
        assert first["mode"] == "personalised"
        assert not {"r00", "r02", "r04"} & set(slate(answer))
        for option in first["slate"]:
            assert option["reasons"]
            assert sum(r["contribution"] for r in option["reasons"]) == pytest.approx(option["score"])

        chosen = first["slate"][0]["resource_id"]
        done = events_of(chosen, learner_id="lena")
        done["events"][0]["decision_id"] = first["decision_id"]
        app.post("/v1/events", json=done)
        assert chosen not in slate(app.post("/v1/recommendations", json=asked))


def test_learners_of_two_habits_get_two_answers(server: Served) -> None:
    with server.client(key_for(server.data, "admin", tenant="habits")) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        app.post("/v1/events", json=events_of("r00", "r02", "r04", "r06", learner_id="even"))
        app.post("/v1/events", json=events_of("r01", "r03", "r05", "r07", learner_id="odd"))
        asked = {"k": 1, "objective": "uptake"}
        [even] = slate(app.post("/v1/recommendations", json={**asked, "learner_id": "even"}))
        [odd] = slate(app.post("/v1/recommendations", json={**asked, "learner_id": "odd"}))
        assert (int(even[1:]) % 2, int(odd[1:]) % 2) == (0, 1)


def test_no_key_a_wrong_key_and_a_missing_scope_open_nothing(server: Served) -> None:
    body = {"learner_id": "l"}
    with server.client() as nobody:
        missing = nobody.post("/v1/recommendations", json=body)
        wrong = nobody.post("/v1/recommendations", json=body, headers={"Authorization": "Bearer tm_1_2"})
        assert nobody.get("/livez").status_code == nobody.get("/readyz").status_code == 200
    for refused in (missing, wrong):
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
    with server.client(key_for(server.data, "events")) as app:
        refused = app.post("/v1/recommendations", json=body)
        assert (refused.status_code, "scope recommend;" in refused.json()["detail"]) == (403, True)
        assert app.post("/v1/events", json={"events": []}).status_code == 200


def test_a_key_revoked_at_the_command_line_is_dead_within_a_second(
    server: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = command(server, capsys, monkeypatch, "keys", "create", "--tenant", "r", "--scopes", "events")
    with server.client(key["key"]) as app:
        assert app.post("/v1/events", json={"events": []}).status_code == 200
        command(server, capsys, monkeypatch, "keys", "revoke", key["key_id"], "--tenant", "r")
        until = time.monotonic() + 1
        while app.post("/v1/events", json={"events": []}).status_code == 200 and time.monotonic() < until:
            time.sleep(0.02)
        assert app.post("/v1/events", json={"events": []}).status_code == 401
    listed = command(server, capsys, monkeypatch, "keys", "list", "--tenant", "r")["keys"]
    assert [(k["key_id"], k["revoked_at"] is not None) for k in listed] == [(key["key_id"], True)]


def test_one_school_sees_nothing_of_another(server: Served) -> None:
    with server.client(key_for(server.data, "admin", tenant="one")) as one:
        one.put("/v1/resources", json={"resources": RESOURCES})
        one.post("/v1/events", json=events_of("r00", learner_id="shared-name"))
    with server.client(key_for(server.data, "admin", tenant="two")) as two:
        answer = two.post("/v1/recommendations", json={"learner_id": "shared-name"}).json()
        assert (answer["mode"], answer["slate"]) == ("cold", [])
        assert two.post("/v1/events", json=events_of("r00", learner_id="shared-name")).json()["accepted"] == 1


def test_the_logs_name_no_learner_and_no_key(server: Served) -> None:
    key = key_for(server.data, "admin", tenant="quiet")
    with server.client(key) as app:
        app.post("/v1/events", json=events_of("r00", learner_id="secret-learner"))
        app.put("/v1/learners/secret-learner", json={})
        app.post("/v1/recommendations?learner=secret-learner", json={"learner_id": "secret-learner", "k": 99})
        app.get("/secret-learner?key=" + key, headers={"X-Request-ID": "last-one"})
    # The line is written after the answer went out.
    until = time.monotonic() + 10
    while "last-one" not in (text := server.log_file.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    lines = [json.loads(line) for line in text.splitlines()]
    assert "secret-learner" not in text
    assert key.removeprefix("tm_")[13:] not in text
    assert lines[-1]["request_id"] == "last-one"
    told = {(line["route"], line["status"]) for line in lines if line["tenant"] == "quiet"}
    assert told == {("/v1/events", 200), ("/v1/learners/{learner_id:path}", 200), ("/v1/recommendations", 422)}
    assert all(line["model_version"] and line["ms"] >= 0 for line in lines)
