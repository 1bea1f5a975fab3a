"""The pages for app developers and operators say what is so."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from serving.app import create_app
from serving.auth import SCOPES
from serving.metrics import Metrics
from serving.settings import Settings
from tests.served import key_for

DOCS = Path(__file__).parents[2] / "docs"
DOOR = re.compile(r"```http\n(\w+) (\S+)\n(.*?)```\s+```json\n(.+?)```", re.DOTALL)


def test_the_examples_for_app_developers_run_as_they_stand(tmp_path: Path) -> None:
    examples = DOOR.findall((DOCS / "app-developer.md").read_text())
    assert len(examples) == 9
    headers = {"Authorization": f"Bearer {key_for(tmp_path, 'admin')}"}
    with TestClient(create_app(Settings(data=tmp_path)), headers=headers) as client:
        for method, path, body, expected in examples:
            response = client.request(method, path, json=json.loads(body) if body.strip() else None)
            answer, wanted = response.json(), json.loads(expected)
            assert response.status_code == 200
            assert answer.pop("decision_id", None) is None or wanted.pop("decision_id")
            assert answer == wanted


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    line = next(row for row in (DOCS / "operator.md").read_text().splitlines() if f"`TRAILMATE_{name.upper()}`" in row)
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
