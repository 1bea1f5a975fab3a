"""A slip in a name is said with the name that was meant, over every door, and nothing of anybody is repeated."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.served import key_for, served


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    data = tmp_path_factory.mktemp("slips") / "data"
    with served(data) as running, running.client(key_for(data, "admin")) as client:
        yield client


def detail(answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


@pytest.mark.parametrize(
    ("method", "path", "body", "given", "meant"),
    [
        ("POST", "/v1/recommendations", {"learner_id": "x", "fomats": ["video"]}, "fomats", "formats"),
        ("POST", "/v1/recommendations", {"learner_id": "x", "Formats": ["video"]}, "Formats", "formats"),
        ("POST", "/v1/recommendations", {"lerner_id": "x"}, "lerner_id", "learner_id"),
        ("POST", "/v1/recommendations", {"learner_id": "x", "whatif": True}, "whatif", "what_if"),
        ("POST", "/v1/recommendations/batch", {"clas_id": "7b"}, "clas_id", "class_id"),
        ("POST", "/v1/events", {"event": []}, "event", "events"),
        ("POST", "/v1/learners/x/voice", {"voice": "accept", "resorce_id": "r"}, "resorce_id", "resource_id"),
        ("PUT", "/v1/learners/x/goal", {"skill": ["s"]}, "skill", "skills"),
        ("PUT", "/v1/learners/x/preferences", {"minutes_a_day": 5}, "minutes_a_day", "minutes_per_day"),
        ("PUT", "/v1/learners/x", {"class": ["7b"]}, "class", "classes"),
        ("PUT", "/v1/classes/7b", {"start_at": "2026-09-01"}, "start_at", "starts_at"),
        ("PUT", "/v1/resources", {"resource": []}, "resource", "resources"),
    ],
)
def test_a_field_with_a_slip_is_named_with_the_one_that_was_meant(
    app: httpx.Client, method: str, path: str, body: dict[str, Any], given: str, meant: str
) -> None:
    assert f"unknown field {given}; did you mean {meant}?" in detail(app.request(method, path, json=body))


def test_a_field_like_no_other_is_not_repeated_but_those_there_are_stand_there(app: httpx.Client) -> None:
    told = detail(app.post("/v1/recommendations", json={"learner_id": "x", "Mira Schulze": 1}))
    assert "Mira" not in told
    assert "there is an unknown field; there are k, objective, class_id, minutes, formats, goal" in told


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/v1/recommendations/batch", {"class_id": "7b", "what_if": True}, "what_if"),
        ("/v1/recommendations", {"learner_id": "x", "text_teacher": 1}, "text_teacher"),
    ],
)
def test_a_field_that_another_door_takes_is_named(app: httpx.Client, path: str, body: Any, name: str) -> None:
    assert f"unknown field {name}; there are k, objective" in detail(app.post(path, json=body))


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/learners/x?audiance=learner", "unknown query parameter audiance; did you mean audience?"),
        ("GET", "/v1/learners/x/path?goals=a", "unknown query parameter goals; did you mean goal?"),
        ("GET", "/v1/learners/x/path?chose=a&goal=b", "unknown query parameter chose; did you mean choose?"),
        ("PUT", "/v1/resources?dryrun=true", "unknown query parameter dryrun; did you mean dry_run?"),
        ("POST", "/v1/recommendations?k=3", "unknown query parameter k; this address takes none"),
        ("GET", "/v1/learners/x/path?Mira=1", "unknown query parameter; there are choose, goal"),
    ],
)
def test_a_query_parameter_that_a_door_does_not_take_is_refused_in_words(
    app: httpx.Client, method: str, path: str, words: str
) -> None:
    told = detail(app.request(method, path, json={"resources": []} if method == "PUT" else None))
    assert words in told
    assert "Mira" not in told


def test_a_dry_run_with_a_slip_withdraws_nothing(app: httpx.Client) -> None:
    app.put("/v1/resources", json={"resources": [{"resource_id": "r", "title": "R"}]})
    assert app.put("/v1/resources?dry-run=true", json={"resources": []}).status_code == 422
    assert app.put("/v1/resources?dry_run=true", json={"resources": []}).json()["withdrawn"] == 1


def test_who_has_no_key_learns_nothing_of_parameters(app: httpx.Client) -> None:
    answer = app.get("/v1/learners/x?audiance=learner", headers={"Authorization": "Bearer tm_1_2"})
    assert answer.status_code == 401


IDS = ["ünal ö", "a/b/path", "50%", "a+b", "x?y=1", "a#b", "lena 🎒", "a/path/b", "%2F"]


@pytest.mark.parametrize("learner_id", IDS)
def test_an_encoded_id_reaches_the_path_and_the_portrait_as_it_was_told(app: httpx.Client, learner_id: str) -> None:
    event = {"learner_id": learner_id, "resource_id": "r", "kind": "viewed"}
    assert app.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1
    plan = app.get(f"/v1/learners/{quote(learner_id, safe='')}/path")
    assert (plan.status_code, plan.json()["learner_id"]) == (200, learner_id)
    if not learner_id.endswith("/path"):
        assert app.get(f"/v1/learners/{quote(learner_id, safe='')}").json()["learner_id"] == learner_id
    assert app.get(f"/v1/learners/{quote(learner_id + '!', safe='')}/path").status_code == 404


def test_curl_reads_the_path_of_an_encoded_id(app: httpx.Client) -> None:
    """As the guide writes it, with the bytes another program sends."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed here")
    app.post("/v1/events", json={"events": [{"learner_id": "7b/lena ö", "resource_id": "r", "kind": "viewed"}]})
    url = str(app.base_url).rstrip("/") + "/v1/learners/7b%2Flena%20%C3%B6/path"
    words = [curl, "-sS", "-X", "GET", url, "-H", f"Authorization: {app.headers['authorization']}"]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout
    assert '"learner_id":"7b/lena ö"' in told
