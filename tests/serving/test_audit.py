"""`GET /v1/audit`: who changed what, page by page, for those who may read it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings
from tests.served import key_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    key = key_for(folder, "audit", "catalogue", "events")
    with TestClient(create_app(Settings(data=folder)), headers={"Authorization": f"Bearer {key}"}) as client:
        client.headers["x-key-id"] = key.split("_")[1]
        for resources in ([{"resource_id": "a"}], [{"resource_id": "a"}], [{"resource_id": "b"}]):
            client.put("/v1/resources", json={"resources": resources})
        client.put("/v1/learners/lena", json={"classes": ["7b"]})
        client.put("/v1/classes/7b", json={"title": "7b, maths"})
        yield client


def test_each_change_over_http_names_the_key_that_made_it(client: TestClient) -> None:
    told = client.get("/v1/audit").json()
    key_id = client.headers["x-key-id"]
    assert [(e["action"], e["actor"]) for e in told["entries"]] == [
        ("class.put", key_id),
        ("learner.put", key_id),
        ("catalogue.sync", key_id),
        ("catalogue.sync", key_id),
        ("key.create", "command"),
    ]
    sync = told["entries"][2]
    assert (list(sync["before"]), list(sync["after"])) == (["a"], ["b"])
    assert told["head"] == told["entries"][0]["hash"]
    assert told["entries"][0]["previous"] == told["entries"][1]["hash"]
    learner = told["entries"][1]
    assert (learner["object"], learner["scope"]) == ({"kind": "learner", "id": "lena"}, {"learner_id": "lena"})


def test_pages_hang_together_and_filters_narrow(client: TestClient) -> None:
    seen, cursor = [], None
    while True:
        page = client.get("/v1/audit", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["entries"]) <= 2
        seen += [e["seq"] for e in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [5, 4, 3, 2, 1]
    for asked, expected in (
        ({"learner_id": "lena"}, [4]),
        ({"kind": "resource"}, []),
        ({"object_id": "a"}, [3, 2]),
        ({"kind": "class", "object_id": "7b"}, [5]),
        ({"actor": "command"}, [1]),
    ):
        assert [e["seq"] for e in client.get("/v1/audit", params=asked).json()["entries"]] == expected, asked


@pytest.mark.parametrize("asked", [{"cursor": "s1"}, {"limit": 0}, {"limit": 501}, {"learner": "lena"}])
def test_a_slip_in_what_is_asked_is_told(client: TestClient, asked: dict[str, str]) -> None:
    assert client.get("/v1/audit", params=asked).status_code == 422


def test_only_the_scope_audit_opens_it_and_only_for_the_own_school(client: TestClient, folder: Path) -> None:
    client.headers["Authorization"] = f"Bearer {key_for(folder, 'read', 'recommend')}"
    assert client.get("/v1/audit").status_code == 403
    client.headers["Authorization"] = f"Bearer {key_for(folder, 'admin', tenant='other')}"
    assert [e["action"] for e in client.get("/v1/audit").json()["entries"]] == ["key.create"]
