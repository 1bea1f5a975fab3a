"""What is wrong with a rule is told when it is written, with the fewest rules it takes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.domain.history import microseconds
from engine.rules.desk import problems_with
from engine.rules.problems import Desk
from engine.rules.scope import Who

NOW = microseconds(datetime(2026, 11, 25, 9, tzinfo=UTC))
CLASS = {"class_id": "7b"}
ROSTER = tuple(Who(learner_id=x, class_ids=("7b",), group_ids=g) for x, g in
               [("anna", ("g1",)), ("ben", ("g1",)), ("cleo", ("g2",)), ("dan", ())])  # fmt: skip


@pytest.fixture
def check(contents):
    def asked(new, others=(), **more):
        desk = Desk(contents=contents, roster=ROSTER, zone=ZoneInfo("UTC"), now_us=NOW, **more)
        return problems_with(new, others, desk)

    return asked


def kinds(problems):
    return {(p.kind, p.refuses, p.rule_ids) for p in problems}


def test_a_rule_in_peace_with_the_others_has_no_problem(check, rule):
    others = [rule("a", "hide", tags=["draft"]), rule("b", "formats", value={"max": {"video": 2}})]
    assert check(rule("c", "require_first", skills=["frac-1"], scope=CLASS), others) == ()


@pytest.mark.parametrize(
    ("new", "other", "kind"),
    [
        (("pin", {"resources": ["old"]}), ("hide", {"tags": ["draft"]}), "put_in_and_taken_out"),
        (("hide", {"skills": ["ratios"]}), ("assign", {"resources": ["bridge"]}), "put_in_and_taken_out"),
        (("only", {"formats": ["video"]}), ("pin", {"resources": ["old"]}), "put_in_and_taken_out"),
        (("cap_minutes", {"value": {"day": 30}}), ("pin", {"resources": ["bridge"]}), "longer_than_allowed"),
        (("only", {"formats": ["video"]}), ("only", {"tags": ["draft"]}), "nothing_left"),
        (("freeze_path", {"skills": ["ratios"]}), ("hide", {"skills": ["ratios"]}), "nothing_left"),
        (("hide", {"formats": ["project"]}), ("formats", {"value": {"min": {"project": 1}}}), "nothing_left_of_it"),
        (("require_first", {"skills": ["frac-1"]}), ("hide", {"skills": ["frac-1"]}), "nothing_left_of_it"),
        (("success_band", {"value": [0.1, 0.4]}), ("success_band", {"value": [0.5, 0.9]}), "bands_apart"),
        (("pace_bounds", {"value": {"floor": 90}}), ("cap_minutes", {"value": {"week": 60}}), "pace_above_limit"),
        (
            ("set_mastery", {"skills": ["ratios"], "value": 1}),
            ("set_mastery", {"skills": ["ratios"], "value": 0}),
            "two_values",
        ),
        (
            ("formats", {"value": {"min": {"video": 2}}}),
            ("formats", {"value": {"max": {"video": 1}}}),
            "least_above_most",
        ),
        (
            ("formats", {"value": {"max": {"video": 1}}}),
            ("pin", {"resources": ["ratio-video", "frac-video"]}),
            "more_pinned_than_allowed",
        ),
        (("keep_apart", {"learners": ["anna", "ben"]}), ("keep_together", {"learners": ["anna", "ben"]}), "no_groups"),
        (("group_size", {"value": 2}), ("keep_together", {"learners": ["anna", "ben", "dan"]}), "no_groups"),
        (("group_size", {"value": "2-3"}), ("group_size", {"value": "4-5"}), "no_groups"),
    ],
)  # fmt: skip
def test_two_rules_that_exclude_each_other_are_both_named_whichever_comes_last(check, rule, new, other, kind):
    one, two = (rule(name, verb, scope=CLASS, **what) for name, (verb, what) in (("b-new", new), ("a-old", other)))
    for first, second in ((one, two), (two, one)):
        found = check(first, [second])
        assert (kind, True, ("a-old", "b-new")) in kinds(found)
        assert all("anna" not in p.words and "“a-old”" in p.words for p in found if p.kind == kind)


def test_rules_of_other_people_or_other_days_do_not_meet(check, rule):
    pin = rule("pin", "pin", resources=["old"], scope={"learner_id": "anna"}, until="2026-11-26")
    assert check(rule("h", "hide", tags=["draft"], scope={"learner_id": "ben"}), [pin]) == ()
    assert check(rule("h", "hide", tags=["draft"], starts="2026-11-27"), [pin]) == ()
    later = check(rule("h", "hide", tags=["draft"], starts="2026-11-26"), [pin])
    assert kinds(later) == {("put_in_and_taken_out", True, ("h", "pin"))}


def test_soft_rules_refuse_nothing(check, rule):
    pin = rule("pin", "pin", resources=["old"])
    assert check(rule("h", "hide", tags=["draft"], strength="soft"), [pin]) == ()


def test_an_earlier_version_of_a_rule_is_not_in_its_way(check, rule):
    assert check(rule("a", "success_band", value=[0.1, 0.2]), [rule("a", "success_band", value=[0.8, 0.9])]) == ()


def test_a_wider_answer_that_comes_to_life_later_is_met(check, rule):
    school = rule("school", "success_band", value=[0.8, 0.9], scope=CLASS)
    own = rule("own", "success_band", value=[0.1, 0.3], scope={"group_id": "g1"}, until="2026-11-26")
    new = rule("new", "success_band", value=[0.2, 0.4], scope=CLASS)
    assert ("bands_apart", True, ("new", "school")) in kinds(check(new, [school, own]))


def test_apart_and_together_by_way_of_others(check, rule):
    others = [
        rule("ab", "keep_together", learners=["anna", "ben"]),
        rule("bc", "keep_together", learners=["ben", "cleo"]),
        rule("cd", "keep_together", learners=["cleo", "dan"]),
    ]
    assert kinds(check(rule("ac", "keep_apart", learners=["anna", "cleo"]), others)) == {
        ("no_groups", True, ("ab", "ac", "bc"))
    }
    assert check(rule("ac", "keep_apart", learners=["anna", "cleo"]), others[:1]) == ()


def test_locks_bind_as_togetherness_does(check, rule):
    locks = [rule("l1", "lock", scope={"group_id": "g1"}), rule("l2", "lock", scope={"group_id": "g2"})]
    assert kinds(check(rule("x", "keep_apart", learners=["anna", "ben"]), locks)) == {("no_groups", True, ("l1", "x"))}
    assert kinds(check(rule("x", "keep_together", learners=["anna", "cleo"]), locks)) == {
        ("no_groups", True, ("l1", "l2", "x"))
    }
    assert check(rule("x", "keep_together", learners=["anna", "ben"]), locks) == ()


def test_a_quarrel_of_others_is_not_laid_at_the_door_of_the_new_rule(check, rule):
    others = [rule("t", "keep_together", learners=["anna", "ben"]), rule("a", "keep_apart", learners=["anna", "ben"])]
    assert check(rule("x", "keep_together", learners=["cleo", "dan"]), others) == ()


def test_a_rule_meets_others_that_quarrel_already(check, rule):
    others = [rule("a", "only", formats=["video"]), rule("b", "only", formats=["exercise"])]
    assert ("nothing_left", True, ("a", "c")) in kinds(check(rule("c", "only", formats=["project"]), others))


def test_names_that_do_not_exist_are_told_and_refused_where_nothing_else_is_named(check, rule):
    assert kinds(check(rule("a", "hide", skills=["algebra"]))) == {("unknown", True, ("a",))}
    some = check(rule("a", "hide", skills=["algebra", "ratios"]))
    assert kinds(some) == {("unknown", False, ("a",))}
    assert "algebra" in some[0].words
    apart = check(rule("a", "keep_apart", learners=["anna", "zoe"]))
    assert kinds(apart) == {("unknown", False, ("a",))}
    assert "zoe" not in apart[0].words
    assert kinds(check(rule("a", "hide", tags=["draft"], scope={"class_id": "9z"}))) == {("nobody", False, ("a",))}
    assert check(rule("a", "hide", skills=["algebra"]), graph={"algebra": ()}) == ()


def test_a_rule_that_is_over_is_refused(check, rule):
    assert kinds(check(rule("a", "hide", tags=["draft"], until="2026-11-24"))) == {("over", True, ("a",))}


def test_a_pin_that_comes_too_early_is_a_warning_with_for_how_many(check, rule):
    told = {"graph": {"ratios": ("frac-1",)}, "mastery": {"anna": {"frac-1": 0.2}, "ben": {"frac-1": 0.9}}}
    pin = rule("pin", "pin", resources=["bridge"], scope=CLASS)
    (found,) = check(pin, **told)
    assert (found.kind, found.refuses) == ("too_early", False)
    assert "frac-1" in found.words
    assert "1 of 4 learners" in found.words
    assert check(pin, [rule("w", "waive_prerequisite", resources=["bridge"])], **told) == ()
    assert check(pin, [rule("m", "set_mastery", value=0.9, skills=["frac-1"])], **told) == ()


def test_a_band_that_leaves_nobody_anything_is_refused_and_one_that_leaves_some_nothing_warns(check, rule, contents):
    band = rule("band", "success_band", value=[0.6, 0.9], scope=CLASS)
    low, fine = np.full(len(contents), 0.2), np.full(len(contents), 0.7)
    assert kinds(check(band, chances={"anna": low, "ben": low})) == {("band_leaves_nothing", True, ("band",))}
    (some,) = check(band, chances={"anna": low, "ben": fine})
    assert not some.refuses
    assert "1 of 2 learners" in some.words
    assert check(band, chances={"anna": fine, "ben": np.full(len(contents), np.nan)}) == ()


def test_a_misspelt_format_of_a_quota_is_told(check, rule):
    wrong = rule("q", "formats", value={"max": {"vidoe": 1}})
    assert [(p.kind, p.refuses) for p in check(wrong)] == [("unknown", True)]
    partly = rule("q", "formats", value={"max": {"vidoe": 1, "video": 2}})
    assert [(p.kind, p.refuses) for p in check(partly)] == [("unknown", False)]
