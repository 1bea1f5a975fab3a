"""A request sent again under its Idempotency-Key gets the answer it got first, and nothing is made twice."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from engine.domain.errors import Unavailable
from serving import choosing
from serving.idempotency import HEADER, KEPT_FOR
from serving.storage.opening import open_store
from serving.storage.port import Slot
from serving.storage.questions import Approval
from tests.served import Served, key_for, served
from tests.stories.conftest import Asking, Clock

RULE = {"id": "no-r1", "verb": "hide", "what": {"resources": ["r1"]}}
RESOURCES = [{"resource_id": f"r{i}", "title": f"R{i}", "position": i} for i in range(6)]
ASKED = {"learner_id": "lena", "k": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("again") / "data") as running:
        yield running


@pytest.fixture
def school(server: Served, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A school of its own for each story."""
    with server.client(key_for(server.data, "admin", tenant=request.node.name)) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        for learner_id in ("kim", "mia", "noa"):
            app.put(f"/v1/learners/{learner_id}", json={"classes": ["7b"]})
        yield app


def decisions(server: Served, tenant: str) -> set[str]:
    async def read() -> list[Slot]:
        async with open_store(f"sqlite+aiosqlite:///{server.data / 'store.db'}") as store:
            return await store.decisions.after(tenant, 0, 1000)

    return {slot.decision_id for slot in asyncio.run(read())}


def post(app: httpx.Client, path: str, body: Any, key: str) -> httpx.Response:
    return app.post(path, json=body, headers={HEADER: key})


def put_question(server: Served, tenant: str) -> None:
    async def put() -> None:
        at = datetime(2026, 9, 1, tzinfo=UTC)
        question = Approval(
            approval_id="question", kind="contact", learner_id="kim", subject_id="lena", class_id=None,
            detail='{"title": null, "skills": []}', asked_at=at, until=at + timedelta(days=7),
        )  # fmt: skip
        async with open_store(f"sqlite+aiosqlite:///{server.data / 'store.db'}") as store:
            await store.approvals.ask(tenant, [question], rested=at)

    asyncio.run(put())


DOORS: dict[str, Any] = {
    "/v1/recommendations": ASKED,
    "/v1/recommendations/batch": {"learner_ids": ["lena", "kim"], "k": 2},
    "/v1/events": {"events": [{"learner_id": "lena", "resource_id": "r1", "kind": "viewed"}]},
    "/v1/collaborators": {"learner_id": "lena", "class_id": "7b", "modes": ["new_people"]},
    "/v1/groups": {"class_id": "7b", "size": 2, "seconds": 0.02},
    "/v1/learners/lena/voice": {"voice": "decline", "resource_id": "r1"},
    "/v1/rules": {"id": "new", "verb": "hide", "what": {"resources": ["r2"]}},
    "/v1/rules/preview": {"rule": RULE},
    "/v1/rules/no-r1/undo": None,
    "/v1/overrides": {"kind": "hide", "resource_ids": ["r2"]},
    "/v1/overrides/override/undo": None,
    "/v1/approvals/question": {"decision": "approve"},
}
MADE = {"/v1/rules", "/v1/overrides"}


def test_every_door_that_makes_something_is_looked_at_here(school: httpx.Client) -> None:
    paths = school.get("/openapi.json").json()["paths"]
    named = {"learner_id": "lena", "rule_id": "no-r1", "override_id": "override", "approval_id": "question"}
    made = {path.format(**named): doors["post"] for path, doors in paths.items() if "post" in doors}
    assert made.keys() == DOORS.keys()
    assert all(HEADER in {p["name"] for p in door["parameters"]} for door in made.values())


@pytest.mark.parametrize("path", DOORS)
def test_every_door_that_makes_something_answers_a_repeated_request_in_the_same_bytes(
    server: Served, school: httpx.Client, path: str, request: pytest.FixtureRequest
) -> None:
    body, status = DOORS[path], 201 if path in MADE else 200
    school.post("/v1/rules", json=RULE)
    override = school.post("/v1/overrides", json={"kind": "hide", "resource_ids": ["r3"]}).json()["override_id"]
    path = path.replace("overrides/override", f"overrides/{override}")
    put_question(server, request.node.name)
    first = post(school, path, body, "k-1")
    assert (first.status_code, "idempotency-replayed" in first.headers) == (status, False)
    made = decisions(server, request.node.name)
    n_events = school.get("/v1/learners/lena").json().get("n_events", 0)
    again = post(school, path, body, "k-1")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (status, "true")
    assert again.headers.get("etag") == first.headers.get("etag")
    assert again.headers.get("location") == first.headers.get("location")
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert decisions(server, request.node.name) == made
    assert school.get("/v1/learners/lena").json().get("n_events", 0) == n_events
    # Without the key, or under another, it is another request.
    other = post(school, path, body, "k-2")
    assert other.content != first.content
    assert "idempotency-replayed" not in other.headers


