"""Keys in Redis are ready for a Cluster: all of a learner lies in one slot, which the braces name."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from tests.servers import Server, valkey_server

LEARNERS = ("lena", "kim", "Ünal 🎒 }{", "l" * 200)


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Server, str]]:
    """A Cluster of one node that holds every slot."""
    with valkey_server(cluster=True) as made, Redis.from_url(made[1]) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until = time.monotonic() + 20
        while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
            assert time.monotonic() < until
            time.sleep(0.05)
        yield made


def told(event_id: str, learner_id: str) -> Interaction:
    return Interaction(event_id=event_id, learner_id=learner_id, kind="viewed", source="app", resource_id="r")


def test_servers_share_copies_in_a_cluster_and_braces_decide_the_slot(
    cluster: tuple[Server, str], tmp_path: "object"
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/store.db"

    async def run() -> None:
        async with open_store(url, redis_url=cluster[1]) as one, open_store(url, redis_url=cluster[1]) as two:
            for learner_id in LEARNERS:
                kept = await one.events.append("school", [told(f"of {learner_id}", learner_id)])
                await one.events.context("school", learner_id)
                await one.states.put("school", learner_id, kept.seq, b"state")
            await asyncio.sleep(0.2)
            # Several learners, whose slots lie apart, in one round trip.
            found = await two.events.remembered("school", LEARNERS)
            assert [c and [e.event_id for e in c.interactions] for c in found.values()] == [
                [f"of {x}"] for x in LEARNERS
            ]

    asyncio.run(run())
    with Redis.from_url(cluster[1]) as client:
        keys = [key.decode() for key in client.keys("*")]
        assert len(keys) == len(LEARNERS)
        for learner_id in LEARNERS:
            [key] = [key for key in keys if f"{{school:{learner_id}}}" in key]
            # What stands between the first brace and the next one that closes.
            tag = key[key.index("{") + 1 :].partition("}")[0]
            assert f"school:{learner_id}".startswith(tag)
            assert len(tag) > len("school:")
            assert client.execute_command("CLUSTER", "KEYSLOT", key) == client.execute_command(
                "CLUSTER", "KEYSLOT", tag
            )
