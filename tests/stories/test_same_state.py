"""However a school's app sends a learner's events, the log and the state end the same, to the last bit."""

import asyncio
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from serving.storage.opening import open_store
from tests.served import key_for, served

RESOURCES = {"resources": [{"resource_id": f"r{i:02d}", "position": i, "skills": [f"s{i % 3}"]} for i in range(12)]}
LEARNERS = ("lena", "kim")


def events() -> list[dict[str, Any]]:
    chance = random.Random(4)
    return [
        {
            "event_id": f"e{i}",
            "learner_id": LEARNERS[i % 2],
            "resource_id": f"r{chance.randrange(12):02d}",
            "kind": "attempted",
            "outcome": chance.choice([0.0, 0.5, 1.0]),
            "at": f"2026-03-02T08:{i:02d}:00Z",
        }
        for i in range(40)
    ]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_sent_at_once_again_and_in_any_order_comes_to_the_same_as_in_turn(
    kind: str, request: pytest.FixtureRequest, tiny_bundle: Path, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/store.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    with served(tmp_path / "data", "--bundle", str(tiny_bundle), database_url=url) as one:
        chance = random.Random(11)
        batches = [events()[i : i + 4] for i in range(0, 40, 4)]
        with one.client(key_for(tmp_path, "admin", tenant="turns", url=url)) as app:
            app.put("/v1/resources", json=RESOURCES)
            for batch in batches:
                assert app.post("/v1/events", json={"events": batch}).json()["accepted"] == len(batch)
            ask_all(app)
        with one.client(key_for(tmp_path, "admin", tenant="chaos", url=url)) as app, ThreadPoolExecutor(8) as threads:
            app.put("/v1/resources", json=RESOURCES)
            sent = [*batches, *batches, [chance.choice(events()) for _ in range(9)]]
            chance.shuffle(sent)
            asked = [*sent, *(None for _ in range(12))]
            chance.shuffle(asked)
            # Some answers are asked for in between, and some askers do not wait for theirs.
            list(threads.map(lambda batch: send(app, batch), asked))
            told = app.post("/v1/events", json={"events": events()}).json()
            assert (told["accepted"], told["duplicates"]) == (0, 40)
            ask_all(app)
    turns, chaos = asyncio.run(kept(url, "turns")), asyncio.run(kept(url, "chaos"))
    assert turns == chaos
    assert len(turns[0]) == 40
    assert all(content for content in turns[1])


def send(app: Any, batch: list[dict[str, Any]] | None) -> None:
    if batch is None:
        assert app.post("/v1/recommendations", json={"learner_id": "lena"}).status_code == 200
        return
    told = app.post("/v1/events", content=json.dumps({"events": batch})).json()
    assert told["rejected"] == []


def ask_all(app: Any) -> None:
    for learner_id in LEARNERS:
        app.post("/v1/recommendations", json={"learner_id": learner_id})


async def kept(url: str, tenant: str) -> tuple[list[Any], list[Any]]:
    """The log by event, and the bytes of the states."""
    async with open_store(url) as store:
        log = sorted((event for _, event in await store.events.after(tenant, 0, 1000)), key=lambda e: e.event_id)
        contexts = await store.events.contexts(tenant, LEARNERS)
    return log, [contexts[x].state and contexts[x].state.content for x in LEARNERS]
