"""Writers of one SQLite file take turns, and none waits for ever for one who never ends theirs."""

import asyncio
import fcntl
from pathlib import Path

import pytest

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage import database
from serving.storage.opening import open_store


def told(event_id: str) -> list[Interaction]:
    return [Interaction(event_id=event_id, learner_id="lena", kind="viewed", source="app", resource_id="r")]


def test_who_waits_too_long_for_a_turn_is_refused_and_sending_again_keeps_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TURN_S", 0.1)

    async def run() -> list[str]:
        url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
        async with open_store(url, patience_s=0.1) as store:
            await store.events.append("t", told("e0"))
            with (tmp_path / "store.db-turn").open("rb") as frozen:
                fcntl.flock(frozen, fcntl.LOCK_EX)
                for event_id in ("e1", "e2"):
                    with pytest.raises(Unavailable):
                        await store.events.append("t", told(event_id))
                # Reading goes on meanwhile.
                assert len((await store.events.context("t", "lena")).interactions) == 1
            for event_id in ("e1", "e2", "e3"):
                await store.events.append("t", told(event_id))
            return [event.event_id for _, event in await store.events.after("t", 0, 10)]

    assert asyncio.run(run()) == ["e0", "e1", "e2", "e3"]
