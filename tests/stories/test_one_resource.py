"""A resource that is told of alone is offered within a second, by every process, and one taken away by none."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.served import Served, key_for, served

RESOURCES = [{"resource_id": f"r{i:02d}", "position": i, "skills": [f"s{i % 3}"]} for i in range(12)]
ASKED_A_PROCESS = 12


def offered(server: Served, key: str) -> list[set[str]]:
    """What is shown, asked for on new lines, so that each process answers some of them."""
    found = []
    for _ in range(ASKED_A_PROCESS):
        with server.client(key) as app:
            answer = app.post("/v1/recommendations", json={"learner_id": "lena", "k": 50})
        assert answer.status_code == 200, answer.text
        slate: list[dict[str, Any]] = answer.json()["slate"]
        found.append({option["resource_id"] for option in slate})
    return found


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_one_process_was_told_all_of_them_know(
    kind: str, request: pytest.FixtureRequest, tiny_bundle: Path, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/store.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    key, door = key_for(tmp_path, "admin", tenant=f"one-{kind}", url=url), "/v1/resources/unit%2Fnew"
    options = ("--bundle", str(tiny_bundle), "--workers", "2")
    with served(tmp_path / "data", *options, database_url=url) as server, server.client(key) as app:
        assert app.put("/v1/resources", json={"resources": RESOURCES}).status_code == 200
        assert all("unit/new" not in one for one in offered(server, key))
        began = time.monotonic()
        assert app.put(door, json={"title": "New", "skills": ["s1"]}).status_code == 200
        answer = app.post("/v1/recommendations", json={"learner_id": "lena", "k": 50}).json()
        assert time.monotonic() - began < 1.0
        assert "unit/new" in {option["resource_id"] for option in answer["slate"]}
        assert all("unit/new" in one for one in offered(server, key))
        assert app.patch(door, json={"available_until": "2020-01-01T00:00:00Z"}).status_code == 200
        assert all("unit/new" not in one for one in offered(server, key))
        assert app.patch(door, json={"available_until": None}).status_code == 200
        assert all("unit/new" in one for one in offered(server, key))
        assert app.delete(door).status_code == 200
        assert all("unit/new" not in one for one in offered(server, key))
        report = app.put("/v1/resources", json={"resources": RESOURCES}).json()
        assert (report["unchanged"], report["withdrawn"]) == (12, 0)
        assert all(len(one) == 12 for one in offered(server, key))