def test_a_class_is_recorded_as_one_learner_is(
    server: Served, school: httpx.Client, request: pytest.FixtureRequest
) -> None:
    def told(answer: httpx.Response) -> set[str]:
        return {one["decision_id"] for one in answer.json()["decisions"]}

    path, body = "/v1/recommendations/batch", {"learner_ids": ["lena", "kim", "max"], "k": 2}
    first = told(post(school, path, body, "k-1"))
    assert len(first) == 3
    assert first == decisions(server, request.node.name)
    # Without a key the answer comes first, and the record a moment later.
    second, until = told(school.post(path, json=body)), time.monotonic() + 5
    while decisions(server, request.node.name) != first | second:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_key_stands_for_one_body_at_one_address(school: httpx.Client) -> None:
    post(school, "/v1/recommendations", ASKED, "k")
    for path, body in (
        ("/v1/recommendations", {**ASKED, "k": 3}),
        ("/v1/recommendations/batch", {"learner_ids": ["lena"]}),
        ("/v1/events", {"events": []}),
    ):
        refused = post(school, path, body, "k")
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:trailmate:problem:key-used-before")
        assert "Idempotency-Key" in refused.json()["detail"]
    assert post(school, "/v1/recommendations", ASKED, "k").headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
def test_a_key_that_is_none_is_refused_in_words(school: httpx.Client, key: str) -> None:
    refused = post(school, "/v1/recommendations", ASKED, key)
    assert (refused.status_code, "255" in refused.json()["detail"]) == (422, True)


def test_one_schools_key_is_nothing_to_another(server: Served, school: httpx.Client) -> None:
    mine = post(school, "/v1/recommendations", ASKED, "shared")
    with server.client(key_for(server.data, "admin", tenant="elsewhere")) as other:
        theirs = post(other, "/v1/recommendations", ASKED, "shared")
    assert "idempotency-replayed" not in theirs.headers
    assert theirs.json()["decision_id"] != mine.json()["decision_id"]


def test_many_at_once_under_one_key_get_one_answer_and_one_decision(
    server: Served, school: httpx.Client, request: pytest.FixtureRequest
) -> None:
    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda _: post(school, "/v1/recommendations", ASKED, "k"), range(12)))
    assert {t.status_code for t in told} == {200}
    assert len({t.content for t in told}) == 1
    assert len(decisions(server, request.node.name)) == 1


def test_an_answer_survives_a_restart_and_is_forgotten_after_a_day(asking: Asking, tmp_path: Path) -> None:
    clock = Clock()

    def ask(app: TestClient) -> httpx.Response:
        return app.post("/v1/recommendations", json=ASKED, headers={HEADER: "k"})

    with asking(None, clock=clock) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        first, asked_at = ask(app), clock.now
    with asking(None, clock=clock) as app:
        clock.now = asked_at + KEPT_FOR - timedelta(seconds=30)
        assert ask(app).content == first.content
        clock.now = asked_at + KEPT_FOR + timedelta(seconds=30)
        assert ask(app).json()["decision_id"] != first.json()["decision_id"]


def test_what_failed_leaves_its_key_free(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    with asking(None) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        headers = {HEADER: "k"}

        async def away(*_: Any, **__: Any) -> None:
            raise Unavailable("the store is away; try again")

        with monkeypatch.context() as broken:
            broken.setattr(choosing, "recommend_next", away)
            assert app.post("/v1/recommendations", json=ASKED, headers=headers).status_code == 503
        after = app.post("/v1/recommendations", json=ASKED, headers=headers)
        assert (after.status_code, "idempotency-replayed" in after.headers) == (200, False)
        # A body that was refused holds no key either.
        assert app.post("/v1/recommendations", json={"k": 1}, headers={HEADER: "other"}).status_code == 422
        assert app.post("/v1/recommendations", json=ASKED, headers={HEADER: "other"}).status_code == 200
