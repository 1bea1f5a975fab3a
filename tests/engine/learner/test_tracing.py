"""The filter that says whether a skill is known is the plain one, step by step, and right answers speak for knowing."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learner.kernels import BLOCK
from engine.learner.tracing import REMEMBERED, USUAL_TRACING, tracing_from, within_reach

LAWS = st.builds(
    lambda guess, slip, learns, loses: replace(USUAL_TRACING, guess=guess, slip=slip, learns=learns, loses=loses),
    guess=st.floats(0.02, 0.4), slip=st.floats(0.02, 0.4), learns=st.floats(0.0, 0.6), loses=st.floats(0.0, 0.1),
)  # fmt: skip
ANSWERS = st.lists(st.booleans(), max_size=REMEMBERED)


def bits_of(answers):
    recent = 0
    for right in answers:
        recent = recent << 1 | right
    return recent


def known_after(law, answers, prior=0.3, seen=0):
    n, recent = np.array([len(answers)]), np.array([bits_of(answers)])
    return float(law.known(np.array([prior]), n, recent, np.array([seen]))[0])


def plain(law, answers, p):
    for right in answers:
        if right:
            p = p * (1 - law.slip) / (p * (1 - law.slip) + (1 - p) * law.guess)
        else:
            p = p * law.slip / (p * law.slip + (1 - p) * (1 - law.guess))
        p = p * (1 - law.loses) + (1 - p) * law.learns
    return p


@given(law=LAWS, answers=ANSWERS, prior=st.floats(0.02, 0.95))
def test_all_answers_at_once_come_to_what_they_come_to_one_by_one(law, answers, prior):
    assert known_after(law, answers, prior) == pytest.approx(plain(law, answers, prior), abs=1e-9)


@given(law=LAWS, answers=st.lists(st.booleans(), min_size=1, max_size=REMEMBERED), place=st.integers(0, 99))
def test_a_right_answer_in_place_of_a_wrong_one_never_speaks_against_knowing(law, answers, place):
    if law.learns + law.loses > 1.0:
        return
    place %= len(answers)
    right, wrong = ([*answers[:place], value, *answers[place + 1 :]] for value in (True, False))
    assert known_after(law, right) >= known_after(law, wrong) - 1e-12


def test_only_the_last_answers_count_and_exposures_teach_a_little():
    old = [False] * 9 + [True] * REMEMBERED
    assert known_after(USUAL_TRACING, old) == known_after(USUAL_TRACING, old[-REMEMBERED:])
    assert known_after(USUAL_TRACING, [], seen=3) == pytest.approx(1 - 0.7 * 0.85**3)


def test_a_skill_nobody_in_the_log_knew_counts_as_known_after_a_few_right_answers():
    """However unlikely it was before: four right answers in a row are no luck."""
    assert known_after(USUAL_TRACING, [True] * 4, prior=0.02) > 0.85
    assert known_after(USUAL_TRACING, [True, False], prior=0.02) < 0.3


def test_of_a_state_each_skill_has_its_own_answers_and_its_own_prior():
    law = replace(USUAL_TRACING, skill_keys=np.array([5, 9], np.uint64), priors=np.array([0.6, 0.1]))
    blocks = np.zeros(2, BLOCK)
    blocks["key"], blocks["n"], blocks["recent"], blocks["last_i"] = [9, 77], [2, 3], [0b11, 0b111], [4, 3]
    nothing_said = np.full(3, np.nan)
    found, against = law.of_state(np.array([9, 5, 2], np.uint64), blocks, nothing_said, n_events=5)
    np.testing.assert_allclose(found, [plain(law, [True, True], 0.1), 0.6, law.prior])
    assert against[0] < 1
    assert against[1] == against[2] == 1


@given(law=LAWS, answers=ANSWERS, prior=st.floats(0.02, 0.95))
def test_what_speaks_against_a_skill_being_within_reach_is_a_ratio_of_two_stories(law, answers, prior):
    """Reckoned answer by answer: of who never knows it, and of who may know it or learn it."""
    stuck, likely, known = 1.0, 1.0, prior
    for right in answers:
        stuck *= law.guess if right else 1 - law.guess
        of_known = (1 - law.slip) if right else law.slip
        of_unknown = law.guess if right else 1 - law.guess
        this = known * of_known + (1 - known) * of_unknown
        likely *= this
        after = known * of_known / this
        known = after * (1 - law.loses) + (1 - after) * law.learns
    one = [np.array([value]) for value in (prior, len(answers), bits_of(answers), 0)]
    assert law.heard(*one)[1][0] == pytest.approx(stuck / likely, rel=1e-9)


def test_wrong_answers_push_a_skill_out_of_reach_and_right_ones_bring_it_back():
    def reach(readiness, answers):
        one = [np.array([value]) for value in (0.3, len(answers), bits_of(answers), 0)]
        return float(within_reach(np.array([readiness]), USUAL_TRACING.heard(*one)[1])[0])

    wrong = [reach(0.5, [False] * n) for n in range(8)]
    assert all(a > b for a, b in pairwise(wrong))
    assert wrong[0] == 0.5
    right = [reach(0.2, [True] * n) for n in range(5)]
    assert all(a < b for a, b in pairwise(right))
    # Where nothing comes before, nothing is missing.
    assert reach(1.0, [False] * 16) == 1.0


def test_what_is_not_used_fades_to_what_was_usual_before_any_work_and_never_below():
    law = replace(USUAL_TRACING, fades=0.1)
    known, prior = np.array([0.9, 0.9, 0.2]), np.array([0.3, 0.3, 0.3])
    faded = law.faded(known, prior, np.array([0, 10, 10]))
    np.testing.assert_allclose(faded, [0.9, 0.3 + 0.6 * np.exp(-1), 0.2])


def test_the_models_word_counts_while_there_are_few_answers():
    traced, mastery = np.full(3, 0.9), np.full(3, USUAL_TRACING.guess)
    pool = USUAL_TRACING.pooled(traced, np.array([0, 2, 1000]), mastery)
    np.testing.assert_allclose(pool, [0.0, 0.45, 0.9], atol=2e-3)


@given(law=LAWS, answers=ANSWERS, prior=st.floats(0.02, 0.95), mastery=st.floats(0, 1), lost=st.floats(0, 1))
def test_a_wrong_answer_never_raises_what_is_said(law, answers, prior, mastery, lost):
    """The learner model's word does not rise with it either; that is its own law."""

    def said(told, word):
        n, recent, none = np.array([len(told)]), np.array([bits_of(told)]), np.array([0])
        return float(law.said(np.array([prior]), n, recent, none, idle=none, mastery=np.array([word]))[0])

    before = said(answers[:-1], mastery)
    assert said([*answers[:-1], False], mastery * lost) <= before + 1e-12
    # With the next right one it is what the filter and the model say of all answers.
    n, recent = np.array([len(answers)]), np.array([bits_of(answers)])
    whole = law.pooled(law.known(np.array([prior]), n, recent, np.array([0])), n, np.array([mastery]))[0]
    assert said(answers, mastery) <= whole + 1e-12
    if answers and answers[-1]:
        assert said(answers, mastery) == pytest.approx(whole)


def test_a_bundle_carries_it_whole():
    law = replace(USUAL_TRACING, skill_keys=np.array([5, 9], np.uint64), priors=np.array([0.6, 0.1]), guess=0.25)
    again = tracing_from(law.arrays(), law.as_json())
    assert again.as_json() == law.as_json()
    np.testing.assert_array_equal(again.prior_of(np.array([9, 1], np.uint64)), [0.1, law.prior])
