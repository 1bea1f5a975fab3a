"""What is counted stays counted when workers come and go, and names nobody."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families as parsed
from starlette.testclient import TestClient

from engine.domain.decision import Decision, RuleHeld
from engine.domain.errors import Unavailable
from serving import seats
from serving.app import create_app
from serving.metrics import Metrics
from serving.seats import take_seat
from serving.settings import Settings
from tests.served import key_for

# A worker: takes a seat, counts, tells what all of them counted, and ends by the signal nobody can catch.
WORKER = """
import os, signal, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from serving.metrics import Metrics
from serving.seats import take_seat
metrics = Metrics(CollectorRegistry(), take_seat(Path(sys.argv[1])))
metrics.serves(sys.argv[2], None)
for n in range(10):
    metrics.answered("POST", "/v1/events", 200, 0.002)
    metrics.committed(7)
metrics.heard({"accepted": 3, "duplicate": 1, "rejected": 0})
print(metrics.seat.number, flush=True)
print(metrics.text().decode(), flush=True)
print("end", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


class Worker:
    def __init__(self, folder: Path, bundle: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(folder), bundle],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self._process.stdout is not None
        self.number = int(self._process.stdout.readline())
        self.text = "".join(iter(self._process.stdout.readline, "end\n"))

    def kill(self) -> None:
        self._process.communicate("\n", timeout=20)
        assert self._process.returncode == -9


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(s.name, frozenset(s.labels.items())): s.value for family in parsed(text) for s in family.samples}


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def test_workers_that_come_and_go_leave_a_bounded_number_of_files_and_lose_no_count(tmp_path: Path) -> None:
    counted, files, series = [], [], []
    for n in range(6):
        one, two = Worker(tmp_path, f"bundle-{n % 2}"), Worker(tmp_path, f"bundle-{n % 2}")
        assert {one.number, two.number} == {0, 1}
        counted.append(value(two.text, "trailmate_events_total", fate="accepted"))
        files.append(sorted(path.name for path in tmp_path.iterdir()))
        series.append(set(samples(two.text)))
        assert value(two.text, "trailmate_request_seconds_count", route="/v1/events") == 20 * (n + 1)
        assert value(two.text, "trailmate_commit_rows_sum") == 140 * (n + 1)
        assert value(two.text, "trailmate_bundle", version=f"bundle-{n % 2}") == 2
        one.kill()
        two.kill()
    assert counted == [6.0 * n for n in range(1, 7)]
    assert files[0] == files[5] and len(files[0]) == 10
    # What the last worker of a place saw is forgotten with it, so of the bundles only the one served is told.
    assert series[0] == series[4] and len(series[1]) == len(series[0])
    assert not any(label == "pid" for _, labels in series[5] for label, _ in labels)


def test_a_place_is_free_again_when_nobody_holds_it_and_there_is_an_end_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "MOST", 3)
    held = [take_seat(tmp_path) for _ in range(3)]
    assert [seat.number for seat in held] == [0, 1, 2]
    with pytest.raises(Unavailable, match="stop some"):
        take_seat(tmp_path)
    held[1].free()
    held[1] = take_seat(tmp_path)
    assert held[1].number == 1
    for seat in held:
        seat.free()


def test_a_bundle_that_is_no_longer_served_counts_no_worker() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.serves("spring", None)
    metrics.serves("summer", None)
    text = metrics.text().decode()
    assert value(text, "trailmate_bundle", version="summer") == 1
    assert value(text, "trailmate_bundle", version="spring") == 0
    assert value(text, "trailmate_bundle_taken_up_timestamp_seconds") > 1_700_000_000


def test_what_alerts_wait_for_is_told_before_it_happens_once(tmp_path: Path) -> None:
    worker = Worker(tmp_path, "spring")
    for text in (Metrics(CollectorRegistry()).text().decode(), worker.text):
        for why in ("quota", "shed"):
            assert value(text, "trailmate_refused_requests_total", why=why) == 0
        for what in ("promoted", "rolled_back", "refused"):
            assert value(text, "trailmate_bundle_swaps_total", what=what) == 0
    worker.kill()


def test_what_rules_did_is_counted_by_verb_and_no_id_is_in_it(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    resources = [{"resource_id": f"secret-{n}", "title": "Secret", "position": n} for n in range(3)]
    rules: list[dict[str, object]] = [
        {"id": "secret-hide", "verb": "hide", "what": {"resources": ["secret-0"]}, "strength": "hard"},
        {"id": "secret-pin", "verb": "pin", "what": {"resources": ["secret-2"]}, "strength": "hard"},
    ]
    with TestClient(create_app(Settings(data=tmp_path)), headers=headers) as client:
        assert client.put("/v1/resources", json={"resources": resources}).status_code == 200
        for rule in rules:
            made = client.post("/v1/rules", json={"scope": {}, "reason": "secret", **rule})
            assert made.is_success, made.text
        decided = client.post("/v1/recommendations", json={"learner_id": "secret-learner", "k": 2}).json()
        client.portal.call(client.app.state.house.recorder.settled)  # type: ignore[attr-defined, union-attr]
        assert {rule["verb"] for rule in decided["rules"]} == {"hide", "pin"}
        answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    for verb in ("hide", "pin"):
        assert value(answer.text, "trailmate_rules_total", verb=verb, held="yes") == 1
    assert value(answer.text, "trailmate_decisions_total", mode="fallback") == 1
    assert value(answer.text, "trailmate_commit_rows_count") >= 1
    assert "secret" not in answer.text.lower() and "school" not in answer.text


def test_an_answer_without_its_store_is_counted_as_such(tmp_path: Path) -> None:
    metrics = Metrics(CollectorRegistry())
    decision = Decision(
        decision_id="d", learner_id="l", at=datetime.now(UTC), mode="reduced", bundle="b", catalogue_hash="c",
        class_id=None, slate=(), rules=(RuleHeld(rule_id="r", held=False, effect="could not be kept", verb="pin"),),
    )  # fmt: skip
    metrics.decided(decision, is_away=True, lag=0)
    text = metrics.text().decode()
    assert value(text, "trailmate_away_decisions_total") == 1
    assert value(text, "trailmate_decisions_total", mode="reduced") == 1
    assert value(text, "trailmate_rules_total", verb="pin", held="no") == 1
