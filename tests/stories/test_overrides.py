"""A teacher's one-off changes over HTTP: in force on the next answer, undone at noon, and what became of them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from tests.served import key_for, served
from tests.stories.conftest import LEARNER, Asking, Clock, portrait
from tests.stories.test_rules import MORNING, PUPILS, RESOURCES, asked, did, problem, rule, saved, slate


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING)


@pytest.fixture
def seven_b(asking: Asking, clock: Clock) -> Iterator[TestClient]:
    with asking(None, clock=clock) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        for pupil in PUPILS:
            client.put(f"/v1/learners/{pupil}", json={"classes": ["7b"]})
        yield client


def override(app: TestClient, kind: str, *, scope: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    body = {"kind": kind, "scope": {"class_id": "7b"} if scope is None else scope, **more}
    answer = app.post("/v1/overrides", json=body)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/overrides/{told['override_id']}"
    return told


def events(data: Path) -> list[Interaction]:
    async def read() -> list[Interaction]:
        async with open_store(f"sqlite+aiosqlite:///{data / 'store.db'}") as store:
            return [event for _, event in await store.events.after("school", 0, 1000)]

    return asyncio.run(read())


def test_a_pin_undone_at_noon(seven_b: TestClient, clock: Clock, tmp_path: Path) -> None:
    app = seven_b
    made = override(app, "pin", resource_ids=["frac-2-project"], reason="school fair", author="Ms Berger")
    assert (made["in_force"], made["author"], made["rule_ids"]) == (True, "Ms Berger", [made["override_id"]])
    first = asked(app)["slate"][0]
    assert (first["resource_id"], first["origin"], first["status"]) == ("frac-2-project", "teacher", "required")
    assert any("rule" in r["text_teacher"] or "eacher" in r["text_learner"] for r in first["reasons"])
    for pupil, outcome in (("kim", 0.9), ("lena", 0.7)):
        did(app, pupil, "frac-2-project", outcome=outcome)
    did(app, "omar", "frac-2-project")
    effect = app.get(f"/v1/overrides/{made['override_id']}/effect").json()
    assert (effect["n_learners"], effect["n_done"], effect["mean_outcome"]) == (4, 3, pytest.approx(0.8))
    assert effect["words"] == "your pin: 3 of 4 did it, mean outcome .80"
    clock.now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    undone = app.post(f"/v1/overrides/{made['override_id']}/undo")
    assert (undone.status_code, undone.json()["in_force"], undone.headers["etag"]) == (200, False, '"2"')
    assert slate(app, "zoe")[0] == "ratios-video"
    # What was done after noon was not the pin's doing.
    did(app, "zoe", "frac-2-project", outcome=1.0)
    assert app.get(f"/v1/overrides/{made['override_id']}/effect").json()["n_done"] == 3
    versions = app.get(f"/v1/overrides/{made['override_id']}/versions").json()["versions"]
    assert [(v["version"], v["action"]) for v in versions] == [(1, "created"), (2, "undone")]
    told = events(tmp_path / "data")
    labels = [e for e in told if e.kind == "overridden"]
    assert sorted(e.learner_id for e in labels) == list(PUPILS)
    assert {e.resource_id for e in labels} == {"frac-2-project"}
    assert json.loads(labels[0].value or "")["kind"] == "pin"
    assert json.loads(labels[0].value or "")["reason"] == "school fair"
    # Undone, it was never preferred.
    assert {e.voids for e in told if e.kind == "voided"} == {e.event_id for e in labels}
    assert app.post(f"/v1/overrides/{made['override_id']}/undo").json()["in_force"] is True
    assert slate(app, "omar")[0] == "frac-2-project"


def test_every_kind_does_what_it_says_on_the_next_answer(seven_b: TestClient, tmp_path: Path) -> None:
    app = seven_b
    swap = override(app, "swap", scope={"learner_id": "lena"}, instead_of="ratios-video", resource_ids=["frac-1-video"])
    assert slate(app) == ["frac-1-video", "ratios-exercise", "ratios-project"]
    assert slate(app, "kim")[0] == "ratios-video"
    assert swap["rule_ids"] == [swap["override_id"], f"{swap['override_id']}-hides"]
    assert {r["rule_id"] for r in asked(app)["rules"]} == set(swap["rule_ids"])
    override(app, "hide", scope={"learner_id": "kim"}, resource_id="ratios-video")
    assert slate(app, "kim")[0] == "ratios-exercise"
    homework = override(app, "assign", scope={"learner_id": "omar"}, resource_ids=["frac-2-video"], due="2026-11-27")
    first = asked(app, "omar")["slate"][0]
    assert (first["resource_id"], first["status"], first["due"]) == ("frac-2-video", "assigned", "2026-11-27")
    did(app, "omar", "frac-2-video")
    assert slate(app, "omar")[0] == "ratios-video"
    assert app.get(f"/v1/overrides/{homework['override_id']}/effect").json()["words"] == (
        "your assign: 1 of 1 did it, no answer was scored yet"
    )
    saved(app, rule("first", "require_first", scope={"learner_id": "zoe"}, skills=["frac-1"]))
    assert slate(app, "zoe")[0] == "frac-1-video"
    set_to = override(
        app, "set_mastery", scope={"learner_id": "zoe"}, skills=["frac-1"], value=0.95, reason="oral exam"
    )
    assert slate(app, "zoe")[0] == "ratios-video"
    app.delete("/v1/rules/first")
    freeze = override(app, "freeze", scope={"learner_id": "zoe"}, resource_ids=["frac-2-video"])
    assert slate(app, "zoe") == ["frac-2-video"]
    assert app.delete(f"/v1/overrides/{freeze['override_id']}").json()["in_force"] is False
    assert slate(app, "zoe")[0] == "ratios-video"
    approve = override(app, "approve", scope={"learner_id": "zoe"}, resource_ids=["frac-2-project"])
    assert approve["says"].startswith("do not wait for what")
    kinds = {e.kind for e in events(tmp_path / "data")}
    assert {"overridden", "assigned", "mastery_set"} <= kinds
    label = next(e for e in events(tmp_path / "data") if e.kind == "mastery_set")
    assert (label.skills, json.loads(label.value or "")["value"], label.source) == (("frac-1",), 0.95, "teacher")
    listed = app.get("/v1/overrides", params={"learner_id": "zoe", "in_force": True}).json()["overrides"]
    assert {o["override_id"] for o in listed} == {set_to["override_id"], approve["override_id"]}
    assert app.get("/v1/overrides", params={"kind": "swap"}).json()["overrides"][0]["instead_of"] == "ratios-video"
    # They are overrides, not rules.
    assert [r["id"] for r in app.get("/v1/rules").json()["rules"]] == ["first"]


def test_what_an_override_lacks_is_said(seven_b: TestClient) -> None:
    for body, word in (
        ({"kind": "pin"}, "resource_ids"),
        ({"kind": "pinn", "resource_ids": ["x"]}, "did you mean pin?"),
        ({"kind": "swap", "resource_ids": ["ratios-video"]}, "instead_of"),
        ({"kind": "swap", "resource_ids": ["ratios-video"], "instead_of": "ratios-video"}, "another resource"),
        ({"kind": "set_mastery", "skills": ["frac-1"]}, "value"),
        ({"kind": "set_mastery", "skills": ["frac-1"], "value": 2}, "[0, 1]"),
        ({"kind": "pin", "resource_ids": ["ratios-video"], "due": "2026-11-27"}, "due"),
        ({"kind": "assign", "resource_ids": ["ratios-video"], "due": "Friday"}, "due"),
        ({"kind": "pin", "resource_ids": ["ratios-video"], "scope": {"school": "x"}}, "scope"),
        ({"kind": "pin", "resource_ids": ["ratios-video"], "until": "2020-01-01"}, "over"),
        ({"kind": "pin", "resources": ["ratios-video"]}, "resource"),
    ):
        assert word in problem(seven_b.post("/v1/overrides", json=body), 422)["detail"], body
    assert problem(seven_b.post("/v1/overrides", json={"kind": "pin", "resource_ids": ["gone"]}), 400)
    assert problem(seven_b.post("/v1/rules", json=rule("override-x", "hide", formats=["video"])), 422)
    assert problem(seven_b.get("/v1/overrides/override-none"), 404)
    assert problem(seven_b.put("/v1/overrides/mine", json={"kind": "hide", "resource_ids": ["ratios-video"]}), 422)


def test_two_teachers_change_one_override_and_a_contradiction_is_refused(seven_b: TestClient) -> None:
    app = seven_b
    pin = override(app, "pin", resource_ids=["ratios-video"])
    refused = problem(app.post("/v1/overrides", json={"kind": "hide", "resource_ids": ["ratios-video"]}), 409)
    assert pin["override_id"] in refused["conflict"]
    path = f"/v1/overrides/{pin['override_id']}"
    body = {"kind": "pin", "scope": {"class_id": "7b"}, "resource_ids": ["ratios-project"]}
    assert problem(app.put(path, json=body), 428)
    assert app.put(path, json=body, headers={"If-Match": '"1"'}).headers["etag"] == '"2"'
    assert problem(app.put(path, json=body, headers={"If-Match": '"1"'}), 412)
    assert slate(app)[0] == "ratios-project"
    app.post(f"{path}/undo")
    assert slate(app)[0] == "ratios-video"
    assert app.get(path).headers["etag"] == '"3"'


def test_an_override_is_a_label_and_no_evidence(app: TestClient, told: dict[str, Any]) -> None:
    before = portrait(app)
    skill = before["skills"][0]["skill_id"]
    resource = next(r["resource_id"] for r in told["resources"] if skill in r.get("skills", ()))
    scope = {"learner_id": LEARNER}
    for kind, more in (
        ("set_mastery", {"skills": [skill], "value": 0.99}),
        ("pin", {"resource_ids": [resource]}),
        ("assign", {"resource_ids": [resource]}),
    ):
        made = app.post("/v1/overrides", json={"kind": kind, "scope": scope, **more})
        assert made.status_code == 201, made.text
    after = portrait(app)
    known = [[(s["skill_id"], round(s["mastery"], 3), s["answers"]) for s in p["skills"]] for p in (before, after)]
    assert known[0] == known[1]


def test_a_frozen_path_stays_as_it_was(app: TestClient, told: dict[str, Any], clock: Clock) -> None:
    skills = sorted({s["skill_id"] for s in portrait(app)["skills"] if not s["mastered"]})
    assert app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": skills[:2]}).status_code == 200
    steps = app.get(f"/v1/learners/{LEARNER}/path").json()["steps"]
    path = {x for step in steps for x in step["resources"]}
    assert path
    frozen = app.post("/v1/overrides", json={"kind": "freeze", "scope": {"learner_id": LEARNER}}).json()
    assert frozen["warnings"] == []
    shown = {o["resource_id"] for o in asked(app, LEARNER, k=20)["slate"]}
    assert shown
    assert shown <= path
    # Another goal, another path; what was frozen is still what it was.
    app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": skills[-1:]})
    assert {o["resource_id"] for o in asked(app, LEARNER, k=20)["slate"]} <= path
    # Of somebody without a goal no path is known: they are told so at the desk.
    app.put("/v1/learners/new", json={"classes": ["9z"]})
    other = app.post("/v1/overrides", json={"kind": "freeze", "scope": {"class_id": "9z"}}).json()
    assert [w["kind"] for w in other["warnings"]] == ["no_path"]
    assert asked(app, "new")["slate"] == []


def test_every_worker_knows_at_once(tmp_path: Path) -> None:
    with served(tmp_path / "data") as one, served(tmp_path / "data") as two:
        key = key_for(tmp_path / "data", "admin")
        with one.client(key) as here, two.client(key) as there:
            here.put("/v1/resources", json={"resources": RESOURCES})
            ask = {"learner_id": "lena", "k": 1}
            for _ in range(3):
                assert there.post("/v1/recommendations", json=ask).json()["slate"][0]["resource_id"] == "ratios-video"
                made = here.post("/v1/overrides", json={"kind": "pin", "resource_ids": ["frac-2-project"]}).json()
                assert there.post("/v1/recommendations", json=ask).json()["slate"][0]["resource_id"] == "frac-2-project"
                assert there.delete(f"/v1/overrides/{made['override_id']}").status_code == 200
                assert here.post("/v1/recommendations", json=ask).json()["slate"][0]["resource_id"] == "ratios-video"
