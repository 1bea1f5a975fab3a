"""The pages for app developers and operators say what is so."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from serving.app import create_app
from serving.auth import SCOPES
from serving.idempotency import HEADER, KEPT_FOR
from serving.metrics import Metrics
from serving.settings import Settings
from tests.served import key_for

DOCS = Path(__file__).parents[2] / "docs"
DOOR = re.compile(r"```http\n(\w+) (\S+)\n(.*?)```\s+```json\n(.+?)```", re.DOTALL)


def without_made_ids(answer: object) -> object:
    """The answer with every id that was made for it under one name."""
    return json.loads(re.sub(r'"(override-[0-9a-f]{12}|[0-9a-f]{32})"', '"made"', json.dumps(answer)))


def test_the_examples_for_app_developers_run_as_they_stand(tmp_path: Path) -> None:
    examples = DOOR.findall((DOCS / "app-developer.md").read_text())
    assert len(examples) == 25
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    app = create_app(Settings(data=tmp_path))
    with TestClient(app, headers=headers) as client:
        app.state.house = replace(app.state.house, clock=lambda: datetime(2026, 9, 15, 10, tzinfo=UTC))
        for method, path, body, expected in examples:
            response = client.request(method, path, json=json.loads(body) if body.strip() else None)
            assert response.status_code in (200, 201)
            # A decision is numbered when it is written, a moment after its answer.
            client.portal.call(app.state.house.recorder.settled)
            assert without_made_ids(response.json()) == without_made_ids(json.loads(expected))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    rows = (DOCS / "operator.md").read_text().splitlines()
    line = next(row for row in rows if row.startswith(f"| `TRAILMATE_{name.upper()}` |"))
    default = Settings.model_fields[name].default
    assert default in (None, "") or str(default) in line


def test_every_metric_and_scope_is_documented() -> None:
    operator, developer = (DOCS / "operator.md").read_text(), (DOCS / "app-developer.md").read_text()
    registry = CollectorRegistry()
    Metrics(registry)
    assert [m.name for m in registry.collect() if f"`{m.name}" not in operator] == []
    assert [scope for scope in SCOPES if f"| `{scope}` |" not in developer] == []


def test_every_door_is_in_the_guide() -> None:
    guide = (DOCS / "app-developer.md").read_text()
    paths = [path.split("{")[0] for path in create_app(Settings()).openapi()["paths"]]
    assert [path for path in paths if path not in guide] == []


def test_the_life_of_an_idempotency_key_is_the_one_that_is_promised() -> None:
    guide = " ".join((DOCS / "app-developer.md").read_text().split())
    hours = KEPT_FOR.total_seconds() / 3600
    assert f"the same bytes within {hours:.0f} hours" in guide
    assert all(word in guide for word in (f"`{HEADER}`", "`Idempotency-Replayed: true`", "1 to 255 visible"))
