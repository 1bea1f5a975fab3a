"""Processes of one server count together: any of them tells of all, one that was killed leaves its numbers behind."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families as parsed

from tests.served import Served, key_for, served

PATH = "/v1/recommendations"


def workers_of(server: Served) -> list[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in listed.split()]


def asked(server: Served, method: str, path: str, key: str = "", **given: object) -> httpx.Response:
    """One request on a line of its own, so that whichever process takes it answers."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.request(method, f"{server.url}{path}", headers=headers, timeout=20, **given)  # type: ignore[arg-type]


def told(server: Served) -> dict[tuple[str, ...], float]:
    text = asked(server, "GET", "/metrics").text
    samples = [sample for family in parsed(text) for sample in family.samples]
    return {(s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()))): s.value for s in samples}


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def requests_in(file: Path) -> float:
    """What one process counted itself."""
    found = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    return sum(value for key, value, *_ in found if '"trailmate_requests_total"' in key)


def ask_until_both_answered(server: Served, key: str, folder: Path) -> int:
    n = 0
    while n < 10 or not all(requests_in(folder / f"counter_{seat}.db") > 5 for seat in (0, 1)):
        assert asked(server, "POST", PATH, key, json={"learner_id": "lena"}).status_code == 200
        n += 1
        assert n < 2_000
    return n


def test_any_process_tells_of_all_and_one_that_takes_anothers_seat_goes_on_from_its_numbers(
    tmp_path: Path, tiny_bundle: Path
) -> None:
    folder = tmp_path / "metrics" / "server-0"
    recommended = ("trailmate_requests_total", "method=POST", f"route={PATH}", "status=200")
    with served(tmp_path, "--bundle", str(tiny_bundle), "--workers", "2") as server:
        key = key_for(tmp_path, "recommend", "events")
        n = ask_until_both_answered(server, key, folder)
        event = {"event_id": "1", "learner_id": "max", "resource_id": "r01", "kind": "completed"}
        assert asked(server, "POST", "/v1/events", key, json={"events": [event]}).json()["accepted"] == 1
        # An answer comes a moment before it is counted.
        until(lambda: told(server)[recommended] == n)
        before = told(server)
        assert before["trailmate_decisions_total", "mode=cold"] == n
        assert before["trailmate_request_seconds_count", f"route={PATH}"] == n
        assert before["trailmate_state_lag_events_count",] == n
        assert before["trailmate_events_total", "fate=accepted"] == 1
        [bundle] = [value for name, value in before.items() if name[0] == "trailmate_bundle"]
        assert bundle == 2
        files = sorted(path.name for path in folder.iterdir())
        for killed in workers_of(server):
            os.kill(killed, signal.SIGKILL)
            until(lambda: len(now := workers_of(server)) == 2 and killed not in now)  # noqa: B023
            until(lambda: told(server)[next(x for x in before if x[0] == "trailmate_bundle")] == 2)
        n += ask_until_both_answered(server, key, folder)
        until(lambda: told(server)[recommended] == n)
        after = told(server)
        assert after["trailmate_events_total", "fate=accepted"] == 1
        last = ("trailmate_last_event_timestamp_seconds",)
        assert after[last] == before[last] > 1_700_000_000
        assert sorted(path.name for path in folder.iterdir()) == files
        assert after.keys() == before.keys()
        assert not re.search(r"\bpid\b|lena|max|school", str(after.keys()))
    assert not folder.exists()


def test_a_server_that_was_killed_leaves_nothing_that_the_next_one_counts_on(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        children = workers_of(server)
        assert told(server)["trailmate_bundle", "version=none"] == 2
        for pid in (server.process.pid, *children):
            os.kill(pid, signal.SIGKILL)
    assert (tmp_path / "metrics" / "server-0").exists()
    with served(tmp_path, "--workers", "2") as server:
        now = told(server)
        assert now["trailmate_bundle", "version=none"] == 2
        assert sum(value for name, value in now.items() if name[0] == "trailmate_requests_total") <= 1
    assert sorted(path.name for path in (tmp_path / "metrics").iterdir()) == ["seat-0.lock"]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch"])
def test_a_schools_share_is_one_for_all_processes(tmp_path: Path, path: str) -> None:
    body = {"learner_id": "lena"} if path == PATH else {"learner_ids": ["lena"]}
    with served(tmp_path, "--workers", "2", quota_requests_per_minute="15") as server:
        key, other = key_for(tmp_path, "recommend"), key_for(tmp_path, "recommend", tenant="other")
        if time.time() % 60 > 45:
            # All of it has to happen within one minute.
            time.sleep(61 - time.time() % 60)
        statuses = [asked(server, "POST", path, key, json=body).status_code for _ in range(25)]
        assert statuses == [200] * 15 + [429] * 10
        assert asked(server, "POST", path, other, json=body).status_code == 200
        until(lambda: told(server).get(("trailmate_refused_requests_total", "why=quota")) == 10)
