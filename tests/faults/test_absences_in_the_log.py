"""What the log says while the database or Redis is away: that it is, why events are refused, that it is back."""

import itertools
import json
from pathlib import Path

from tests.faults.test_full_disk import asked_once
from tests.served import Served, key_for, served
from tests.servers import postgres_server, valkey_server
from tests.stories.test_counting_together import until

_numbers = itertools.count()
EVENT = {"events": [{"learner_id": "zerafina", "resource_id": "r1", "kind": "viewed"}]}


def lines(server: Served, event: str) -> list[dict[str, object]]:
    told = [json.loads(line) for line in server.log_file.read_text().splitlines() if line.startswith("{")]
    return [line for line in told if line["event"] == event]


def test_the_log_says_once_that_the_database_and_redis_are_away_and_once_that_they_are_back(tmp_path: Path) -> None:
    with (
        postgres_server() as (database, url),
        valkey_server() as (redis, redis_url),
        served(tmp_path, database_url=url, redis_url=redis_url) as server,
    ):
        key = key_for(tmp_path, "admin", url=url)
        assert asked_once(server, "POST", "/v1/events", key, EVENT) == 200
        assert asked(server, key)
        for gone in (database, redis):
            gone.kill()
        until(lambda: asked(server, key) and len(lines(server, "away")) == 2)
        assert asked_once(server, "POST", "/v1/events", key, EVENT) == 503
        for gone in (database, redis):
            gone.start()
        until(lambda: asked(server, key) and len(lines(server, "back")) == 2)
        assert {line["what"] for line in lines(server, "back")} == {"database", "redis"}
        assert len(lines(server, "away")) == 2
        refused = [line for line in lines(server, "request") if line["status"] == 503]
        assert refused
        assert all(str(line["why"]).startswith("the store did not answer") for line in refused)
        assert all("why" not in line for line in lines(server, "request") if line["status"] == 200)
        assert "zerafina" not in server.log_file.read_text()


def asked(server: Served, key: str) -> bool:
    """Somebody asks for a learner of whom nothing is at hand, so that both are looked for."""
    learner = {"learner_id": f"zerafina-{next(_numbers)}"}
    return asked_once(server, "POST", "/v1/recommendations", key, learner) == 200
