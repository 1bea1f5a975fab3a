"""How soon an answer has seen an event, and how many answers a second one and two processes give."""

import http.client
import json
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from experiments.bench.decision import trained_on
from experiments.bench.http import Rival, served
from experiments.bench.http_load import load
from experiments.bench.school import SIZE, asking, filled, learner_named

N_LEARNERS, N_EVENTS, N_TURNS = 100, 40, 300
ROUNDS, SECONDS = 5, 3.0


def changed(work: Path) -> str:
    """From an event on its way until the answer that no longer offers what it tells of, in ms, as Markdown."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    rows = ["| store | processes | event told | answer | both, median ms | p95 |", "|--|--:|--:|--:|--:|--:|"]
    for name, url, redis in _stores():
        key = filled(place, url, tenant="changed", told=[N_EVENTS] * N_LEARNERS)
        for workers in (1, 2):
            with served(place, redis, database=url, workers=workers) as rival:
                told, answered = zip(*_turns(rival, key, f"{name}{workers}"), strict=True)
            both = sorted(a + b for a, b in zip(told, answered, strict=True))
            shown = (statistics.median(told), statistics.median(answered), both[len(both) // 2])
            columns = " | ".join(f"{seconds * 1e3:.1f}" for seconds in (*shown, both[int(len(both) * 0.95)]))
            rows.append(f"| {name} | {workers} | {columns} |")
    return "\n".join(rows)


def workers(work: Path) -> str:
    """Answers a second of one process and of two, the load on the same cores, as Markdown."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    rows = ["| store | objective | one process | two | ratio | p99 ms, one | two |", "|--|--|--:|--:|--:|--:|--:|"]
    for name, url, redis in _stores():
        key = filled(place, url, tenant="workers", told=[N_EVENTS] * N_LEARNERS)
        for objective in ("uptake", "learning"):
            asked = [asking(i, key, objective) for i in range(N_LEARNERS)]
            rates: dict[int, list[float]] = {1: [], 2: []}
            waits: dict[int, list[float]] = {1: [], 2: []}
            with ExitStack() as stack:
                # Both are up, and whoever is not asked costs nothing.
                rivals = {n: stack.enter_context(served(place, redis, database=url, workers=n)) for n in (1, 2)}
                for turn in range(ROUNDS + 1):
                    for n, rival in rivals.items():
                        came = load(rival.port, asked, seconds=SECONDS)
                        assert came.refused == 0
                        if turn:
                            rates[n].append(came.rate)
                            waits[n].append(came.at(0.99))
            one, two = (statistics.median(rates[n]) for n in (1, 2))
            ratio = statistics.median(b / a for a, b in zip(rates[1], rates[2], strict=True))
            late = " | ".join(f"{statistics.median(waits[n]):.0f}" for n in (1, 2))
            rows.append(f"| {name} | {objective} | {one:,.0f} | {two:,.0f} | {ratio:.2f} | {late} |")
    return "\n".join(rows)


def _stores() -> list[tuple[str, str, str]]:
    found = [("SQLite", "", "")]
    if url := os.environ.get("TRAILMATE_TEST_DATABASE_URL"):
        found.append(("PostgreSQL and Redis", url, os.environ.get("TRAILMATE_TEST_REDIS_URL", "")))
    return found


def _turns(rival: Rival, key: str, run: str) -> list[tuple[float, float]]:
    """Seconds for the event and for the answer, in each turn; told and asked over lines of their own."""
    telling, asking_ = (http.client.HTTPConnection("127.0.0.1", rival.port) for _ in range(2))
    taken = []
    offered = {i: _offered(asking_, key, i) for i in range(N_LEARNERS)}
    for turn in range(N_TURNS):
        learner = turn % N_LEARNERS
        event = {"event_id": f"{run}-{turn}", "learner_id": learner_named(learner), "kind": "completed"}
        body = {"events": [event | {"resource_id": offered[learner][0], "outcome": 1.0}]}
        began = time.perf_counter()
        token = _said(telling, "/v1/events", body, key)["seen_token"]
        between = time.perf_counter()
        now = _offered(asking_, key, learner, seen_token=token)
        taken.append((between - began, time.perf_counter() - between))
        assert offered[learner][0] not in now
        offered[learner] = now
    return taken


def _offered(line: http.client.HTTPConnection, key: str, learner: int, **more: object) -> list[str]:
    told = _said(line, "/v1/recommendations", {"learner_id": learner_named(learner), "k": 5, **more}, key)
    slate: list[dict[str, str]] = told["slate"]
    return [option["resource_id"] for option in slate]


def _said(line: http.client.HTTPConnection, path: str, body: object, key: str) -> dict[str, Any]:
    line.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {key}"})
    answer = line.getresponse()
    told: dict[str, Any] = json.loads(answer.read())
    assert answer.status == 200, told
    return told
