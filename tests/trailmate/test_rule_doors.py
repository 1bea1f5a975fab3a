"""The client's doors for teachers against a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.errors import BadInput, Unknown
from tests.served import key_for, served
from trailmate import Trailmate

RESOURCES = [{"resource_id": f"r{i}", "title": f"R{i}", "format": "video", "position": i} for i in range(6)]
HIDE = {"id": "no-r0", "verb": "hide", "what": {"resources": ["r0"]}, "from": "2026-01-01"}


@pytest.fixture(scope="module")
def url_and_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with served(tmp_path_factory.mktemp("doors") / "data") as running:
        yield running.url, running.data


@pytest.fixture
def school(url_and_data: tuple[str, Path], request: pytest.FixtureRequest) -> Iterator[Trailmate]:
    url, data = url_and_data
    with Trailmate(url, key=key_for(data, "admin", tenant=f"t{abs(hash(request.node.name))}")) as client:
        client.put_resources(RESOURCES)
        client.put_learner({"learner_id": "lena", "classes": ["7b"]})
        yield client


def shown(school: Trailmate, k: int = 2) -> list[str]:
    return [o.resource_id for o in school.recommend("lena", k=k).slate]


def test_a_rule_is_seen_made_changed_ended_and_undone(school: Trailmate) -> None:
    seen = school.rules.preview(HIDE, k=3)
    assert (seen.n_changed, seen.changes[0].leaves, seen.changes[0].enters) == (1, ("r0",), ("r3",))
    assert [(m.resource_id, m.rank_before, m.rank_after) for m in seen.changes[0].moves] == [("r1", 2, 1), ("r2", 3, 2)]
    assert "lena" not in repr(seen)
    made = school.rules.create(HIDE)
    assert (made.version, made.starts, made.in_force) == (1, "2026-01-01", True)
    assert shown(school) == ["r1", "r2"]
    decision = school.recommend("lena", k=1)
    assert [(r.rule_id, r.held) for r in decision.rules] == [("no-r0", True)]
    with pytest.raises(BadInput, match="something stands under the id"):
        school.rules.create(HIDE)
    changed = school.rules.put({**HIDE, "what": {"resources": ["r1"]}}, version=made.version)
    assert (changed.version, shown(school)) == (2, ["r0", "r2"])
    with pytest.raises(BadInput, match="read it again"):
        school.rules.put(HIDE, version=1)
    with pytest.raises(BadInput, match="If-Match"):
        school.rules.put(HIDE)
    assert school.rules.undo("no-r0").what == {"resources": ["r0"]}
    assert school.rules.end("no-r0", version=3).ended_at is not None
    assert shown(school) == ["r0", "r1"]
    assert [v.action for v in school.rules.versions("no-r0")] == ["created", "changed", "undone", "ended"]
    with pytest.raises(Unknown):
        school.rules.get("never")
    assert school.rules.schema()["title"] == "Rule"


def test_all_rules_come_however_many_pages_they_fill(school: Trailmate) -> None:
    for i in range(60):
        school.rules.create({**HIDE, "id": f"rule/{i:02d}", "strength": "soft"})
    assert [r.id for r in school.rules.all()] == [f"rule/{i:02d}" for i in range(60)]
    school.rules.end("rule/00")
    assert len(list(school.rules.all(in_force=True, verb="hide"))) == 59
    assert list(school.rules.all(class_id="7b")) == []
    assert school.rules.get("rule/01").version == 1


def test_an_override_is_made_looked_at_and_undone(school: Trailmate) -> None:
    pin = school.overrides.create("pin", scope={"class_id": "7b"}, resource_ids=["r5"], author="Ms Berger")
    assert shown(school) == ["r5", "r0"]
    school.send_events([{"learner_id": "lena", "resource_id": "r5", "kind": "attempted", "outcome": 0.75}])
    effect = school.overrides.effect(pin.override_id)
    assert (effect.words, effect.resources[0].n_done) == ("your pin: 1 of 1 did it, mean outcome .75", 1)
    changed = school.overrides.change(pin.override_id, "pin", version=1, scope={"class_id": "7b"}, resource_ids=["r4"])
    assert (changed.version, shown(school)[0]) == (2, "r4")
    assert school.overrides.undo(pin.override_id).resource_ids == ("r5",)
    assert school.overrides.end(pin.override_id).in_force is False
    assert [o.override_id for o in school.overrides.all(kind="pin")] == [pin.override_id]
    assert [v.version for v in school.overrides.versions(pin.override_id)] == [1, 2, 3, 4]
    assert school.overrides.get(pin.override_id).author == changed.author != "Ms Berger"
