"""A term in a class of 28: two kept apart, one newcomer, one who wants no matching; groups and peers every week."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.served import key_for
from tests.stories.conftest import Asking, Clock

CLASS = [f"l{i:02d}" for i in range(28)]
OPTED_OUT, NEWCOMER = "l14", "l27"
APART = {
    "id": "apart", "verb": "keep_apart", "what": {"learners": ["l03", "l07"]}, "reason": "a private matter",
    "author": "ms-t",
}  # fmt: skip
SKILLS = ["frac-1", "frac-2", "dec-1"]
RESOURCES = [
    *({"resource_id": f"quiz-{s}", "title": f"Quiz on {s}", "format": "exercise", "skills": [s]} for s in SKILLS),
    *({"resource_id": f"make-{s}", "title": f"Make {s}", "format": "project", "skills": [s]} for s in SKILLS),
]
WEEKS = 12

Pair = tuple[str, str]


def answers() -> list[dict[str, Any]]:
    """Some know one skill, some another; the newcomer did nothing yet."""
    return [
        {
            "event_id": f"{x}-{skill}-{n}", "learner_id": x, "resource_id": f"quiz-{skill}", "kind": "attempted",
            "outcome": 1.0 if (i + k) % 3 == 0 else 0.25,
        }
        for i, x in enumerate(CLASS)
        for k, skill in enumerate(SKILLS)
        for n in range(0 if x == NEWCOMER else 8)
    ]  # fmt: skip


class School:
    """A server with the class, and what its doors are asked in the stories."""

    def __init__(self, app: TestClient, data: Path, clock: Clock) -> None:
        self.app, self.data, self.clock = app, data, clock

    def save(self, rule: dict[str, Any]) -> None:
        told = self.app.post("/v1/rules", json={"scope": {"class_id": "7b"}, **rule})
        assert told.status_code == 201, told.text

    def peers(self, learner_id: str, *, scopes: str | None = None, **wishes: Any) -> dict[str, Any]:
        headers = {} if scopes is None else {"Authorization": f"Bearer {key_for(self.data, *scopes.split(','))}"}
        told = self.app.post("/v1/collaborators", json={"learner_id": learner_id, **wishes}, headers=headers)
        assert told.status_code == 200, told.text
        result: dict[str, Any] = told.json()
        return result

    def groups(self, **wishes: Any) -> httpx.Response:
        return self.app.post("/v1/groups", json={"class_id": "7b", "size": 4, "seconds": 0.05, **wishes})

    def tell(self, *events: dict[str, Any]) -> None:
        told = self.app.post("/v1/events", json={"events": list(events)}).json()
        assert told["rejected"] == []


@pytest.fixture
def school(asking: Asking, tmp_path: Path) -> Iterator[School]:
    clock = Clock()
    with asking(None, clock=clock) as app:
        app.put("/v1/resources", json={"resources": RESOURCES})
        for x in CLASS:
            app.put(f"/v1/learners/{x}", json={"classes": ["7b"], "sharing": x != OPTED_OUT})
        made = School(app, tmp_path / "data", clock)
        made.tell(*answers())
        made.save(APART)
        yield made


def pairs_of(groups: list[list[str]]) -> set[Pair]:
    return {(a, b) for group in groups for a, b in combinations(sorted(group), 2)}


def test_a_term_of_weekly_groups_breaks_no_hard_rule_and_hardly_repeats_a_pair(school: School) -> None:
    rounds: list[set[Pair]] = []
    for week in range(WEEKS):
        told = school.groups(mode=("mixed", "jigsaw", "same_need")[week % 3], seed=week, proposals=2)
        assert told.status_code == 200, told.text
        for proposal in told.json()["proposals"]:
            groups = [g["learner_ids"] for g in proposal["groups"]]
            assert sorted(x for g in groups for x in g) == [x for x in CLASS if x != OPTED_OUT]
            assert not any({"l03", "l07"} <= set(g) for g in groups)
            assert {len(g) for g in groups} <= {4, 5}
            tasks = [g["task"] for g in proposal["groups"]]
            assert all(tasks)
            assert any(task["artifact"] for task in tasks)
        assert told.json()["left_out"] == [{"learner_id": OPTED_OUT, "why": "opted_out"}]
        best = [g["learner_ids"] for g in told.json()["proposals"][0]["groups"]]
        body = {"class_id": "7b", "groups": [{"learner_ids": g} for g in best]}
        assert school.app.put(f"/v1/groups/week-{week:02d}", json=body).status_code == 200
        rounds.append(pairs_of(best))
        school.clock.now += timedelta(days=7)
    kept = school.app.get("/v1/groups", params={"class_id": "7b"}).json()
    assert [g["grouping_id"] for g in kept["groupings"]] == [f"week-{w:02d}" for w in reversed(range(WEEKS))]
    again = sum(len(now & set().union(*rounds[max(w - 3, 0) : w])) for w, now in enumerate(rounds))
    assert sum(g["repeats"] for g in kept["groupings"]) == again
    # At random a third of all pairs would have met in one of the three weeks before.
    assert kept["repeat_rate"] < 0.15
    assert max(Counter(pair for now in rounds for pair in now).values()) <= 5


def test_everybody_is_offered_somebody_every_week_and_helping_is_spread(school: School) -> None:
    asked: Counter[str] = Counter()
    for week in range(4):
        for x in CLASS:
            told = school.peers(x, k=1)
            if x == OPTED_OUT:
                assert told["options"] == []
                continue
            [option] = told["options"]
            peer = option["learner_id"]
            assert peer not in (x, OPTED_OUT)
            assert {x, peer} != {"l03", "l07"}
            asked[peer] += 1
            said = {"learner_id": x, "with_learner_ids": [peer], "decision_id": option["option_id"]}
            school.tell({"event_id": f"{week}-{x}-yes", "kind": "accepted", **said})
            school.tell({"event_id": f"{week}-{x}", "kind": "helped", "learner_id": peer, "with_learner_ids": [x]})
        school.clock.now += timedelta(days=7)
    assert sum(asked.values()) == 4 * 27
    assert max(asked.values()) <= 6
    assert min(asked[x] for x in CLASS if x != OPTED_OUT) >= 2
    assert school.app.get("/v1/groups", params={"class_id": "7b"}).json()["helper_load_gini"] < 0.2


def test_no_pupil_is_shown_what_another_knows(school: School) -> None:
    pupil = school.peers("l01", scopes="recommend", k=10)
    teacher = school.peers("l01", scopes="recommend,read", k=10)
    assert len(pupil["options"]) == len(teacher["options"]) == 10
    assert pupil["flags"] == []
    for option in pupil["options"]:
        assert option["benefit"] is None
        for reason in option["reasons"]:
            assert (reason["text_teacher"], reason["evidence"]) == (None, None)
            assert not any(ch in reason["text_learner"] for ch in "%0") or "frac" in reason["text_learner"]
            assert not any(x in reason["text_learner"] for x in CLASS)
    helper = next(o for o in teacher["options"] if o["mode"] == "helper")
    assert "% on 8 answers" in helper["reasons"][0]["text_teacher"]
    mine, theirs, both = (helper["benefit"][side] for side in ("mine", "theirs", "both"))
    assert both == pytest.approx(2 * mine * theirs / (mine + theirs), abs=1e-3)
    # A teacher's key shows a pupil's view where that is asked for.
    assert school.peers("l01", k=10, audience="learner")["options"][0]["benefit"] is None


def test_a_pupil_is_told_of_few_who_know_something_and_of_the_same_all_day(school: School) -> None:
    knows = [x for i, x in enumerate(CLASS) if i % 3 == 0 and x not in (OPTED_OUT, NEWCOMER)]
    wishes: dict[str, Any] = {"modes": ["helper", "study_partner"], "topic": "frac-1", "k": 20}

    def told(scopes: str | None = "recommend", **more: Any) -> list[str]:
        options = school.peers("l01", scopes=scopes, **wishes, **more)["options"]
        return sorted(o["learner_id"] for o in options if o["mode"] != "new_people")

    assert set(told(scopes=None)) == set(knows)
    few = told()
    assert (len(few), set(few) <= set(knows)) == (3, True)
    assert told(scopes=None, audience="learner") == few
    # Without a topic nobody else comes to light, nor by saying no to each, nor by being helped by others.
    options = school.peers("l01", scopes="recommend", k=20)["options"]
    known = {o["learner_id"] for o in options if o["mode"] != "new_people" and o["topic"] == "frac-1"}
    assert known <= set(few)
    for n, x in enumerate(few):
        school.tell({"event_id": f"h-{n}", "kind": "helped", "learner_id": x, "with_learner_ids": ["l02"]})
    assert told() == few
    # Who is said no to goes at once, and nobody comes in their place that day.
    for n, x in enumerate(few):
        school.tell({"event_id": f"no-{n}", "kind": "declined", "learner_id": "l01", "with_learner_ids": [x]})
        assert told() == few[n + 1 :]
    # The next day it is others' turn.
    school.clock.now += timedelta(days=1)
    assert told()
    assert not set(told()) & set(few)


def test_a_helper_who_is_declined_makes_room_for_the_next_at_once(school: School) -> None:
    def helpers() -> list[str]:
        options = school.peers("l01", scopes="recommend", modes=["helper"], topic="frac-1")["options"]
        return [o["learner_id"] for o in options if o["mode"] == "helper"]

    first, *others = helpers()
    assert len(others) == 2
    school.tell({"event_id": "no", "kind": "declined", "learner_id": "l01", "with_learner_ids": [first]})
    assert helpers() == others
    assert first not in [o["learner_id"] for o in school.peers("l01", k=20)["options"]]
    # Who said it may take it back; the other knows nothing of it.
    assert "l01" in [o["learner_id"] for o in school.peers(first, k=20)["options"]]
    school.tell({"event_id": "back", "kind": "voided", "learner_id": "l01", "voids": "no"})
    assert helpers() == [first, *others]


def test_what_two_share_is_said_in_words(school: School) -> None:
    for x in ("l01", "l02"):
        school.app.put(f"/v1/learners/{x}/preferences", json={"formats": ["project", "comic"]}).raise_for_status()
        school.app.put(f"/v1/learners/{x}/goal", json={"skills": ["dec-1"]}).raise_for_status()
    [told] = school.peers("l01", modes=["project"])["options"]
    assert (told["learner_id"], told["topic"]) == ("l02", "goal:dec-1")
    words = "are working towards dec-1 and like what is made as “comic” and projects"
    assert told["reasons"][0]["text_learner"] == f"Both of you {words}: make something of it together."
    assert told["reasons"][0]["text_teacher"].startswith(f"Both {words}; they share 100%")


def test_to_a_pupil_somebody_new_is_about_the_same_topic_whoever_it_is(school: School) -> None:
    asked: dict[str, Any] = {"modes": ["new_people"], "topic": "frac-1", "k": 20}
    assert {o["topic"] for o in school.peers("l01", scopes="recommend", **asked)["options"]} == {"frac-1"}
    # A teacher reads for whom it fits.
    assert {o["topic"] for o in school.peers("l01", **asked)["options"]} == {"frac-1", None}
    del asked["topic"]
    assert len({o["topic"] for o in school.peers("l01", scopes="recommend", **asked)["options"]}) == 1


def test_what_comes_in_place_of_a_mode_nobody_fits_is_said(school: School) -> None:
    told = school.peers("l01", modes=["project"], topic="project")
    assert [o["mode"] for o in told["options"]] == ["new_people"] * 3
    assert told["message"] == (
        "Nobody fits for a project right now, so here is somebody new to work with, though not on the topic that was "
        "asked for."
    )
    both = school.peers(NEWCOMER, modes=["study_partner", "project"], k=1)
    assert (
        both["message"]
        == "Nobody fits as a study partner or for a project right now, so here is somebody new to work with."
    )
    # As asked, or nothing asked: nothing to say.
    assert school.peers("l01", modes=["helper", "project"], topic="frac-1")["message"] is None
    assert school.peers(NEWCOMER)["message"] is None


def test_a_time_of_helping_is_one_learner_on_one_day_and_the_words_count_the_same(school: School) -> None:
    wishes: dict[str, Any] = {"modes": ["helper"], "topic": "frac-1", "k": 20}

    def words(of: str) -> str:
        options = school.peers("l01", **wishes)["options"]
        return next(
            (o["reasons"][0]["text_teacher"] for o in options if (o["learner_id"], o["mode"]) == (of, "helper")), ""
        )

    def help_(n: int, whom: str) -> str:
        school.tell({"event_id": f"h{n}", "kind": "helped", "learner_id": "l06", "with_learner_ids": [whom]})
        return words("l06").rpartition(". ")[2]

    assert words("l06").endswith("Helped 0 of 3 times this week.")
    assert [help_(n, "l02") for n in range(3)] == ["Helped 1 of 3 times this week."] * 3
    assert help_(3, "l04") == "Helped 2 of 3 times this week."
    school.clock.now += timedelta(days=1)
    assert help_(4, "l02") == ""
    school.clock.now += timedelta(days=6)
    assert words("l06").endswith("Helped 1 of 3 times this week.")


def test_why_two_are_kept_apart_is_in_no_answer(school: School) -> None:
    told = [school.app.post("/v1/collaborators", json={"learner_id": x, "k": 20}).text for x in ("l03", "l07")]
    told.append(school.groups().text)
    told.append(school.groups(rules=[{"verb": "keep_together", "learners": ["l03", "l07"]}]).text)
    assert not any("private" in text or "ms-t" in text for text in told)
    assert '"learner_id":"l07"' not in told[0]


def test_nobody_helps_more_often_than_a_rule_allows(school: School) -> None:
    wishes = {"modes": ["helper"], "topic": "frac-1", "k": 20}
    helpers = [o["learner_id"] for o in school.peers("l01", **wishes)["options"] if o["mode"] == "helper"]
    assert helpers
    school.save({"id": "two", "verb": "helper_limit", "value": 1, "what": {"learners": [helpers[0]]}, "scope": {}})
    school.tell({"event_id": "h", "kind": "helped", "learner_id": helpers[0], "with_learner_ids": ["l02"]})
    left = [o["learner_id"] for o in school.peers("l01", **wishes)["options"] if o["mode"] == "helper"]
    assert sorted(left) == sorted(helpers[1:])


def test_the_class_is_the_limit_and_the_school_asks_for_a_key_and_close_grades(school: School) -> None:
    for x, grade in (("near", 8), ("far", 11)):
        school.app.put(f"/v1/learners/{x}", json={"classes": [x], "features": [f"grade:{grade}"]})
    school.app.put("/v1/learners/l01", json={"classes": ["7b"], "features": ["grade:7"]})
    assert {o["learner_id"] for o in school.peers("l01", k=20)["options"]} <= set(CLASS)
    everybody = {o["learner_id"] for o in school.peers("near", k=20, scope="school")["options"]}
    assert everybody == {"l01"}
    key = key_for(school.data, "recommend")
    body = {"learner_id": "l01", "scope": "school"}
    refused = school.app.post("/v1/collaborators", json=body, headers={"Authorization": f"Bearer {key}"})
    assert (refused.status_code, "read" in refused.json()["detail"]) == (403, True)


def test_who_is_left_alone_is_told_the_teacher_alone(school: School) -> None:
    events = [
        {"event_id": f"c{i}", "kind": "collaborated", "learner_id": CLASS[i], "with_learner_ids": [CLASS[i + 1]]}
        for i in range(0, 26, 2)
    ]
    school.tell(*events)
    assert [f["code"] for f in school.peers(NEWCOMER)["flags"]] == ["alone"]
    assert school.peers("l01")["flags"] == []
    assert school.peers(NEWCOMER, scopes="recommend")["flags"] == []


def test_who_is_alone_by_their_own_choice_is_told_apart(school: School) -> None:
    events = [
        {"event_id": f"c{i}", "kind": "collaborated", "learner_id": CLASS[i], "with_learner_ids": [CLASS[i + 1]]}
        for i in range(0, 26, 2)
        if OPTED_OUT not in CLASS[i : i + 2]
    ]
    school.tell(*events)
    told = school.app.get("/v1/groups", params={"class_id": "7b"}).json()
    assert (told["alone"], told["alone_by_choice"]) == (["l15", "l26", NEWCOMER], [OPTED_OUT])
    assert [f["code"] for f in school.peers(OPTED_OUT)["flags"]] == ["opted_out"]


def test_a_newcomer_and_somebody_nobody_told_of_get_somebody(school: School) -> None:
    assert school.peers(NEWCOMER, k=3)["options"]
    assert school.peers("brand-new", class_id="7b", k=3)["options"]
    alone = school.peers("no-class")
    assert (alone["options"], alone["message"] is not None) == ([], True)


def test_rules_that_cannot_all_hold_are_named_by_place_and_id(school: School) -> None:
    told = school.groups(
        rules=[{"verb": "balance", "by": "x"}, {"verb": "keep_together", "learners": ["l03", "l07"]}],
        columns={"x": dict.fromkeys(CLASS, "1")},
    )
    assert told.status_code == 409
    assert told.json()["conflict"] == {"rules": [1], "rule_ids": ["apart"], "locked": []}
    assert "rules[1] (keep_together)" in told.json()["detail"]
    school.save({"id": "big", "verb": "group_size", "value": "6-7", "scope": {}})
    assert school.groups().json()["conflict"]["rule_ids"] == ["big"]
    sizes = {len(g["learner_ids"]) for g in school.groups(size=None).json()["proposals"][0]["groups"]}
    assert sizes <= {6, 7}


def test_several_proposals_are_given_where_the_first_is_already_perfect(school: School) -> None:
    told = school.groups(mode="random", proposals=3).json()
    parts = {frozenset(frozenset(g["learner_ids"]) for g in one["groups"]) for one in told["proposals"]}
    assert (len(parts), told["notes"]) == (3, [])
    few = school.groups(mode="random", proposals=3, absent=CLASS[3:]).json()
    assert len(few["proposals"]) == 1
    assert "only one grouping keeps the hard rules" in few["notes"][-1]


def test_keeping_company_is_asked_of_those_who_are_there(school: School) -> None:
    company = ["l03", "l11", "l19"]
    school.save({"id": "newcomers", "verb": "no_one_alone", "what": {"learners": company}, "strength": "hard"})
    told = school.groups(absent=company[:2])
    assert told.status_code == 200, told.text
    assert told.json()["notes"] == [
        "a rule of the school (no_one_alone) is silent today: fewer than two of the learners named are grouped"
    ]
    two = school.groups(absent=company[:1]).json()
    assert two["notes"] == []
    where = [g["group"] for g in two["proposals"][0]["groups"] for x in g["learner_ids"] if x in company]
    assert len(set(where)) == 1


def test_a_size_that_leaves_no_room_for_a_rule_is_named(school: School) -> None:
    told = school.groups(size=100)
    assert told.status_code == 409
    assert told.json()["conflict"]["rule_ids"] == ["apart"]
    said = told.json()["detail"]
    assert "in groups of 100 (which makes one group)" in said
    assert "or choose another size" in said
    # Where no size would do, none is blamed.
    both = school.groups(rules=[{"verb": "keep_together", "learners": ["l03", "l07"]}]).json()["detail"]
    assert "size" not in both
    assert "groups of" not in both


def test_a_size_for_the_whole_class_is_noted(school: School) -> None:
    told = school.groups(size=40, absent=["l03"], proposals=1).json()
    assert told["notes"] == ["size 40 is more than the 26 learners there are, who make one group"]


def test_errors_speak_of_what_was_sent(school: School) -> None:
    school.save({"id": "newcomers", "verb": "no_one_alone", "what": {"learners": ["l03", "l11"]}, "strength": "hard"})
    none = school.groups(rules=[{"verb": "balance", "by": "gpa"}]).json()["detail"]
    assert "the request has not: add it to columns" in none
    text = school.groups(
        rules=[{"verb": "balance", "by": "gpa"}, {"verb": "keep_apart", "learners": ["l01", "zoe"]}],
        columns={"gpa": {"l03": "good", "l04": "3.1"}},
    ).json()["detail"]
    assert "rules[0] (balance): 1 of the learners has no number in the column gpa" in text
    assert "rules[1] (keep_apart) names a learner who is not in this class" in text
    assert not any(word in none + text for word in ("roster", "_company", "zoe", "l03"))


def test_all_mistakes_of_a_request_are_told_in_one_round(school: School) -> None:
    rules = [
        {"verb": "balence", "by": "gpa"},
        {"verb": "balance", "by": "gpa"},
        {"verb": "keep_apart", "learners": ["l01", "zoe"]},
        *({"verb": "keep_apart", "learners": ["l01"]} for _ in range(8)),
    ]
    told = school.groups(rules=rules, size="many").json()["detail"]
    assert all(f"rules[{n}] (" in told for n in range(11))
    assert "size is not understood" in told
    assert "more" not in told


def test_numbers_in_columns_are_taken_as_they_are(school: School) -> None:
    gpa = {x: (1.5 if i % 2 else 3) for i, x in enumerate(CLASS)} | {"l05": None, "l06": "2,5"}
    told = school.groups(columns={"gpa": gpa}, rules=[{"verb": "balance", "by": "gpa"}])
    assert told.status_code == 200, told.text
    assert school.groups(columns={"gpa": {"l01": True}}).status_code == 422


def test_who_is_to_stay_in_a_group_that_there_is_not_is_told_how_many_there_are(school: School) -> None:
    told = school.groups(locked=[{"learner_ids": ["l01"], "group": 6}, {"learner_ids": ["l02"], "group": 99}])
    assert told.status_code == 422
    assert told.json()["detail"] == (
        "locked[1] names group 99, but 27 learners in groups of 4 make fewer: there are only 6 groups; name one of them"
    )
    rules = [{"verb": "lock", "learners": ["l01"], "group": 2}]
    alone = school.groups(rules=rules, size=20).json()["detail"]
    assert alone.startswith(
        "rules[0] (lock) names group 2, but 27 learners in groups of 20 make fewer: there is only one"
    )
    assert school.groups(rules=[rules[0] | {"strength": "soft"}], size=20, absent=["l03"]).status_code == 200


def test_the_rest_is_grouped_again_around_those_who_are_locked(school: School) -> None:
    locked = [{"learner_ids": ["l01", "l02"], "group": 3}, {"learner_ids": ["l05"], "group": 1}]
    for proposal in school.groups(locked=locked).json()["proposals"]:
        groups = {g["group"]: g["learner_ids"] for g in proposal["groups"]}
        assert {"l01", "l02"} <= set(groups[3])
        assert "l05" in groups[1]


def test_what_a_teacher_parts_again_and_again_is_not_proposed_again(school: School) -> None:
    proposed = [["l00", "l01", "l02", "l04"], ["l05", "l06", "l08", "l09"]]
    chosen = [["l05", "l01", "l02", "l04"], ["l00", "l06", "l08", "l09"]]
    for n in range(3):
        body = {"class_id": "7b", "groups": [{"learner_ids": g} for g in chosen], "proposed": proposed}
        school.app.put(f"/v1/groups/g{n}", json=body)
        school.clock.now += timedelta(days=7)
    rules = school.groups(mode="random").json()["proposals"][0]["rules"]
    edits = [rule for rule in rules if rule["origin"] == "edits"]
    assert {rule["verb"] for rule in edits} == {"keep_apart", "keep_together"}
    assert all(rule["strength"] == "soft" for rule in edits)
    assert all(rule["broken"] == 0 for rule in edits if rule["verb"] == "keep_apart")


def test_a_need_stays_together_though_its_pairs_met_last_week_and_says_what_it_is(school: School) -> None:
    for week in range(3):
        told = school.groups(mode="same_need", proposals=1, seconds=1.0, absent=CLASS[24:]).json()
        [proposal] = told["proposals"]
        [mode] = [rule for rule in proposal["rules"] if rule["origin"] == "mode"]
        assert (mode["verb"], mode["broken"]) == ("cluster", 0)
        for group in proposal["groups"]:
            n = len(group["learner_ids"])
            assert group["skills"][0] == group["in_common"]
            assert group["text_teacher"] == f"{n} of {n} need {group['in_common']} next."
            assert group["in_common"] in group["task"]["skills"]
            assert group["task"]["artifact"]
            assert group["experts"] == {}
        history = [rule for rule in proposal["rules"] if rule["origin"] == "history"]
        again = [note for note in told["notes"] if "meet again" in note]
        assert (len(history), len(again)) == ((0, 0) if week == 0 else (1, 1))
        if history:
            assert again[0].startswith(f"{history[0]['broken']} pairs meet again")
            assert 0 < history[0]["weight"] * history[0]["of"] < mode["weight"]
        groups = [{"learner_ids": g["learner_ids"]} for g in proposal["groups"]]
        school.app.put(f"/v1/groups/week-{week}", json={"class_id": "7b", "groups": groups})
        school.clock.now += timedelta(days=7)


def test_a_jigsaw_tells_the_teacher_who_is_the_expert_of_what(school: School) -> None:
    for group in school.groups(mode="jigsaw", size=3, proposals=1).json()["proposals"][0]["groups"]:
        assert sorted(group["experts"]) == sorted(group["learner_ids"])
        assert set(group["experts"].values()) <= set(SKILLS)
        assert group["text_teacher"].startswith("Each is the expert of a part: ")
    key = {"Authorization": f"Bearer {key_for(school.data, 'recommend')}"}
    assert school.app.post("/v1/groups", json={"class_id": "7b", "mode": "jigsaw"}, headers=key).status_code == 403


def test_those_who_want_the_same_come_together_and_where_nobody_told_it_is_said(school: School) -> None:
    asked: dict[str, Any] = {"mode": "interest", "proposals": 1}
    [note] = school.groups(**asked).json()["notes"]
    assert note == "nobody here wants what somebody else is known to want, so these groups follow the other rules alone"
    wanting = ["l00", "l05", "l11", "l22"]
    for x in wanting:
        school.app.put(f"/v1/learners/{x}/preferences", json={"formats": ["project"]})
    told = school.groups(**asked).json()
    [group] = [g for g in told["proposals"][0]["groups"] if g["in_common"]]
    assert set(wanting) <= set(group["learner_ids"])
    assert (group["in_common"], group["task"]["format"]) == ("format:project", "project")
    assert told["notes"] == [
        "23 of the 27 want nothing that others want, as far as is known: they are where there was room"
    ]


def test_the_same_request_gives_the_same_groups(school: School) -> None:
    one, two = (school.groups(seed=5).json()["proposals"] for _ in range(2))
    assert [p["groups"] for p in one] == [p["groups"] for p in two]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"rules": [{"verb": "keep_apart", "learners": ["l01", "nobody"]}]}, "a learner who is not in this class"),
        ({"rules": [{"verb": "balance", "by": "gpa"}]}, "gpa"),
        ({"rules": [{"verb": "avoid_repeat", "file": "x.csv"}]}, "file"),
        ({"size": "many"}, "size"),
        ({"locked": [{"learner_ids": ["nobody"], "group": 1}]}, "locked[0]"),
        ({"columns": {"_strength": {}}}, "columns"),
        ({"absent": CLASS}, "nobody"),
    ],
)
def test_a_slip_is_answered_in_words(school: School, body: dict[str, Any], word: str) -> None:
    told = school.groups(**body)
    assert told.status_code == 422
    assert word in told.json()["detail"]


def test_a_kept_answer_of_a_teachers_key_is_not_shown_to_another(school: School) -> None:
    body, headers = {"learner_id": "l01"}, {"Idempotency-Key": "same"}
    assert school.app.post("/v1/collaborators", json=body, headers=headers).status_code == 200
    other = {**headers, "Authorization": f"Bearer {key_for(school.data, 'recommend')}"}
    assert school.app.post("/v1/collaborators", json=body, headers=other).status_code == 422
