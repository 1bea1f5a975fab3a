"""A teacher's rules over HTTP: seen before they are saved, refused where they contradict, proved in every answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from starlette.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings
from tests.served import key_for, served
from tests.stories.conftest import Asking, Clock
from trailmate.cli import main

MORNING = datetime(2026, 11, 23, 7, tzinfo=UTC)
FORMATS = ("video", "exercise", "project")
RESOURCES = [
    {
        "resource_id": f"{skill}-{fmt}", "title": f"{skill} {fmt}", "format": fmt, "skills": [skill],
        "minutes": 10, "position": 3 * s + f,
    }
    for s, skill in enumerate(("ratios", "frac-1", "frac-2"))
    for f, fmt in enumerate(FORMATS)
]  # fmt: skip
PUPILS = ("kim", "lena", "omar", "zoe")


@pytest.fixture
def clock() -> Clock:
    return Clock(MORNING)


@pytest.fixture
def app(asking: Asking, clock: Clock) -> Iterator[TestClient]:
    """A school without a bundle, so that the planned order is what anybody would get."""
    with asking(None, clock=clock) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        for pupil in PUPILS:
            client.put(f"/v1/learners/{pupil}", json={"classes": ["7b"]})
        client.put("/v1/classes/7b", json={"title": "7b"})
        yield client


def slate(app: TestClient, learner_id: str = "lena", k: int = 3, **more: Any) -> list[str]:
    return [o["resource_id"] for o in asked(app, learner_id, k, **more)["slate"]]


def asked(app: TestClient, learner_id: str = "lena", k: int = 3, **more: Any) -> dict[str, Any]:
    answer = app.post("/v1/recommendations", json={"learner_id": learner_id, "k": k, **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    for option in told["slate"]:
        assert sum(r["contribution"] for r in option["reasons"]) == pytest.approx(option["score"], abs=1e-9)
    return told


def saved(app: TestClient, rule: dict[str, Any]) -> dict[str, Any]:
    answer = app.post("/v1/rules", json=rule)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    return told


def rule(
    rule_id: str, verb: str, value: Any = None, *, scope: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    fields = ("strength", "from", "until", "reason", "author")
    what = {name: more.pop(name) for name in list(more) if name not in fields}
    return {"id": rule_id, "verb": verb, "value": value, "scope": {"class_id": "7b"} if scope is None else scope,
            "what": what, **more}  # fmt: skip


def test_a_school_day_with_fractions_first(app: TestClient, clock: Clock) -> None:
    assert slate(app) == ["ratios-video", "ratios-exercise", "ratios-project"]
    draft = rule("fractions-first", "require_first", skills=["frac-1"], until="2026-11-23", reason="unit test")
    seen = app.post("/v1/rules/preview", json={"rule": draft, "k": 3}).json()
    assert (seen["n_learners"], seen["n_changed"], seen["n_few"], seen["refused"]) == (4, 4, 0, False)
    assert seen["changes"][1]["enters"] == ["frac-1-video", "frac-1-exercise", "frac-1-project"]
    assert seen["summary"].startswith("4 of 4 learners would see something else")
    # Looking changes nothing.
    assert slate(app) == ["ratios-video", "ratios-exercise", "ratios-project"]
    made = saved(app, draft)
    assert (made["version"], made["in_force"], made["says"]) == (1, True, "skill frac-1 first for class 7b")
    decision = asked(app, k=4)
    assert [o["resource_id"] for o in decision["slate"]] == [
        "frac-1-video", "frac-1-exercise", "frac-1-project", "ratios-video",
    ]  # fmt: skip
    assert [o["origin"] for o in decision["slate"]] == ["rule", "rule", "rule", "model"]
    assert [(r["rule_id"], r["held"]) for r in decision["rules"]] == [("fractions-first", True)]
    # What the desk foresaw is what came.
    assert slate(app) == seen["changes"][1]["enters"]
    # It lasts to the end of the day.
    clock.now = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    assert slate(app)[0] == "frac-1-video"
    clock.now = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    assert slate(app)[0] == "ratios-video"
    assert app.get("/v1/rules/fractions-first").json()["in_force"] is False


def test_every_answer_passes_the_last_stage_whoever_asks_and_however(app: TestClient) -> None:
    saved(app, rule("no-ratios", "hide", scope={}, skills=["ratios"]))
    ways: list[dict[str, Any]] = [
        {"learner_id": "lena"}, {"learner_id": "nobody knows"}, {"learner_id": "lena", "non_personalised": True},
        {"learner_id": "lena", "objective": "uptake"}, {"learner_id": "lena", "what_if": True},
        {"learner_id": "lena", "candidates": ["ratios-video", "frac-2-video"]}, {"learner_id": "lena", "explore": True},
    ]  # fmt: skip
    for way in ways:
        told = app.post("/v1/recommendations", json={"k": 9, **way}).json()
        assert told["slate"]
        assert not [o for o in told["slate"] if o["resource_id"].startswith("ratios")]
        assert [r["rule_id"] for r in told["rules"]] == ["no-ratios"]
    batch = app.post("/v1/recommendations/batch", json={"class_id": "7b", "k": 9}).json()["decisions"]
    assert len(batch) == 4
    assert all(len(d["slate"]) == 6 and d["rules"][0]["held"] for d in batch)


def test_two_pupils_are_kept_apart_and_a_contradiction_in_a_ring_is_refused(app: TestClient) -> None:
    made = saved(app, rule("not-these-two", "keep_apart", learners=["kim", "omar"]))
    assert made["says"] == "keep kim, omar apart for class 7b"
    assert app.get("/v1/rules/not-these-two").json()["what"] == {"learners": ["kim", "omar"]}
    saved(app, rule("friends", "keep_together", learners=["kim", "lena"]))
    # kim–lena and lena–omar together would put kim beside omar.
    refused = problem(app.post("/v1/rules", json=rule("more-friends", "keep_together", learners=["lena", "omar"])), 409)
    assert refused["type"] == "urn:trailmate:problem:rules-conflict"
    assert sorted(refused["conflict"]) == ["friends", "more-friends", "not-these-two"]
    assert "kim" not in refused["detail"]
    assert [p["kind"] for p in refused["problems"]] == ["no_groups"]
    assert app.get("/v1/rules/more-friends").status_code == 404
    seen = app.post("/v1/rules/preview", json={"rule": rule("p", "keep_apart", learners=["kim", "zoe"])}).json()
    assert (seen["n_learners"], seen["n_changed"], seen["refused"]) == (4, 0, False)


def test_minutes_of_a_day_are_capped_in_the_schools_own_day(app: TestClient, clock: Clock) -> None:
    saved(app, rule("half-an-hour", "cap_minutes", {"day": 30}, scope={"learner_id": "lena"}))
    assert len(slate(app)) == 3
    did(app, "lena", "ratios-video", seconds=25 * 60)
    # Five minutes are left, and each takes ten.
    told = asked(app)
    assert (told["slate"], [r["held"] for r in told["rules"]]) == ([], [True])
    assert "half-an-hour" in told["message"]
    assert len(slate(app, "kim")) == 3
    clock.now += timedelta(days=1)
    assert len(slate(app)) == 3
    # Without a duration what it usually takes counts, once a day.
    did(app, "lena", "ratios-exercise")
    did(app, "lena", "ratios-exercise")
    assert len(slate(app)) == 3
    did(app, "lena", "ratios-project")
    did(app, "lena", "frac-1-video")
    assert slate(app) == []


def test_a_school_day_ends_at_the_schools_own_midnight(tmp_path: Path, clock: Clock) -> None:
    data = tmp_path / "zurich"
    data.mkdir()
    headers = {"Authorization": f"Bearer {key_for(data, 'admin')}"}
    app = create_app(Settings(data=data, time_zone="Europe/Zurich"))
    with TestClient(app, headers=headers) as client:
        app.state.house = replace(app.state.house, clock=clock)
        client.put("/v1/resources", json={"resources": RESOURCES})
        saved(client, rule("today", "hide", scope={}, formats=["video"], until="2026-11-23"))
        clock.now = datetime(2026, 11, 23, 22, 59, tzinfo=UTC)
        assert slate(client)[0] == "ratios-exercise"
        clock.now = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
        assert slate(client)[0] == "ratios-video"


def did(
    app: TestClient,
    learner_id: str,
    resource_id: str,
    *,
    outcome: float | None = None,
    seconds: float | None = None,
) -> None:
    kind = "completed" if outcome is None else "attempted"
    about = {"learner_id": learner_id, "resource_id": resource_id, "kind": kind}
    event = {**about, "outcome": outcome, "duration_s": seconds}
    assert app.post("/v1/events", json={"events": [event]}).json()["accepted"] == 1


def test_hard_rules_that_cannot_all_hold_in_class_say_which(app: TestClient, clock: Clock) -> None:
    saved(app, rule("read-this", "pin", resources=["frac-2-project"]))
    # Each is fine by itself when it is saved; the cap is used up in the course of the day.
    saved(app, rule("an-hour", "cap_minutes", {"day": 30}))
    assert slate(app)[0] == "frac-2-project"
    did(app, "lena", "ratios-video", seconds=25 * 60)
    told = asked(app)
    assert told["slate"] == []
    assert sorted(told["conflict"]) == ["an-hour", "read-this"]
    assert "cannot all hold" in told["message"]


def test_what_contradicts_is_refused_with_the_smallest_set_and_what_is_odd_is_told(app: TestClient) -> None:
    saved(app, rule("read-this", "pin", resources=["frac-1-video"]))
    refused = problem(app.post("/v1/rules", json=rule("no-videos", "hide", formats=["video"])), 409)
    assert sorted(refused["conflict"]) == ["no-videos", "read-this"]
    assert "read-this" in refused["detail"]
    # As a wish it may stand.
    saved(app, rule("no-videos", "hide", formats=["video"], strength="soft"))
    # Unknown names: all of them refuse, some of them warn.
    unknown = problem(app.post("/v1/rules", json=rule("x", "hide", resources=["nothing"])), 400)
    assert unknown["type"] == "urn:trailmate:problem:unknown-name"
    some = saved(app, rule("x", "hide", resources=["nothing", "ratios-video"]))
    assert [w["kind"] for w in some["warnings"]] == ["unknown"]
    # A learner nobody told of may come yet.
    later = saved(app, rule("newcomer", "hide", scope={"learner_id": "not here yet"}, formats=["project"]))
    assert [w["kind"] for w in later["warnings"]] == ["nobody"]
    assert "not here yet" not in later["warnings"][0]["words"]
    assert not [x for x in slate(app, "not here yet", k=9) if x.endswith("project")]
    over = problem(app.post("/v1/rules", json=rule("old", "hide", formats=["video"], until="2026-11-22")), 422)
    assert "is over already" in over["detail"]
    mistakes = problem(app.post("/v1/rules", json={"id": "m", "verb": "hid", "strngth": "hard"}), 422)["detail"]
    assert "did you mean hide?" in mistakes
    assert "did you mean strength?" in mistakes


def test_a_narrower_rule_overlaps_a_wider_one_as_documented(app: TestClient) -> None:
    saved(app, rule("school", "cap_minutes", {"day": 5}, scope={}))
    assert slate(app) == []
    saved(app, rule("lena-may", "cap_minutes", {"day": 60}, scope={"learner_id": "lena"}))
    assert len(slate(app)) == 3
    assert slate(app, "kim") == []


def test_two_teachers_at_once_the_second_is_told(app: TestClient) -> None:
    first = app.post("/v1/rules", json=rule("no-drafts", "hide", formats=["video"]))
    assert (first.headers["etag"], first.headers["location"]) == ('"1"', "/v1/rules/no-drafts")
    assert problem(app.post("/v1/rules", json=rule("no-drafts", "hide", formats=["video"])), 409)
    body = rule("no-drafts", "hide", formats=["project"], author="Ms Berger")
    needed = problem(app.put("/v1/rules/no-drafts", json=body), 428)
    assert "If-Match" in needed["detail"]
    read = app.get("/v1/rules/no-drafts")
    one = app.put("/v1/rules/no-drafts", json=body, headers={"If-Match": read.headers["etag"]})
    assert (one.status_code, one.headers["etag"], one.json()["author"]) == (200, '"2"', "Ms Berger")
    two = app.put("/v1/rules/no-drafts", json=body, headers={"If-Match": read.headers["etag"]})
    assert problem(two, 412)["type"] == "urn:trailmate:problem:stale"
    assert problem(app.delete("/v1/rules/no-drafts", headers={"If-Match": '"1"'}), 412)
    # What was read can be sent back as it was read.
    again = app.get("/v1/rules/no-drafts").json()
    sent = app.put("/v1/rules/no-drafts", json=again, headers={"If-Match": '"2"'})
    assert (sent.status_code, sent.json()["version"]) == (200, 3)
    # PUT makes what is not there, unless the caller saw something there.
    assert app.put("/v1/rules/new", json=rule("new", "hide", formats=["project"])).status_code == 201
    assert problem(
        app.put("/v1/rules/gone", json=rule("gone", "hide", formats=["x"]), headers={"If-Match": '"1"'}), 412
    )
    assert problem(app.put("/v1/rules/new", json=rule("old", "hide", formats=["project"])), 422)
    versions = app.get("/v1/rules/no-drafts/versions").json()["versions"]
    assert [(v["version"], v["action"], v["what"]["formats"]) for v in versions] == [
        (1, "created", ["video"]), (2, "changed", ["project"]), (3, "changed", ["project"]),
    ]  # fmt: skip
    assert versions[0]["author"] != "Ms Berger"


def test_two_rules_saved_at_once_are_seen_one_after_the_other(tmp_path: Path) -> None:
    with served(tmp_path / "data") as server, server.client(key_for(server.data, "admin")) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        pins = [rule(f"pin-{i}", "pin", scope={}, resources=["ratios-video"]) for i in range(3)]
        hides = [rule(f"hide-{i}", "hide", scope={}, formats=["video"]) for i in range(3)]
        with ThreadPoolExecutor(6) as pool:
            told = list(
                pool.map(
                    lambda r: app.post("/v1/rules", json=r), [x for two in zip(pins, hides, strict=True) for x in two]
                )
            )
        kept = {r["verb"] for r in app.get("/v1/rules").json()["rules"]}
        # Whoever came first, all of the other kind were refused.
        assert len(kept) == 1
        assert sorted(t.status_code for t in told) == [201, 201, 201, 409, 409, 409]


def test_what_rules_did_goes_into_the_log(app: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(app, rule("no-videos", "hide", formats=["video"]))
    decision = asked(app)
    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path / "data"))
    with pytest.raises(SystemExit) as ended:
        main(["export", "--into", str(tmp_path / "log"), "--json"])
    assert ended.value.code == 0
    (rows,) = pl.read_parquet(tmp_path / "log/decisions/*.parquet").filter(slot=1)["rules"].to_list()
    assert rows == decision["rules"]
    assert (rows[0]["rule_id"], rows[0]["held"]) == ("no-videos", True)


def test_what_was_ended_comes_back_by_undo_and_what_was_made_goes(app: TestClient) -> None:
    saved(app, rule("no-videos", "hide", formats=["video"]))
    assert slate(app)[0] == "ratios-exercise"
    ended = app.delete("/v1/rules/no-videos")
    assert (ended.status_code, ended.json()["in_force"], ended.headers["etag"]) == (200, False, '"2"')
    assert slate(app)[0] == "ratios-video"
    assert app.delete("/v1/rules/no-videos").headers["etag"] == '"2"'
    back = app.post("/v1/rules/no-videos/undo")
    assert (back.status_code, back.json()["in_force"], back.json()["ended_at"]) == (200, True, None)
    assert slate(app)[0] == "ratios-exercise"
    changed = app.put(
        "/v1/rules/no-videos", json=rule("no-videos", "hide", formats=["exercise"]), headers={"If-Match": '"3"'}
    )
    assert changed.status_code == 200
    assert slate(app)[0] == "ratios-video"
    app.post("/v1/rules/no-videos/undo")
    assert app.get("/v1/rules/no-videos").json()["what"] == {"formats": ["video"]}
    # Undone twice, it is as it was before.
    app.post("/v1/rules/no-videos/undo")
    assert app.get("/v1/rules/no-videos").json()["what"] == {"formats": ["exercise"]}
    saved(app, rule("new", "hide", formats=["project"]))
    assert app.post("/v1/rules/new/undo").json()["in_force"] is False
    assert problem(app.post("/v1/rules/never/undo"), 404)
    # What comes back must still go with the others.
    saved(app, rule("pin", "pin", resources=["ratios-project"]))
    refused = problem(app.post("/v1/rules/new/undo"), 409)
    assert sorted(refused["conflict"]) == ["new", "pin"]


def test_rules_are_found_page_by_page(app: TestClient) -> None:
    for i in range(5):
        saved(app, rule(f"hide-{i}", "hide", formats=["video"], strength="soft"))
    saved(app, rule("later", "hide", formats=["video"], strength="soft", **{"from": "2026-12-01"}))
    saved(app, rule("lena", "demote", 2, scope={"learner_id": "lena"}, formats=["video"]))
    app.delete("/v1/rules/hide-4")

    def ids(**wanted: Any) -> list[str]:
        found, cursor = [], None
        while True:
            page = app.get("/v1/rules", params={**wanted, "limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            assert len(page["rules"]) <= 2
            found += [r["id"] for r in page["rules"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert ids() == ["hide-0", "hide-1", "hide-2", "hide-3", "hide-4", "later", "lena"]
    assert ids(in_force=True) == ["hide-0", "hide-1", "hide-2", "hide-3", "lena"]
    assert ids(in_force=False, class_id="7b") == ["hide-4", "later"]
    assert ids(learner_id="lena") == ids(verb="demote") == ["lena"]
    assert problem(app.get("/v1/rules", params={"cursor": "é"}), 422)
    assert problem(app.get("/v1/rules", params={"class_id": "7b", "learner_id": "lena"}), 422)
    assert problem(app.get("/v1/rules", params={"klass": "7b"}), 422)


def test_rules_may_be_written_in_yaml(app: TestClient) -> None:
    text = (
        "id: fractions-first\nscope: {class_id: 7b}\nverb: require_first\nwhat: {skills: [frac-1]}\nuntil: 2026-12-18\n"
    )
    made = app.post("/v1/rules", content=text, headers={"content-type": "application/yaml"})
    assert (made.status_code, made.json()["until"]) == (201, "2026-12-18")
    bad = ["a: &a [x]\nb: *a\n", "!!python/object:os.system {}", "id: .inf\nx: !!set {a}", "{", "- 1"]
    for content in bad:
        refused = app.post("/v1/rules", content=content, headers={"content-type": "application/yaml"})
        assert refused.status_code in (400, 422), content
    assert problem(app.post("/v1/rules", content=b"{"), 400)
    schema = app.get("/v1/rules/schema")
    assert "require_first" in schema.text
    assert schema.json()["title"] == "Rule"


def test_only_a_key_for_rules_opens_these_doors(tmp_path: Path, app: TestClient) -> None:
    other = {"Authorization": f"Bearer {key_for(tmp_path / 'data', 'recommend', 'events', 'catalogue', 'read')}"}
    mine = {"Authorization": f"Bearer {key_for(tmp_path / 'data', 'rules')}"}
    for method, path in (
        ("GET", "/v1/rules"),
        ("POST", "/v1/rules"),
        ("GET", "/v1/overrides"),
        ("GET", "/v1/rules/schema"),
    ):
        assert app.request(method, path, headers=other, json={} if method == "POST" else None).status_code == 403
    assert app.get("/v1/rules", headers=mine).status_code == 200


def test_another_school_sees_nothing_of_it(tmp_path: Path, app: TestClient) -> None:
    saved(app, rule("no-videos", "hide", scope={}, formats=["video"]))
    theirs = {"Authorization": f"Bearer {key_for(tmp_path / 'data', 'admin', tenant='elsewhere')}"}
    assert app.get("/v1/rules/no-videos", headers=theirs).status_code == 404
    app.put("/v1/resources", json={"resources": RESOURCES}, headers=theirs)
    told = app.post("/v1/recommendations", json={"learner_id": "lena", "k": 1}, headers=theirs).json()
    assert [o["resource_id"] for o in told["slate"]] == ["ratios-video"]
    assert app.get("/v1/rules", headers=theirs).json() == {"rules": [], "next_cursor": None}


def test_slips_in_a_preview_and_in_yaml_are_told(app):
    draft = {"id": "x1", "scope": {"class_id": "7b"}, "verb": "hide", "what": {"formats": ["video"]}}
    for wrong in ({"rule": draft, "kk": 3}, {"rule": draft, "k": 0}, {"rule": draft, "k": "three"}, {"k": 3}):
        answer = app.post("/v1/rules/preview", json=wrong)
        assert answer.status_code == 422, answer.text
    yaml = "id: y2\nscope: {class_id: 7b}\nverb: hidee\nwhat: {skils: [draft]}\nuntil: 2026-13-23\n"
    told = app.post("/v1/rules", content=yaml, headers={"Content-Type": "application/yaml"})
    assert told.status_code == 422
    assert "hide" in told.json()["detail"]
    assert "skils" in told.json()["detail"]
    dated = yaml.replace("hidee", "hide").replace("skils: [draft]", "formats: [video]")
    told = app.post("/v1/rules", content=dated, headers={"Content-Type": "application/yaml"})
    assert told.status_code == 422
    assert "until is no ISO date" in told.json()["detail"]
