"""Reasons are true: their words match their sign, and relevance counts from what is usual, within what the docs say."""

import re
from collections import Counter, defaultdict
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.decision import Reason
from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.explanations import in_order
from engine.learner.fold import folded
from engine.learner.preferences import Goal
from engine.learner.tracing import MASTERED
from engine.path import path_of
from engine.phrases import PHRASES
from engine.ranking.relevance import FAMILIES
from engine.ranking.weights import ObjectiveWeights
from tests.lessons import NOW, ask, event, practice

# The sign that the words of a phrase of relevance stand for; those of what is new speak neither for nor against.
SIGN = {
    "others_one": 1, "others_few": 1, "others_many": 1, "others_past": -1,
    "course_time_next": 1, "course_time_near": 1, "course_time_other": -1,
    "own_work": 1, "own_work_like": 1, "own_work_more": 1, "own_work_less": -1,
    "features_more": 1, "features_less": -1, "format_fits": 1, "format_unlike": -1,
}  # fmt: skip
NEUTRAL = {"others_new", "others_like", "usual"}


def relevance(option):
    return sum(r.contribution for r in option.reasons if r.code in FAMILIES)


@pytest.mark.parametrize("objective", ["learning", "uptake"])
def test_the_words_of_relevance_match_their_sign_and_every_such_phrase_has_one(lesson, objective):
    said = defaultdict(list)
    for seed in range(6):
        for option in ask(lesson, practice(lesson, seed, n=4 * seed), k=50, objective=objective).slate:
            for reason in option.reasons:
                if reason.code in (*FAMILIES, "usual"):
                    said[reason.phrase].append(reason.contribution)
    assert all(SIGN[phrase] * x >= 0 for phrase in said.keys() - NEUTRAL for x in said[phrase])
    assert {"own_work", "own_work_less", "others_past"} <= said.keys()
    prefixes = ("others_", "course_time_", "own_work", "features_", "format_")
    assert {p for p in PHRASES if p.startswith(prefixes)} <= SIGN.keys() | NEUTRAL


def test_nothing_says_that_it_is_unlike_what_was_worked_on(lesson):
    # What others took up next is no word on likeness: the skill may be the very one that was worked on.
    assert not [name for name, words in PHRASES.items() if "unlike what you worked on" in words.learner]
    for option in ask(lesson, practice(lesson, 1), k=50, candidates=tuple(lesson.catalogue.resource_map.ids)).slate:
        phrases = {r.phrase for r in option.reasons}
        assert not {"again", "others_new"} <= phrases


def test_no_word_of_relevance_claims_a_share_of_learners_and_what_was_counted_is_said_with_its_count(lesson):
    # A weight above 0 goes together with any share, also with none.
    claims = re.compile(
        r"\b(often|usually|mostly|others here are|turn to|take this up (too|more|less))\b", re.IGNORECASE
    )
    told = [words for name, words in PHRASES.items() if name in SIGN.keys() | NEUTRAL]
    assert not [words for words in told if claims.search(f"{words.learner} {words.teacher}")]
    said = Counter()
    for seed in range(1, 5):
        for option in ask(lesson, practice(lesson, seed, n=4 * seed), k=50, objective="uptake").slate:
            for reason in option.reasons:
                said[reason.phrase] += 1
                if reason.phrase == "others_many":
                    assert reason.text_learner == f"{reason.evidence['learners']:.0f} learners here took this up."
                if reason.phrase == "own_work":
                    assert f"{reason.evidence['because_of']} counted most" in reason.text_learner
    assert min(said["others_many"], said["own_work"]) > 0


@pytest.mark.parametrize("goal", [False, True])
def test_relevance_reaches_as_far_as_its_weight_among_all_candidates_and_counts_from_the_usual(lesson, goal):
    weights = ObjectiveWeights()
    most = weights.relevance if goal else weights.relevance_without_goal
    wanted = {"goal": (min(lesson.skill_rows),)} if goal else {}
    some = tuple(lesson.catalogue.resource_map.ids[:40])
    slate = ask(lesson, practice(lesson, 3), k=50, candidates=some, **wanted).slate
    told = np.array([relevance(o) for o in slate])
    assert len(told) == len(some)
    assert np.ptp(told) == pytest.approx(most)
    assert told.mean() == pytest.approx(0.0, abs=1e-9)
    assert not any(r.code == "usual" for o in slate for r in o.reasons)


def test_where_relevance_is_the_score_what_is_alike_for_all_is_told_last(lesson):
    slate = ask(lesson, practice(lesson, 3), k=50, objective="uptake").slate
    usual = {next(r.contribution for r in o.reasons if r.code == "usual") for o in slate}
    assert len(usual) == 1
    for option in slate:
        *first, last = option.reasons
        assert last.code == "usual"
        assert sum(r.contribution for r in option.reasons) == pytest.approx(option.score, abs=1e-9)
        assert "usual" not in {r.code for r in first}


