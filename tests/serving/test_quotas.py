"""A tenant that has had its share waits for the next one; the others notice nothing."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from serving import choosing
from serving.app import create_app
from serving.errors import OverQuota
from serving.quotas import Quotas, open_quotas
from serving.settings import Settings
from tests.served import key_for

NOON = datetime(2026, 9, 15, 12, 0, 20, tzinfo=UTC)


@contextmanager
def quotas(data: Path, *, requests: int = 0, events: int = 0) -> Iterator[Quotas]:
    with open_quotas(Settings(data=data, quota_requests_per_minute=requests, quota_events_per_day=events)) as opened:
        yield opened


def test_without_limits_nothing_is_counted_or_written(tmp_path: Path) -> None:
    with quotas(tmp_path) as none:
        none.count_request("school", NOON)
        none.require_room("school", 10**9, NOON)
        none.count_events("school", 10**9, NOON)
    assert list(tmp_path.iterdir()) == []


def test_a_minute_ends_and_so_does_a_day(tmp_path: Path) -> None:
    with quotas(tmp_path, requests=2, events=10) as limited:
        for _ in range(2):
            limited.count_request("school", NOON)
        with pytest.raises(OverQuota, match="2 requests a minute") as refusal:
            limited.count_request("school", NOON)
        assert refusal.value.retry_after_s == 40
        limited.count_request("other", NOON)
        limited.count_request("school", NOON + timedelta(seconds=40))
        limited.count_events("school", 8, NOON)
        limited.require_room("school", 2, NOON)
        with pytest.raises(OverQuota, match="2 are left") as refusal:
            limited.require_room("school", 3, NOON)
        assert refusal.value.retry_after_s == 12 * 3600 - 20
        limited.require_room("school", 10, NOON + timedelta(seconds=refusal.value.retry_after_s))


def test_workers_count_together_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    spend = (
        "import sys; from datetime import datetime; from pathlib import Path\n"
        "from serving.quotas import open_quotas; from serving.settings import Settings\n"
        "settings = Settings(data=Path(sys.argv[1]), quota_requests_per_minute=10, quota_events_per_day=100)\n"
        "now = datetime.fromisoformat(sys.argv[2])\n"
        "with open_quotas(settings) as quotas:\n"
        "    [quotas.count_request('school', now) for _ in range(3)]; quotas.count_events('school', 40, now)\n"
    )
    with quotas(tmp_path, requests=10, events=100) as here:
        for _ in range(2):
            command = [sys.executable, "-c", spend, str(tmp_path), NOON.isoformat()]
            subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        for _ in range(4):
            here.count_request("school", NOON)
        with pytest.raises(OverQuota):
            here.count_request("school", NOON)
        here.require_room("school", 20, NOON)
        with pytest.raises(OverQuota):
            here.require_room("school", 21, NOON)
    with quotas(tmp_path, requests=10, events=100) as again, pytest.raises(OverQuota, match="20 are left"):
        again.require_room("school", 21, NOON)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(asked=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 150)), max_size=40))
def test_no_minute_sees_more_than_its_share_and_none_refuses_early(
    asked: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data, let_in = tmp_path_factory.mktemp("quota"), {}
    with quotas(data, requests=3) as one, quotas(data, requests=3) as two:
        for n, (tenant, second) in enumerate(sorted(asked, key=lambda x: x[1])):
            now = NOON.replace(second=0) + timedelta(seconds=second)
            had = let_in.get((tenant, second // 60), 0)
            try:
                (one, two)[n % 2].count_request(tenant, now)
            except OverQuota:
                assert had == 3
            else:
                assert had < 3
                let_in[tenant, second // 60] = had + 1


def test_over_http_one_school_waits_and_the_other_is_answered(tmp_path: Path) -> None:
    keys = {tenant: key_for(tmp_path, "admin", tenant=tenant) for tenant in ("north", "south")}
    app = create_app(Settings(data=tmp_path, quota_requests_per_minute=4, quota_events_per_day=3))
    event = {"learner_id": "a", "resource_id": "r", "kind": "viewed"}

    def told(client: TestClient, tenant: str, *ids: str) -> tuple[int, dict[str, object], str | None]:
        body = {"events": [event | {"event_id": x} for x in ids]}
        answer = client.post("/v1/events", json=body, headers={"Authorization": f"Bearer {keys[tenant]}"})
        return answer.status_code, answer.json(), answer.headers.get("retry-after")

    with TestClient(app) as client:
        app.state.house = replace(app.state.house, clock=lambda: NOON)
        assert told(client, "north", "1", "2")[0] == 200
        status, problem, wait = told(client, "north", "3", "4")
        assert (status, problem["type"], wait) == (429, "urn:trailmate:problem:over-quota", "43180")
        # A batch that is sent again costs nothing, and one that fits is taken whole.
        assert told(client, "north", "2")[1]["duplicates"] == 1
        assert told(client, "north", "3")[1]["accepted"] == 1
        assert told(client, "north", "5")[2] == "40"
        assert told(client, "south", "1")[0] == 200
        metrics = client.get("/metrics").text
    assert 'trailmate_refused_requests_total{why="quota"} 2.0' in metrics
    assert "north" not in metrics and "south" not in metrics


def test_both_ways_to_a_recommendation_and_the_one_for_a_class_count_and_refuse_alike(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'recommend')}", "Content-Type": "application/json"}
    app = create_app(Settings(data=tmp_path, quota_requests_per_minute=3))
    content, path = b'{"learner_id": "a"}', "/v1/recommendations"
    with TestClient(app, headers=headers) as client:
        app.state.house = replace(app.state.house, clock=lambda: NOON)
        # A body whose length is not told goes to the route itself.
        for given, door in ((content, path), (iter([content]), path), (b'{"learner_ids": ["a"]}', f"{path}/batch")):
            assert client.post(door, content=given).status_code == 200
        quick, route = client.post(path, content=content), client.post(path, content=iter([content]))
        for answer in (quick, route, client.post(f"{path}/batch", json={"learner_ids": ["a"]})):
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "40")
            assert answer.headers["content-type"] == "application/problem+json"
            told = answer.json()
            assert told.pop("request_id") == answer.headers["x-request-id"]
            assert told["detail"] == "this school may send 3 requests a minute; send the rest after Retry-After"
        assert set(quick.headers) == set(route.headers)
        # A key that opens nothing uses up nobody's share.
        assert client.post(path, content=content, headers={"Authorization": "Bearer x"}).status_code == 401
        metrics = client.get("/metrics").text
    assert 'trailmate_refused_requests_total{why="quota"} 3.0' in metrics
    assert 'trailmate_requests_total{method="POST",route="/v1/recommendations",status="429"} 2.0' in metrics


def test_what_breaks_is_one_request_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(choosing, "recommend_next", broken)
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'recommend')}"}
    app = create_app(Settings(data=tmp_path, quota_requests_per_minute=3))
    with TestClient(app, headers=headers) as client:
        app.state.house = replace(app.state.house, clock=lambda: NOON)
        statuses = [client.post("/v1/recommendations", json={"learner_id": "a"}).status_code for _ in range(4)]
    assert statuses == [500, 500, 500, 429]


def test_every_door_with_a_key_says_what_comes_of_a_share_that_is_used_up(tmp_path: Path) -> None:
    doors = create_app(Settings(data=tmp_path)).openapi()["paths"]
    asking = [door for ways in doors.values() for door in ways.values() if door.get("security")]
    assert len(asking) > 30
    for door in asking:
        told = door["responses"]["429"]
        assert told["headers"]["Retry-After"]["schema"]["type"] == "integer"
        assert told["content"]["application/problem+json"]["example"]["status"] == 429
