"""What a learner says is heard: preferences, needs, a goal, and "I know this"; and what is known of them is shown."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.stories.conftest import LEARNER, SCHOOL_NOW, Clock, portrait, recommended

SKILL, TITLE = "m7-frac-2", "Adding and subtracting fractions"


def slate(app: TestClient, learner_id: str = LEARNER, **wanted: Any) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = recommended(app, learner_id, **wanted)["slate"]
    return options


def reasons(option: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {reason["code"]: reason for reason in option["reasons"]}


def skill(app: TestClient, skill_id: str, learner_id: str = LEARNER) -> dict[str, Any]:
    return next(s for s in portrait(app, learner_id)["skills"] if s["skill_id"] == skill_id)


def answered(skill_id: str, at: datetime, outcome: float, learner_id: str = LEARNER) -> dict[str, Any]:
    return {
        "learner_id": learner_id,
        "resource_id": f"{skill_id}-quiz",
        "kind": "attempted",
        "outcome": outcome,
        "skills": [skill_id],
        "at": at.isoformat(),
    }


def test_formats_a_learner_asks_for_tip_near_ties_at_once_and_can_be_taken_back(app: TestClient) -> None:
    before = {o["resource_id"]: o for o in slate(app)}
    answer = app.put(f"/v1/learners/{LEARNER}/preferences", json={"formats": ["video"], "minutes_per_day": 20})
    assert answer.json()["preferences"]["formats"] == ["video"]
    for option in slate(app):
        if option["format"] == "video":
            style = reasons(option)["style"]
            assert style["contribution"] > 0
            assert style["text_learner"] == "You asked for this format: video."
        else:
            assert "style" not in reasons(option)
    assert {f["format"]: f["declared"] for f in portrait(app)["formats"]}["video"]
    app.put(f"/v1/learners/{LEARNER}/preferences", json={})
    after = {o["resource_id"]: o for o in slate(app)}
    assert portrait(app)["preferences"]["formats"] == []
    style_of = lambda option: reasons(option).get("style", {}).get("contribution", 0.0)  # noqa: E731
    assert [style_of(after[r]) for r in after] == pytest.approx([style_of(before[r]) for r in after], abs=1e-6)


def test_needs_and_languages_a_learner_names_are_hard_from_the_next_answer_on(
    app: TestClient, told: dict[str, Any]
) -> None:
    access = {r["resource_id"]: set(r.get("access", ())) for r in told["resources"]}
    some = next(need for need in sorted(set().union(*access.values())) if any(need not in a for a in access.values()))
    assert any(some not in access[o["resource_id"]] for o in slate(app, "new"))
    app.put("/v1/learners/new/preferences", json={"access_needs": [some]})
    left = slate(app, "new")
    assert left
    assert all(some in access[o["resource_id"]] for o in left)
    # The school's own word is not lost by it: both hold.
    app.put("/v1/learners/new", json={"access_needs": ["a need nothing meets"], "languages": ["xx"]})
    assert slate(app, "new") == []
    app.put("/v1/learners/new", json={"languages": ["xx"]})
    assert slate(app, "new") == []
    app.put("/v1/learners/new/preferences", json={"languages": ["en"]})
    assert slate(app, "new")


@pytest.mark.parametrize(("voice", "because"), [("know_it", "know_it"), ("contest", "contested")])
def test_i_know_this_promises_a_check_changes_no_estimate_and_an_answer_keeps_it(
    app: TestClient, clock: Clock, voice: str, because: str
) -> None:
    before, estimate = slate(app), skill(app, SKILL)
    answer = app.post(f"/v1/learners/{LEARNER}/voice", json={"voice": voice, "skills": [SKILL]}).json()
    assert [(c["skill_id"], c["because"]) for c in answer["checks"]] == [(SKILL, because)]
    same = skill(app, SKILL)
    assert [same[name] for name in ("mastery", "low", "high")] == pytest.approx(
        [estimate[name] for name in ("mastery", "low", "high")], abs=1e-6
    )
    assert same["answers"] == estimate["answers"]

    after = slate(app, seen_token=answer["seen_token"])
    checked = [o for o in after if "check" in reasons(o)]
    assert checked
    rank = {o["resource_id"]: o["rank"] for o in before}
    assert all(o["rank"] <= rank.get(o["resource_id"], 51) for o in checked)
    assert any(o["rank"] < rank.get(o["resource_id"], 51) for o in checked)
    assert after[0] in checked
    assert reasons(after[0])["check"]["contribution"] > 0
    assert [c["skill_id"] for c in portrait(app)["checks"]] == [SKILL]

    app.post("/v1/events", json={"events": [answered(SKILL, clock(), 1.0)]})
    assert portrait(app)["checks"] == []
    assert skill(app, SKILL)["mastery"] > estimate["mastery"]
    assert not any("check" in reasons(o) for o in slate(app))


def test_a_word_on_a_resource_means_the_skills_it_teaches(app: TestClient, told: dict[str, Any]) -> None:
    resource = next(r for r in told["resources"] if r.get("skills"))
    answer = app.post("/v1/learners/new/voice", json={"voice": "know_it", "resource_id": resource["resource_id"]})
    assert sorted(c["skill_id"] for c in answer.json()["checks"]) == sorted(resource["skills"])


def test_a_review_is_due_after_three_weeks_and_says_why(app: TestClient, clock: Clock) -> None:
    app.post("/v1/events", json={"events": [answered(SKILL, clock(), 1.0, "kim")]})
    assert not any("review" in reasons(o) for o in slate(app, "kim"))
    known = skill(app, SKILL, "kim")
    assert (known["recall"], known["due_at"] > clock().isoformat()) == (1.0, True)
    clock.now += timedelta(days=20)
    due = [o for o in slate(app, "kim") if "review" in reasons(o)]
    assert due
    why = reasons(due[0])["review"]
    assert why["contribution"] > 0
    assert why["text_learner"] == f"It is a good time to look at {TITLE} again."
    assert f"The only answer on {TITLE} was right" in why["text_teacher"]
    assert skill(app, SKILL, "kim")["recall"] < 0.9
    # Who wants nothing but what they are likeliest to take up is not reminded.
    assert not any("review" in reasons(o) for o in slate(app, "kim", objective="uptake"))


def test_a_goal_with_a_day_has_a_pace_line_that_more_minutes_bring_nearer(app: TestClient) -> None:
    asked = {"skills": [SKILL, "m7-alg-1", SKILL], "by": "2027-06-30"}
    told = app.put(f"/v1/learners/{LEARNER}/goal", json=asked).json()
    goal = told["goal"]
    assert goal["skills"] == [SKILL, "m7-alg-1"]
    assert 0 < goal["minutes_needed"] < goal["minutes_needed_p90"]
    assert str(SCHOOL_NOW.date()) < goal["finish_p50"] < goal["finish_p90"]
    assert goal["on_track"] > 0
    assert portrait(app)["goal"]["finish_p50"] == goal["finish_p50"]
    more = app.put(f"/v1/learners/{LEARNER}/goal", json={**asked, "floor": 300}).json()["goal"]
    assert more["finish_p50"] < goal["finish_p50"]
    assert more["on_track"] > goal["on_track"]
    assert app.put(f"/v1/learners/{LEARNER}/goal", json={"skills": []}).json()["goal"] is None
    assert portrait(app)["goal"] is None


def test_learner_and_teacher_read_the_same_numbers_in_their_own_words(app: TestClient) -> None:
    teacher, learner = portrait(app), portrait(app, audience="learner")
    numbers = ("skill_id", "answers", "right_of_last", "last_at", "due_at")
    assert [[s[n] for n in numbers] for s in teacher["skills"]] == [[s[n] for n in numbers] for s in learner["skills"]]
    mine, theirs = ({s["skill_id"]: s["text"] for s in p["skills"]}[SKILL] for p in (learner, teacher))
    assert mine == f"You tried {TITLE} once, on 14 December 2023."
    assert theirs == f"The only answer on {TITLE} was wrong, on 14 December 2023."
    # What others take up is the teacher's to see.
    assert all(f["usual"] is None for f in learner["formats"])
    assert all(f["usual"] > 0 for f in teacher["formats"])


def test_what_was_done_with_a_withdrawn_resource_still_counts(app: TestClient, told: dict[str, Any]) -> None:
    before = portrait(app)
    left = [r for r in told["resources"] if SKILL not in r.get("skills", ())]
    app.put("/v1/resources", json={"resources": left})
    after = portrait(app)
    assert [s["answers"] for s in after["skills"]] == [s["answers"] for s in before["skills"]]
    assert SKILL in {s["skill_id"] for s in after["skills"]}


def test_a_tag_that_says_where_a_language_is_spoken_is_that_language_too(app: TestClient) -> None:
    resources = [
        {"resource_id": f"book-{tag}", "title": tag, "format": "reading", "language": tag, "skills": ["reading"]}
        for tag in ("xx", "xx-CH", "xx-AT", "xxx")
    ]
    assert app.put("/v1/resources", json={"resources": resources}).status_code == 200

    def offered(*languages: str) -> set[str]:
        asked = {"learner_id": "new", "k": 50, "candidates": [x["resource_id"] for x in resources]}
        app.put("/v1/learners/new", json={"languages": languages})
        return {o["resource_id"] for o in app.post("/v1/recommendations", json=asked).json()["slate"]}

    assert offered("xx-CH") == {"book-xx", "book-xx-CH"}
    assert offered("XX") == {"book-xx", "book-xx-CH", "book-xx-AT"}


def test_an_id_that_no_database_keeps_is_refused(app: TestClient) -> None:
    answer = app.post("/v1/recommendations", json={"learner_id": "a\0b"})
    assert answer.status_code == 422
    assert "U+0000" in answer.json()["detail"]
