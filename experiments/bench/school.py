"""An invented school in a store, as large as a measurement wants it, and what its apps send."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from engine.domain.interaction import Interaction
from experiments.bench.http_load import post
from serving.auth import new_key
from serving.storage.opening import open_store
from training.log import read_log, resources_of, skills_of

SIZE = 1_000
_AT_ONCE = 2_000


def learner_named(number: int) -> str:
    """The id of a learner."""
    return f"m{number:07d}"


def event(event_id: str, learner: int, chance: np.random.Generator) -> dict[str, object]:
    """What a learner did, in a corner of the catalogue of their own."""
    return {
        "event_id": event_id,
        "learner_id": learner_named(learner),
        "resource_id": f"r{(learner * 13 + int(chance.integers(60))) % SIZE:06d}",
        "kind": "attempted",
        "outcome": float(chance.random() < 0.6),
        "duration_s": float(chance.integers(20, 200)),
    }


def filled(place: Path, url: str, *, tenant: str, told: Sequence[int]) -> str:
    """A store at `url`, or a fresh one in this place, with the catalogue of its log and learners who told so much.

    `told` `(n_learners,)`; gives a key that opens all.
    """
    if not url:
        shutil.rmtree(place / "data", ignore_errors=True)
    (place / "data").mkdir(parents=True, exist_ok=True)
    return asyncio.run(_filled(place, url, tenant, told))


async def _filled(place: Path, url: str, tenant: str, told: Sequence[int]) -> str:
    log, now, chance = read_log(place / "log"), datetime.now(UTC), np.random.default_rng(1)
    key, text = new_key(tenant, ["admin"], now=now)
    events = [
        Interaction(**event(f"before-{learner}-{i}", learner, chance), source="bench", at=now - timedelta(hours=i))  # type: ignore[arg-type]
        for learner, n in enumerate(told)
        for i in range(n)
    ]
    async with open_store(url or f"sqlite+aiosqlite:///{(place / 'data' / 'store.db').absolute()}") as store:
        await store.keys.add(key)
        await store.catalogue.put_resources(tenant, resources_of(log.resources()))
        await store.catalogue.put_skills(tenant, skills_of(log.skills()))
        for start in range(0, len(events), _AT_ONCE):
            await store.events.append(tenant, events[start : start + _AT_ONCE], stamp=now)
    return text


def asking(learner: int, key: str, objective: str = "uptake", **more: object) -> bytes:
    """The question what this learner should do next, as it goes over the line."""
    body = {"learner_id": learner_named(learner), "k": 5, "objective": objective, **more}
    return post("/v1/recommendations", json.dumps(body).encode(), key)


def telling(events: Sequence[dict[str, object]], key: str) -> bytes:
    """A batch of events, as it goes over the line."""
    return post("/v1/events", json.dumps({"events": events}).encode(), key)