def test_one_learner_is_told_as_one_and_where_they_were_counted(lesson):
    from engine.explanations import _others

    one, four = _others(0.1, 1.0, "course", ""), _others(0.1, 4.0, "school", "")
    assert one.text_learner == "One learner here tried this."
    assert "of the course who took this up by the last training: 1." in one.text_teacher
    assert "of the school" in four.text_teacher
    assert four.text_learner.startswith("A few")
    assert _others(-0.1, 1.0, "course", "").phrase == "others_past"


def test_evidence_holds_every_fact_apart_from_words(lesson):
    done = lesson.catalogue.resource_map.ids[0]
    events = [event(24 * 30, resource_id=done, outcome=1.0), event(24 * 29, resource_id=done, outcome=0.0)]
    every = tuple(lesson.catalogue.resource_map.ids)
    told = {r.phrase: r for o in ask(lesson, events, k=50, candidates=every).slate for r in o.reasons}
    work, review = told["own_work"].evidence, told["review"].evidence
    assert (work["resource_id_1"], work["title_1"]) == (done, lesson.catalogue.title(0))
    assert (review["answers"], review["right"], review["of"]) == (2.0, 1.0, 2.0)
    assert datetime.fromisoformat(str(review["last_at"])) == events[1].at
    assert set(told["information"].evidence) == {"p_success"}


WEIGHTS = st.one_of(st.sampled_from([0.0, -0.0, 0.5, -0.5]), st.floats(-9, 9))


@given(told=st.lists(st.tuples(st.sampled_from(["gain", "challenge", "voice", "usual"]), WEIGHTS) | st.none()))
def test_what_speaks_for_it_leads_by_weight_then_what_speaks_against_it_and_last_what_is_alike_for_all(told):
    given_ = [x and Reason(code=x[0], contribution=x[1], text_learner="", text_teacher="") for x in told]
    ordered = in_order(*given_)
    assert sorted(map(id, ordered)) == sorted(id(r) for r in given_ if r is not None)
    own = [r.contribution for r in ordered if r.code != "usual"]
    assert [r.code == "usual" for r in ordered] == sorted(r.code == "usual" for r in ordered)
    speaks_for = [x for x in own if x >= 0]
    against = [x for x in own if x < 0]
    assert own == speaks_for + against
    assert speaks_for == sorted(speaks_for, reverse=True)
    assert against == sorted(against)


@pytest.mark.parametrize("objective", ["learning", "uptake"])
def test_no_option_leads_with_what_speaks_against_it_where_anything_speaks_for_it(lesson, objective):
    for seed in range(4):
        for option in ask(lesson, practice(lesson, seed, n=6 * seed), k=50, objective=objective).slate:
            first = option.reasons[0].contribution
            assert first >= 0 or all(r.contribution < 0 for r in option.reasons)
            assert sum(r.contribution for r in option.reasons) == pytest.approx(option.score, abs=1e-6)


def test_what_comes_before_its_time_and_what_is_mastered_are_called_so(lesson):
    menu, said = lesson.teaching.menu, defaultdict(int)
    for seed in range(12):
        events = practice(lesson, seed, n=10)
        aims = tuple(sorted(lesson.skill_rows)[seed::5])
        for option in ask(lesson, events, goal=aims, k=50).slate:
            for told in option.reasons:
                if not told.phrase.startswith(("gain", "practice")) or told.phrase == "gain_lost":
                    continue
                facts, skill = told.evidence, menu.number[told.evidence["skill_id"]]
                said[told.phrase] += 1
                assert (told.code == "practice") == (told.phrase == "practice")
                if told.phrase == "practice":
                    assert facts["known"] >= MASTERED
                    assert "mastered" in told.text_learner
                elif told.phrase.endswith("_early"):
                    assert menu.number[facts["before_id"]] in menu.needed_by(skill)
                    assert "is not mastered yet" in told.text_learner
                    assert 0.0 <= facts["reach"] <= 1.0
    assert {"gain", "gain_early"} <= said.keys()


def test_what_the_path_calls_waiting_or_within_reach_a_slate_shows_with_its_reason(lesson):
    skills, seen = sorted(lesson.skill_rows), set()
    for seed in range(12):
        events, aims = practice(lesson, seed, n=10), tuple(skills[seed::5])
        state = folded(events, lesson.learner, lesson.offer)
        history = history_of(events, lesson.catalogue.resource_map)
        query = query_with("lena", learner=None, history=history, classes={}, now=NOW)
        path = path_of(Goal(skills=aims), state, events, lesson, query=query)
        of_skill = {s.skill_id: s for s in path.steps}
        for option in ask(lesson, events, goal=aims, k=50).slate:
            for told in option.reasons:
                step = of_skill.get(told.evidence.get("skill_id"))
                if told.code == "gain" and told.phrase != "gain_lost" and step is not None:
                    seen.add(step.status)
                    assert bool(step.waits_for) == told.phrase.endswith("_early")
                    assert not step.waits_for or told.evidence["before_id"] in step.waits_for
    assert seen & {"waiting", "within_reach"}
