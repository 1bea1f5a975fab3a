"""A school day under rules, in a teacher's words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.domain.history import History, microseconds
from engine.rules.admission import added_by_rules, admitted
from engine.rules.compiled import book_of
from engine.rules.outcome import Ranked, Situation
from engine.rules.scope import Who
from engine.rules.stage import decided

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
ANNA = Who(learner_id="anna", class_ids=("7b",))


@pytest.fixture
def answer(contents, nothing_done):
    def ask(rules, *, who=ANNA, now=NOW, k=3, p=None, history=nothing_done, seen=(), zone="UTC", unready=(), **day):
        plan = book_of(rules, contents, zone=ZoneInfo(zone)).plan(who, microseconds(now))
        offered = np.array([r is not None for r in contents.resources])
        candidates = offered.copy()
        candidates[[contents.resource_map.row(x) for x in seen]] = False
        admission = admitted(plan, candidates, offered=offered, history=history)
        ids = [contents.resource_map.ids[row] for row in admission.rows]
        added = added_by_rules(admission, 1.0)
        scores = added - admission.rows * 0.1
        order = np.argsort(-scores, kind="stable")
        resources = [contents.resources[row] for row in admission.rows]
        ranked = Ranked(
            order=order[admission.own[order]],
            p=np.array([(p or {}).get(x, np.nan) for x in ids]),
            minutes=np.array([r.minutes for r in resources]),
            added=added,
            unready=np.array([x in unready for x in ids]),
        )
        outcome = decided(admission, ranked, Situation(**day), k=k)
        return [ids[p.position] for p in outcome.slate], {v.rule_id: v for v in outcome.verdicts}, outcome

    return ask


def test_without_rules_the_order_stands(answer):
    slate, verdicts, outcome = answer([])
    assert slate == ["bridge", "frac-sheet", "frac-video"]
    assert (verdicts, outcome.conflict, outcome.message) == ({}, (), None)
    assert {p.origin for p in outcome.slate} == {"model"}


def test_fractions_come_first_until_they_are_mastered(answer, rule):
    rules = [rule("first", "require_first", skills=["frac-1"], scope={"class_id": "7b"})]
    slate, verdicts, _ = answer(rules, mastery={"frac-1": 0.4})
    assert slate == ["frac-sheet", "frac-video", "bridge"]
    assert verdicts["first"].held
    assert verdicts["first"].effect == "put first 2 of 3"
    assert answer(rules, mastery={"frac-1": 0.9})[1] == {}
    assert answer(rules, who=Who(learner_id="ben", class_ids=("8a",)), mastery={})[1] == {}


def test_a_teacher_who_knows_better_sets_mastery(answer, rule):
    rules = [
        rule("first", "require_first", skills=["frac-1"]),
        rule("oral", "set_mastery", value=0.9, skills=["frac-1"]),
    ]
    slate, verdicts, _ = answer(rules, mastery={"frac-1": 0.2})
    assert slate[0] == "bridge"
    assert "90%" in verdicts["oral"].effect


def test_of_two_values_the_one_changed_last_counts(answer, rule):
    first = rule("first", "require_first", skills=["frac-1"])
    old = replace(rule("z", "set_mastery", value=0.9, skills=["frac-1"]), updated_at="2026-11-01T08:00:00+00:00")
    new = replace(rule("a", "set_mastery", value=0.1, skills=["frac-1"]), updated_at="2026-11-02T08:00:00+00:00")
    slate, verdicts, _ = answer([first, old, new])
    assert slate[0] == "frac-sheet"
    assert set(verdicts) == {"first", "a"}


def test_a_cap_on_minutes_lets_in_what_fits_and_closes_when_they_are_used_up(answer, rule):
    cap = [rule("cap", "cap_minutes", value={"day": 30})]
    assert answer(cap, spent_today=15.0)[0] == ["frac-video", "old", "ratio-video"]
    slate, verdicts, outcome = answer(cap, spent_today=30.0)
    assert slate == []
    assert verdicts["cap"].held
    assert "0 minutes left today" in verdicts["cap"].effect
    assert outcome.conflict == ("cap",)
    assert "leave nothing to show" in outcome.message


def test_a_pin_leads_although_it_was_seen_and_is_gone_when_it_is_undone(answer, rule):
    pin = rule("pin", "pin", resources=["old"])
    slate, verdicts, outcome = answer([pin], seen=["old"])
    assert slate == ["old", "bridge", "frac-sheet"]
    assert (outcome.slate[0].origin, outcome.slate[0].status, outcome.slate[0].rule_ids) == (
        "teacher",
        "required",
        ("pin",),
    )
    assert verdicts["pin"].effect == "put in first: “An old text”"
    at_noon = rule("pin", "pin", resources=["old"], until="2026-11-25T12:00")
    assert answer([at_noon], seen=["old"], now=NOW)[0][0] == "old"
    assert "old" not in answer([at_noon], seen=["old"], now=NOW + timedelta(hours=3))[0]
    assert answer([at_noon], seen=["old"], now=NOW + timedelta(hours=2), zone="Europe/Zurich")[0][0] == "bridge"


def test_assigned_work_stands_after_pins_until_it_is_done(answer, rule, contents):
    rules = [
        rule("work", "assign", resources=["frac-sheet"], value={"due": "2026-11-27"}, starts="2026-11-24"),
        rule("pin", "pin", resources=["old"]),
    ]
    slate, _, outcome = answer(rules)
    assert slate[:2] == ["old", "frac-sheet"]
    assert (outcome.slate[1].status, outcome.slate[1].due) == ("assigned", "2026-11-27")
    row = contents.resource_map.row("frac-sheet")

    def took_up(at):
        return History(np.array([row], np.int32), np.array([microseconds(at)], np.int64))

    before, after = NOW - timedelta(days=3), NOW - timedelta(hours=1)
    assert answer(rules, history=took_up(before))[0][1] == "frac-sheet"
    slate, verdicts, _ = answer(rules, history=took_up(after), seen=["frac-sheet"])
    assert "frac-sheet" not in slate
    assert "work" not in verdicts


def test_what_a_class_hides_no_rule_of_a_learner_opens(answer, rule):
    rules = [
        rule("class", "hide", formats=["project"], scope={"class_id": "7b"}),
        rule("own", "hide", formats=["reading"], scope={"learner_id": "anna"}),
    ]
    slate, verdicts, _ = answer(rules, k=6)
    assert set(slate) == {"frac-sheet", "frac-video", "ratio-sheet", "ratio-video"}
    assert verdicts["class"].effect == "took out 1 resource"


def test_the_narrower_band_wins_and_unknown_chances_pass_and_are_told(answer, rule):
    rules = [
        rule("wide", "success_band", value=[0.8, 1]),
        rule("own", "success_band", value=[0.1, 0.5], scope={"learner_id": "anna"}),
    ]
    p = {"bridge": 0.4, "frac-sheet": 0.9, "frac-video": 0.45}
    slate, verdicts, _ = answer(rules, p=p)
    assert slate == ["bridge", "frac-video", "old"]
    assert "wide" not in verdicts
    assert verdicts["own"].effect == "took out 1 resource; of 1 shown the chance of success is not known"


def test_a_hard_rule_counts_over_a_narrower_wish(answer, rule):
    rules = [
        rule("school", "success_band", value=[0.8, 1]),
        rule("wish", "success_band", value=[0, 0.5], scope={"learner_id": "anna"}, strength="soft"),
    ]
    assert answer(rules, p={"bridge": 0.4, "frac-sheet": 0.9})[0][0] == "frac-sheet"


def test_pins_that_a_rule_forbids_are_not_shown_and_the_smallest_conflict_is_named(answer, rule):
    rules = [
        rule("pin", "pin", resources=["old"]),
        rule("work", "assign", resources=["frac-sheet"]),
        rule("no-drafts", "hide", tags=["draft"]),
        rule("no-projects", "hide", formats=["project"]),
    ]
    slate, verdicts, outcome = answer(rules)
    assert slate == ["frac-sheet"]
    assert outcome.conflict == ("no-drafts", "pin")
    assert "hide tag draft" in outcome.message
    assert "An old text" in outcome.message
    assert not verdicts["pin"].held
    assert verdicts["no-drafts"].held
    assert verdicts["work"].held


def test_a_pin_that_is_not_on_offer_spoils_nothing_else(answer, rule):
    slate, verdicts, outcome = answer([rule("pin", "pin", resources=["withdrawn", "old"])])
    assert slate == ["old", "bridge", "frac-sheet"]
    assert not verdicts["pin"].held
    assert "1 resource not on offer now" in verdicts["pin"].effect
    assert outcome.conflict == ()


def test_quotas_keep_places_and_close_formats(answer, rule):
    rules = [rule("mix", "formats", value={"min": {"reading": 1}, "max": {"exercise": 1}})]
    slate, verdicts, _ = answer(rules, k=3)
    assert slate == ["bridge", "frac-sheet", "old"]
    assert verdicts["mix"].effect == "1 reading of at least 1, 1 exercise of at most 1"
    assert answer(rules, k=3, seen=["old"])[1]["mix"].held


def test_a_frozen_path_leaves_the_path_and_what_a_teacher_put_in(answer, rule, contents):
    rules = [rule("hold", "freeze_path"), rule("pin", "pin", resources=["old"])]
    on_path = frozenset([contents.resource_map.row("ratio-video")])
    assert answer(rules, frozen=on_path)[0] == ["old", "ratio-video"]
    assert answer(rules)[0] == ["old"]
    assert answer([rule("hold", "freeze_path", skills=["ratios"])])[0] == ["bridge", "ratio-sheet", "ratio-video"]


def test_a_waiver_lets_in_what_would_wait(answer, rule):
    unready = ("bridge", "ratio-sheet")
    assert "bridge" not in answer([], unready=unready, k=6)[0]
    slate, verdicts, _ = answer([rule("jump", "waive_prerequisite", resources=["bridge"])], unready=unready, k=6)
    assert "bridge" in slate
    assert "ratio-sheet" not in slate
    assert verdicts["jump"].effect == "let in 1 resource that would wait"


def test_boosts_move_and_say_so(answer, rule):
    rules = [rule("more", "boost", value=2, formats=["reading"]), rule("less", "demote", value=2, formats=["project"])]
    slate, verdicts, _ = answer(rules, k=6)
    assert (slate[0], slate[-1]) == ("old", "bridge")
    assert verdicts["more"].effect == "raised 1 resource, 1 of them shown"
    assert verdicts["less"].held


def test_wishes_only_put_last(answer, rule):
    slate, verdicts, _ = answer([rule("rather-not", "hide", formats=["project"], strength="soft")], k=6)
    assert slate[-1] == "bridge"
    assert not verdicts["rather-not"].held
    assert "shown for want of others" in verdicts["rather-not"].effect
    assert answer([rule("rather-not", "hide", formats=["project"], strength="soft")], k=3)[1]["rather-not"].held


def test_effects_name_no_learner(answer, rule):
    rules = [
        rule("a", "pin", resources=["old"], scope={"learner_id": "anna"}),
        rule("b", "hide", tags=["draft"], scope={"learner_id": "anna"}),
    ]
    _, verdicts, outcome = answer(rules)
    assert "anna" not in outcome.message + "".join(v.effect for v in verdicts.values())
