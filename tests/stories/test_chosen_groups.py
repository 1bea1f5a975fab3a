"""What a teacher keeps is held against what is known and can be taken back; a no to sharing is not forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.served import key_for
from tests.stories.conftest import Asking, Clock

CLASS = [f"p{i}" for i in range(6)]
GROUPS = [CLASS[:3], CLASS[3:]]
RESOURCES = [
    {"resource_id": x, "title": x.title(), "format": "exercise", "skills": ["add"], "minutes": 5}
    for x in ("quiz", "game")
]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(asking: Asking, clock: Clock) -> Iterator[TestClient]:
    with asking(None, clock=clock) as client:
        client.put("/v1/resources", json={"resources": RESOURCES})
        for class_id in ("7b", "9x"):
            client.put(f"/v1/classes/{class_id}", json={"title": class_id})
        for x in CLASS:
            client.put(f"/v1/learners/{x}", json={"classes": ["7b"], "sharing": x != "p5"})
        client.put("/v1/learners/other", json={"classes": ["9x"]})
        yield client


def with_key(tmp_path: Path, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_for(tmp_path / 'data', *scopes)}"}


def keep(app: TestClient, grouping_id: str = "w", groups: Any = None, **more: Any) -> Any:
    told = [{"learner_ids": g} if isinstance(g, list) else g for g in groups or GROUPS]
    headers = more.pop("headers", {})
    return app.put(f"/v1/groups/{grouping_id}", json={"class_id": "7b", "groups": told, **more}, headers=headers)


def save(app: TestClient, rule_id: str, verb: str, **rule: Any) -> None:
    answer = app.post("/v1/rules", json={"id": rule_id, "verb": verb, "scope": {"class_id": "7b"}, **rule})
    assert answer.status_code == 201, answer.text


def history(app: TestClient) -> list[str]:
    return [g["grouping_id"] for g in app.get("/v1/groups", params={"class_id": "7b"}).json()["groupings"]]


def test_a_teachers_key_keeps_groups_and_a_pupils_does_not(app: TestClient, tmp_path: Path) -> None:
    for scopes in (("recommend",), ("recommend", "events"), ("read",)):
        refused = keep(app, headers=with_key(tmp_path, *scopes))
        assert (refused.status_code, "rules or catalogue" in refused.json()["detail"]) == (403, True)
    assert history(app) == []
    teacher = with_key(tmp_path, "recommend", "rules", "read")
    assert keep(app, headers=teacher).status_code == 200
    assert app.delete("/v1/groups/w", headers=with_key(tmp_path, "recommend", "events")).status_code == 403
    assert app.delete("/v1/groups/w", headers=teacher).status_code == 200


def test_groups_that_name_what_nobody_told_of_are_refused_with_every_place_at_once(app: TestClient) -> None:
    groups = [
        {"learner_ids": ["p0", "secret-name"], "resource_id": "quiz"},
        {"learner_ids": ["other"], "resource_id": "secret-thing"},
    ]
    told = keep(app, groups=groups, proposed=[["p0"], ["p1", "secret-name"]])
    assert told.status_code == 400
    words = told.json()["detail"]
    places = ["groups[0].learner_ids[1]", "groups[1].learner_ids[0]", "groups[1].resource_id", "proposed[1][1]"]
    assert [place in words for place in places] == [True] * 4
    assert "groups[0].learner_ids[0]" not in words
    assert "groups[0].resource_id" not in words
    assert not any(name in words for name in ("secret", "other"))
    assert history(app) == []


def test_groups_of_a_class_nobody_told_of_are_not_kept(app: TestClient) -> None:
    told = keep(app, class_id="nowhere")
    assert (told.status_code, "class_id" in told.json()["detail"]) == (404, True)


def test_an_id_kept_for_another_class_is_not_taken_away_from_it(app: TestClient) -> None:
    assert keep(app).status_code == 200
    told = keep(app, groups=[["other"]], class_id="9x")
    assert (told.status_code, "DELETE /v1/groups" in told.json()["detail"]) == (409, True)
    assert history(app) == ["w"]
    assert app.delete("/v1/groups/w").status_code == 200
    assert keep(app, groups=[["other"]], class_id="9x").status_code == 200


def test_two_teachers_who_change_one_grouping_do_not_undo_each_other_unseen(app: TestClient) -> None:
    first = keep(app)
    tag = first.headers["etag"]
    listed = app.get("/v1/groups", params={"class_id": "7b"}).json()["groupings"][0]
    assert (first.json()["etag"], listed["etag"]) == (tag, tag)
    mine = keep(app, groups=[CLASS[:2], CLASS[2:]], headers={"If-Match": tag})
    assert (mine.status_code, mine.headers["etag"] != tag) == (200, True)
    late = keep(app, groups=[CLASS[:4], CLASS[4:]], headers={"If-Match": tag})
    assert (late.status_code, "read them again" in late.json()["detail"]) == (412, True)
    assert app.delete("/v1/groups/w", headers={"If-Match": tag}).status_code == 412
    stands = app.get("/v1/groups", params={"class_id": "7b"}).json()["groupings"][0]
    assert [g["learner_ids"] for g in stands["groups"]] == [CLASS[:2], CLASS[2:]]
    assert keep(app, headers={"If-None-Match": "*"}).status_code == 412
    assert keep(app, "new", headers={"If-None-Match": "*"}).status_code == 200
    assert keep(app, "other", headers={"If-Match": tag}).status_code == 412
    # Whoever says nothing replaces what stands, as before.
    assert [keep(app).status_code, keep(app, headers={"If-Match": "*"}).status_code] == [200, 200]
    now = keep(app).headers["etag"]
    assert app.delete("/v1/groups/w", headers={"If-Match": f'"x", {now}'}).status_code == 200


def test_a_blank_id_is_refused(app: TestClient) -> None:
    for blank in ("%20", "%09%20"):
        told = keep(app, blank)
        assert (told.status_code, "grouping_id must have 1 to" in told.json()["detail"]) == (422, True)
    assert history(app) == []


def test_what_a_teacher_decides_against_a_rule_is_kept_and_noted_without_its_reason(
    app: TestClient, tmp_path: Path
) -> None:
    save(app, "apart", "keep_apart", what={"learners": ["p0", "p1"]}, reason="a private matter")
    save(app, "both", "keep_together", what={"learners": ["p0", "p4"]})
    save(app, "few", "group_size", value="2-3")
    save(app, "no-one", "no_one_alone", what={"learners": ["p1", "p3"]})
    told = keep(app, groups=[["p0", "p1", "p2"], ["p3"], ["p4", "p5"]])
    assert told.status_code == 200
    notes = told.json()["notes"]
    found = {(rule, f"groups[{n}]") for note in notes for rule in ("apart", "both", "few", "no-one") for n in range(3)
             if f"hard rule {rule} (" in note and f"groups[{n}]" in note}  # fmt: skip
    assert found == {
        ("apart", "groups[0]"), ("both", "groups[0]"), ("both", "groups[2]"), ("few", "groups[1]"),
        ("no-one", "groups[0]"), ("no-one", "groups[1]"),
    }  # fmt: skip
    assert [n for n in notes if "groups[2].learner_ids[1] chose not to be matched" in n]
    assert "private" not in told.text
    # Who may not look at rules reads only that one does not hold.
    plain = keep(app, headers=with_key(tmp_path, "catalogue"))
    assert plain.status_code == 200
    assert any("a hard rule of the school does not hold in groups[0]" in note for note in plain.json()["notes"])
    assert not any(word in note for note in plain.json()["notes"] for word in ("apart", "both", "keep_"))
    # Groups that keep every rule are nothing to speak of, but for who said no.
    fine = keep(app, groups=[["p0", "p4"], ["p1", "p3"], ["p2", "p5"]])
    assert [note for note in fine.json()["notes"] if "rule" in note] == []


def test_who_is_locked_and_moved_is_noted(app: TestClient, clock: Clock) -> None:
    assert keep(app, "w1").json()["notes"][-1].startswith("groups[1].learner_ids[2] chose")
    save(app, "stay", "lock", what={"learners": ["p0"]})
    clock.now += timedelta(days=7)
    assert not any("stay" in note for note in keep(app, "w2").json()["notes"])
    clock.now += timedelta(days=7)
    moved = keep(app, "w3", groups=[["p4", "p1", "p2"], ["p3", "p0"]]).json()["notes"]
    assert any("stay (lock)" in note and "groups[1]" in note for note in moved)


def test_groups_taken_back_are_gone_from_history_from_repeats_and_from_rules_for_them(
    app: TestClient, clock: Clock
) -> None:
    asked = {"class_id": "7b", "size": 3, "mode": "random", "seconds": 0.05}

    def avoided() -> bool:
        return any(
            r["verb"] == "avoid_repeat" for r in app.post("/v1/groups", json=asked).json()["proposals"][0]["rules"]
        )

    def offered() -> list[str]:
        told = app.post("/v1/recommendations", json={"learner_id": "p0", "k": 3}).json()
        return sorted(o["resource_id"] for o in told["slate"])

    assert keep(app).status_code == 200
    rule = {"id": "none", "verb": "hide", "scope": {"group_id": "w/1"}, "what": {"resources": ["quiz"]}}
    assert app.post("/v1/rules", json=rule).status_code == 201
    assert (avoided(), offered()) == (True, ["game"])
    gone = app.delete("/v1/groups/w")
    assert (gone.status_code, gone.json()["groups"][0]["learner_ids"]) == (200, CLASS[:3])
    assert (history(app), avoided(), offered()) == ([], False, ["game", "quiz"])
    again = app.delete("/v1/groups/w")
    assert (again.status_code, "GET /v1/groups" in again.json()["detail"]) == (404, True)
    # What it was stands in the audit, and PUT keeps it again.
    entries = app.get("/v1/audit", params={"kind": "grouping"}).json()["entries"]
    assert [e["action"] for e in entries] == ["grouping.delete", "grouping.put"]
    assert entries[0]["before"]["groups"][0]["learner_ids"] == CLASS[:3]
    assert len(app.get("/v1/audit", params={"learner_id": "p0", "kind": "grouping"}).json()["entries"]) == 2


def test_taking_back_asks_for_the_scope_that_keeping_does(app: TestClient, tmp_path: Path) -> None:
    keep(app)
    refused = app.delete("/v1/groups/w", headers=with_key(tmp_path, "read", "events"))
    assert (refused.status_code, "catalogue" in refused.json()["detail"]) == (403, True)
    assert app.delete("/v1/groups/w", headers=with_key(tmp_path, "catalogue")).status_code == 200


def test_a_no_to_sharing_outlives_a_sync_that_does_not_speak_of_it(app: TestClient) -> None:
    def told(**record: Any) -> Any:
        return app.put("/v1/learners/p5", json={"classes": ["7b"], **record}).json()["sharing"]

    def left_out() -> list[str]:
        asked = {"class_id": "7b", "size": 2, "seconds": 0.05}
        return [x["learner_id"] for x in app.post("/v1/groups", json=asked).json()["left_out"]]

    assert told() is False
    assert told(features=["grade-7"]) is False
    assert left_out() == ["p5"]
    assert (told(sharing=None), told()) == (None, None)
    assert left_out() == []
    assert (told(sharing=True), told(), told(sharing=False), told()) == (True, True, False, False)


def test_without_the_scope_rules_a_rule_of_the_school_has_no_name(app: TestClient, tmp_path: Path) -> None:
    save(app, "secret-apart", "keep_apart", what={"learners": ["p0", "p1"]})
    save(app, "secret-size", "group_size", value="2-3")
    both = {"verb": "keep_together", "learners": ["p0", "p1"]}
    asked = {"class_id": "7b", "size": "2-3", "seconds": 0.05, "rules": [both]}
    reader, teacher = with_key(tmp_path, "read"), with_key(tmp_path, "read", "rules")
    plain = app.post("/v1/groups", json=asked, headers=reader)
    assert (plain.status_code, plain.json()["conflict"]) == (409, {"rules": [0], "rule_ids": [], "locked": []})
    assert "rules[0] (keep_together), a rule of the school;" in plain.json()["detail"]
    named = app.post("/v1/groups", json=asked, headers=teacher).json()
    assert named["conflict"]["rule_ids"] == ["secret-apart"]
    assert "secret-apart" in named["detail"]
    size = app.post("/v1/groups", json={**asked, "rules": [], "size": 6}, headers=reader)
    assert (size.status_code, "secret" in size.text) == (409, False)
    fine = {**asked, "rules": []}
    answers = [app.post("/v1/groups", json=fine, headers=h).json()["proposals"][0] for h in (reader, teacher)]
    assert [{r["origin"] for r in a["rules"]} & {"rule"} for a in answers] == [set(), {"rule"}]
    assert answers[0]["groups"] == answers[1]["groups"]
    # A kept answer is not handed to a key that may read less.
    once = {"Idempotency-Key": "same"}
    assert app.post("/v1/groups", json=fine, headers=teacher | once).status_code == 200
    assert app.post("/v1/groups", json=fine, headers=reader | once).status_code == 422


def test_a_slip_in_who_is_absent_is_noted_and_one_in_skills_refused(app: TestClient) -> None:
    asked = {"class_id": "7b", "size": 2, "seconds": 0.05}
    told = app.post("/v1/groups", json={**asked, "absent": ["p0", "nope"]}).json()
    assert {"learner_id": "p0", "why": "absent"} in told["left_out"]
    assert told["notes"] == [
        "absent[1] is nobody of this class",
        "it is not known how strong anybody here is, so these groups follow the other rules alone",
    ]
    refused = app.post("/v1/groups", json={**asked, "skills": ["nosuch"]})
    assert (refused.status_code, "skills names a skill" in refused.json()["detail"]) == (400, True)
    assert app.post("/v1/groups", json={**asked, "skills": ["add"]}).status_code == 200
