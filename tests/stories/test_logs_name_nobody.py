"""A day with everything in it that can go right and wrong; its log, metrics and files of counts name nobody."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.served import key_for, served

# Every word that says something of somebody carries this mark.
MARK = "zerafina"
LEARNER, TITLE, SKILL = f"{MARK}-lovelace", f"What {MARK} should read", f"{MARK}-skill"
RESOURCES = [
    {"resource_id": f"{MARK}-r{i}", "title": f"{TITLE} {i}", "skills": [SKILL], "tags": [MARK]} for i in range(5)
]


def asked() -> list[tuple[str, str, Any]]:
    """(method, address, body) of requests that are answered with 200, 4xx, or by nobody."""
    done = {"learner_id": LEARNER, "resource_id": f"{MARK}-r1", "kind": "completed", "value": f'"{MARK}"'}
    event = {**done, "event_id": f"{MARK}-1", "class_id": f"{MARK}-class"}
    learner = f"/v1/learners/{LEARNER}"
    return [
        ("PUT", "/v1/resources", {"resources": RESOURCES}),
        ("POST", "/v1/events", {"events": [event]}),
        ("POST", "/v1/events", {"events": [{**event, "outcome": 0.5}, {**event, "at": MARK}, {MARK: MARK}]}),
        ("POST", "/v1/recommendations", {"learner_id": LEARNER, "what_if": True, "explore": True}),
        ("POST", "/v1/recommendations", {"learner_id": LEARNER, "goal": [f"{MARK}-no-such-skill"]}),
        ("POST", "/v1/recommendations", {"learner_id": LEARNER, MARK: MARK}),
        ("POST", "/v1/recommendations/batch", {"class_id": f"{MARK}-class"}),
        ("POST", "/v1/recommendations/batch", {"learner_ids": [LEARNER, f"{MARK}-other"]}),
        ("PUT", f"{learner}/goal", {"skills": [SKILL]}),
        ("POST", f"{learner}/voice", {"voice": "too_hard", "resource_id": f"{MARK}-r1"}),
        ("POST", f"{learner}/voice", {"voice": MARK}),
        ("GET", f"{learner}/path?goal={SKILL}&{MARK}={MARK}", None),
        ("GET", f"{learner}?audience={MARK}", None),
        ("GET", f"/{MARK}/{LEARNER}?q={MARK}", None),
        ("DELETE", learner, None),
        ("PURGE", learner, None),
    ]


@pytest.mark.parametrize("broken", [False, True])
def test_whatever_happens_no_line_names_a_learner_or_says_what_they_read(tmp_path: Path, broken: bool) -> None:
    key = key_for(tmp_path, "admin")
    with served(tmp_path, quota_requests_per_minute="1000") as server:
        if broken:
            with closing(sqlite3.connect(tmp_path / "store.db")) as store:
                store.executescript("DROP TABLE interactions; DROP TABLE resources; DROP TABLE decisions")
        with server.client(key) as app:
            statuses = [
                app.request(method, path, json=body, headers={"X-Request-ID": f"{MARK} {LEARNER}", "User-Agent": MARK})
                for method, path, body in asked()
            ]
            strangers = app.post("/v1/events", json={}, headers={"Authorization": f"Bearer {MARK}"})
            last = app.get("/livez")
            metrics = app.get("/metrics").text
    lines = [json.loads(line) for line in server.log_file.read_text().splitlines()]
    requests = {line["request_id"]: line for line in lines if line["event"] == "request"}
    for answer in (*statuses, strangers, last):
        line = requests[answer.headers["x-request-id"]]
        assert (line["status"], line["model_version"]) == (answer.status_code, "none")
    assert {requests[a.headers["x-request-id"]]["tenant"] for a in statuses} >= {"school"}
    assert {a.status_code for a in statuses} >= ({503, 422, 404} if broken else {200, 404, 405, 422})
    told = server.log_file.read_text() + metrics
    told += "".join(path.read_bytes().decode("latin-1") for path in (tmp_path / "quotas").iterdir())
    assert MARK not in told.lower()
    assert key not in told and key.split("_", 2)[2] not in told
    assert "school" not in metrics
