"""Another bundle takes its place under load: no answer lost, none mixed, a bad one refused and taken back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from engine.bundle import read_bundle
from serving.presence import present_in
from serving.promotion import Place, promote, promoted_in
from tests.conftest import train_quietly
from tests.served import COMMAND, Served, environment, key_for, served

RESOURCES = [{"resource_id": f"r{i:02d}", "title": f"Resource {i}", "position": i} for i in range(24)]


@pytest.fixture(scope="module")
def other_bundle(tiny_log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("other") / "bundle"
    train_quietly(tiny_log, out, seed=1)
    return out


def command(server: Served, *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what it prints as JSON, and what it says on standard error."""
    done = subprocess.run(
        [*COMMAND, *words, "--json"], capture_output=True, text=True, env=environment(server.data), check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


class Load:
    """A few apps that ask all the time, each over a line kept open; a line closed between two questions is no loss."""

    def __init__(self, server: Served, key: str) -> None:
        self.answers: list[tuple[int, str, int, float]] = []
        self.broken: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(server, key, i)) for i in range(4)]

    def _ask(self, server: Served, key: str, number: int) -> None:
        # One retry of a connection that could not be opened, as every client does, and none of a question.
        transport = httpx.HTTPTransport(retries=1)
        head = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=server.url, headers=head, timeout=20, transport=transport) as app:
            while not self._ended.is_set():
                try:
                    answer = app.post("/v1/recommendations", json={"learner_id": f"even-{number}", "k": 3})
                except httpx.HTTPError as problem:
                    self.broken.append(repr(problem))
                    continue
                told = answer.json()
                score = told["slate"][0]["score"] if told.get("slate") else 0.0
                self.answers.append((answer.status_code, told.get("model_version", ""), number, score))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


@contextmanager
def school(data: Path, bundle: Path, *options: str) -> Iterator[tuple[Served, str]]:
    """A server whose learners have worked, and a key to it."""
    with served(data, "--bundle", str(bundle), *options) as server:
        key = key_for(data, "admin")
        with server.client(key) as app:
            app.put("/v1/resources", json={"resources": RESOURCES})
            events = [
                {"event_id": f"{i}-{r}", "learner_id": f"even-{i}", "resource_id": f"r{r:02d}", "kind": "completed"}
                for i in range(4)
                for r in range(0, 2 * i + 4, 2)
            ]
            assert app.post("/v1/events", json={"events": events}).json()["accepted"] == len(events)
        yield server, key


def version_of(bundle: Path) -> str:
    return read_bundle(bundle).version


@pytest.mark.parametrize("workers", ["1", "2"])
def test_swaps_under_load_lose_and_mix_nothing(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path, workers: str
) -> None:
    with school(tmp_path / "data", tiny_bundle, "--workers", workers) as (server, key):
        with Load(server, key) as load:
            for words in (("promote", str(other_bundle)), ("rollback",), ("promote", str(other_bundle))):
                code, told, said = command(server, *words)
                assert (code, said) == (0, "")
                assert told["servers"] == int(workers)
                time.sleep(0.2)
        one, other = version_of(tiny_bundle), version_of(other_bundle)
        nothing_lost_or_mixed(load, one, other)
        with server.client(key) as app:
            assert app.get("/readyz").json()["model_version"] == other


