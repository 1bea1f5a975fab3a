"""What the desk foresees is what comes: a preview says exactly how the next answers differ."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import LEARNER, portrait


def shown(app: TestClient, k: int) -> list[str]:
    answer = app.post("/v1/recommendations", json={"learner_id": LEARNER, "k": k}).json()
    return [option["resource_id"] for option in answer["slate"]]


def drafts(app: TestClient, told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources = {r["resource_id"]: r for r in told["resources"]}
    first = shown(app, 8)
    skills = [s["skill_id"] for s in portrait(app)["skills"] if not s["mastered"]]
    fmt = resources[first[0]]["format"]
    return {
        "hide": {"verb": "hide", "what": {"formats": [fmt]}},
        "only": {"verb": "only", "what": {"formats": sorted({r["format"] for r in resources.values()})[:2]}},
        "first": {"verb": "require_first", "what": {"skills": skills[-2:]}},
        "band": {"verb": "success_band", "value": [0.6, 0.85]},
        "quota": {"verb": "formats", "value": {"max": {fmt: 1}}},
        "pin": {"verb": "pin", "what": {"resources": [first[-1]]}},
        "demote": {"verb": "demote", "value": 4, "what": {"formats": [fmt]}},
        "cap": {"verb": "cap_minutes", "value": {"day": 12}},
    }


@pytest.mark.parametrize("name", ["hide", "only", "first", "band", "quota", "pin", "demote", "cap"])
@pytest.mark.parametrize("k", [3, 6])
def test_a_preview_tells_what_the_next_answer_is(app: TestClient, told: dict[str, Any], name: str, k: int) -> None:
    scope = {"learner_id": LEARNER}
    # Beside another rule, that is there before and after.
    other = {"id": "other", "verb": "boost", "value": 1.5, "what": {"formats": ["video"]}, "scope": scope}
    assert app.post("/v1/rules", json=other).status_code == 201
    draft = {"id": "draft", "scope": scope, **drafts(app, told)[name]}
    before = shown(app, k)
    seen = app.post("/v1/rules/preview", json={"rule": draft, "k": k}).json()
    (change,) = seen["changes"]
    assert shown(app, k) == before
    assert app.post("/v1/rules", json=draft).status_code == 201
    after = shown(app, k)
    assert change["leaves"] == [x for x in before if x not in after]
    assert change["enters"] == [x for x in after if x not in before]
    moved = {m["resource_id"]: (m["rank_before"], m["rank_after"]) for m in change["moves"]}
    both = {x: (before.index(x) + 1, after.index(x) + 1) for x in after if x in before}
    assert moved == {x: ranks for x, ranks in both.items() if ranks[0] != ranks[1]}
    assert (change["n_before"], change["n_after"], change["few"]) == (len(before), len(after), len(after) < 3)
    if name in ("hide", "first", "pin"):
        assert seen["n_changed"] == 1