def nothing_lost_or_mixed(load: Load, one: str, other: str) -> None:
    """Every question was answered, and each answer reckoned by the very bundle that it names."""
    assert load.broken == []
    assert {status for status, *_ in load.answers} == {200}
    assert {version for _, version, *_ in load.answers} == {one, other}
    # Scores fade by a hair while time goes on, those of the two bundles lie apart: an answer that is named after
    # the one and reckoned by the other would stand out.
    for learner in range(4):
        mine = [(version, score) for _, version, who, score in load.answers if who == learner]
        usual = {v: median(score for version, score in mine if version == v) for v in (one, other)}
        apart = abs(usual[one] - usual[other])
        assert apart > 1e-3
        assert all(abs(score - usual[version]) < apart / 4 for version, score in mine)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_two_hundred_swaps_under_load_lose_and_mix_nothing(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    places = [Place(str(bundle), version_of(bundle)) for bundle in (tiny_bundle, other_bundle)]
    data = tmp_path / "data"
    with school(data, tiny_bundle, "--workers", "2") as (server, key):
        took = []
        with Load(server, key) as load:
            for turn in range(1, 201):
                place, before = places[turn % 2], places[(turn + 1) % 2]
                began = time.monotonic()
                promote(data, place, over=places[0].version, serving=before.version)
                while [about.version for about in present_in(data)] != [place.version] * 2:
                    assert time.monotonic() < began + 30
                    time.sleep(0.01)
                took.append(time.monotonic() - began)
                # Each of the two is asked for a while, also by lines that were opened before.
                time.sleep(0.1)
        nothing_lost_or_mixed(load, *(place.version for place in places))
        assert len(load.answers) > 2_000
        lines = [json.loads(x) for x in server.log_file.read_text().splitlines() if x.startswith("{")]
        assert sum(line.get("event") == "swapped" for line in lines) == 2 * len(took)
        sys.stdout.write(f"\n200 swaps, {len(load.answers):,} answers, median {median(took) * 1e3:.0f} ms\n")


def test_a_bad_bundle_is_refused_by_the_command_and_the_one_before_serves_on(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(other_bundle, bad)
    array = next(iter(sorted((bad / "arrays").glob("*.npy"))))
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)
    with school(tmp_path / "data", tiny_bundle) as (server, key), server.client(key) as app:
        code, told, said = command(server, "promote", str(bad))
        assert (code, told) == (1, {})
        assert "is not what training wrote" in said
        assert app.get("/readyz").json()["model_version"] == version_of(tiny_bundle)
        code, _, said = command(server, "rollback")
        assert code == 1
        assert "no bundle was promoted" in said


def test_a_bundle_that_spoils_after_it_was_promoted_is_refused_by_the_server_and_told_of(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    data, spoilt = tmp_path / "data", tmp_path / "spoilt"
    shutil.copytree(other_bundle, spoilt)
    (spoilt / "golden.json").write_text("[]")
    with school(data, tiny_bundle) as (server, key), Load(server, key) as load, server.client(key) as app:
        one = version_of(tiny_bundle)
        promote(data, Place(str(spoilt), version_of(other_bundle)), over=one, serving=one)
        until = time.monotonic() + 10
        while "refused" not in (ready := app.get("/readyz").json()):
            assert time.monotonic() < until, ready
            time.sleep(0.05)
        assert ready["status"] == "ready"
        assert ready["model_version"] == one
        assert "golden.json is not what training wrote" in ready["refused"]
        assert '"event":"refused"' in server.log_file.read_text()
        now = promoted_in(data)
        assert now is not None
        assert now.current.version == one
        assert now.refused is not None
        assert now.refused.version == version_of(other_bundle)
        checks = {c["name"]: c for c in command(server, "doctor")[1]["checks"]}
        assert checks["promotion"]["state"] == "warn"
        assert version_of(other_bundle) in checks["promotion"]["text"]
    assert load.broken == []
    assert {(status, version) for status, version, *_ in load.answers} == {(200, one)}


def test_a_promotion_outlives_the_server_until_it_is_started_with_another_bundle(
    tmp_path: Path, tiny_bundle: Path, other_bundle: Path
) -> None:
    with school(tmp_path / "data", tiny_bundle) as (server, _):
        assert command(server, "promote", str(other_bundle))[0] == 0
    for bundle, expected in ((tiny_bundle, other_bundle), (other_bundle, other_bundle)):
        with served(tmp_path / "data", "--bundle", str(bundle)) as server, server.client() as app:
            assert app.get("/readyz").json()["model_version"] == version_of(expected)


def test_a_killed_worker_is_begun_again_and_sigterm_loses_no_answer(tmp_path: Path, tiny_bundle: Path) -> None:
    with school(tmp_path / "data", tiny_bundle, "--workers", "2") as (server, key):
        children = workers_of(server)
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)
        until = time.monotonic() + 10
        while len(now := workers_of(server)) < 2 or children[0] in now:
            assert time.monotonic() < until
            time.sleep(0.05)
        with server.client(key) as app:
            assert app.get("/livez").status_code == 200
        with Load(server, key) as load:
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            server.process.wait(20)
        assert server.process.returncode == 0
        assert {status for status, *_ in load.answers} == {200}
        # When nobody listens any more, nobody can be reached; but no question that was taken stayed without an answer.
        assert [b for b in load.broken if "ConnectError" not in b] == []


def workers_of(server: Served) -> list[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]
