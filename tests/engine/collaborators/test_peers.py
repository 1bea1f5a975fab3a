"""Peers for a learner: who may be offered, what both get out of it, and how company is spread."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.collaborators.affinity import USUAL, Affinity, affinity_from, features_of, likely, standing_of
from engine.collaborators.contacts import (
    DAY_US,
    HELPED,
    NO,
    TOGETHER,
    YES,
    Contacts,
    company_of,
    contacts_from,
    contacts_of,
    helper_load,
    joined,
)
from engine.collaborators.crowd import Crowd, Person, abilities_of, crowd_of
from engine.collaborators.discretion import FEW, few_who_know
from engine.collaborators.lots import CLOSE
from engine.collaborators.peer_tasks import peer_tasks, teaching_of
from engine.collaborators.peer_words import reasons_of
from engine.collaborators.peers import MODES, Peer, Wish, harmonic, peers_for
from engine.collaborators.safeguards import USUAL_HELPS, YES_A_DAY, allowed
from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from engine.learner.preferences import Goal, Preferences
from engine.rules.people import Limit, Pair, People

SKILLS = ("a", "b", "c")
NOBODY = People(apart=(), together=(), locks=(), company=(), size=None, helping={}, approval={}, conflict=())
NO_CONTACTS: list[tuple[int, int, int, int, float]] = []
NOW_US = 20_000 * DAY_US


def people(**changes: Any) -> People:
    told = {name: getattr(NOBODY, name) for name in People.__slots__}
    return People(**{**told, **changes})


def crowd(mastery: list[list[float]], **told: list[Any]) -> Crowd:
    """A class of one row of mastery each; `told` are fields of the persons, one for each."""
    m = np.array(mastery, float)
    persons = [
        Person(**{"learner_id": f"l{i}", "class_ids": ("7b",), **{name: values[i] for name, values in told.items()}})
        for i in range(len(m))
    ]
    answers = np.where(np.isnan(m), 0, 9)
    return crowd_of(persons, abilities_of(SKILLS[: m.shape[1]], m, answers, np.ones(m.shape, bool)), {"a": "Fractions"})


def found(
    here: Crowd, row: int = 0, *, rules: People = NOBODY, contacts: Contacts | None = None, **wish: Any
) -> list[Peer]:
    happened = contacts or contacts_from(len(here), NO_CONTACTS)
    may = allowed(here, row, rules, happened, now_us=NOW_US)
    return peers_for(here, row, Wish(**wish), allowed=may, contacts=happened, affinity=USUAL, now_us=NOW_US)


def helps(giver: int, taker: int, n: int, *, days: float = 1.0) -> tuple[int, int, int, int, float]:
    return giver, taker, NOW_US - int(days * DAY_US) - n * 1_000_000, HELPED, float("nan")


def test_a_helper_mastered_what_the_learner_is_ready_for() -> None:
    here = crowd([[0.3, 0.9], [0.95, 0.2], [0.6, 0.95]])
    [first, *_] = found(here, modes=("helper",))
    assert (first.mode, first.row, first.topic) == ("helper", 1, "a")
    assert found(here, modes=("helper",), topic="b")[0].mode == "new_people"


def test_partners_are_each_strong_where_the_other_is_not_and_both_sides_count() -> None:
    here = crowd([[0.3, 0.9, 0.5], [0.9, 0.3, 0.5], [0.9, 0.9, 0.9]])
    [first, *rest] = [p for p in found(here, modes=("study_partner",)) if p.mode == "study_partner"]
    assert (first.row, first.topic, first.in_return, rest) == (1, "a", "b", [])
    assert first.both == pytest.approx(2 * first.mine * first.theirs / (first.mine + first.theirs))


def test_a_project_is_about_what_both_want() -> None:
    wants = [Preferences(formats=f) for f in (("project", "video"), ("reading",), ("project",), ("video", "project"))]
    here = crowd([[0.5]] * 4, preferences=wants)
    told = found(here, modes=("project",), k=5)
    assert [p.row for p in told] == [3, 2]
    assert {p.topic for p in told} <= {"format:project", "format:video"}
    assert {p.row for p in found(here, modes=("project",), topic="video")} == {3}


def test_of_every_mode_the_best_comes_first_and_nobody_twice() -> None:
    wants = [Preferences(formats=("project",))] * 6
    here = crowd([[0.3, 0.9], [0.95, 0.95], [0.8, 0.4], [0.5, 0.5], [0.9, 0.2], [0.4, 0.4]], preferences=wants)
    told = found(here, k=4)
    assert {p.mode for p in told} == set(MODES)
    assert len({p.row for p in told}) == 4


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_safeguard_is_ever_broken_and_who_may_meet_anybody_is_offered_somebody(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 9))
    mastery = data.draw(
        st.lists(st.lists(st.floats(0, 1) | st.just(float("nan")), min_size=3, max_size=3), min_size=n, max_size=n)
    )
    sharing = data.draw(st.lists(st.sampled_from([None, True, False]), min_size=n, max_size=n))
    classes = data.draw(st.lists(st.sampled_from([("7b",), ("8a",), ("7b", "8a"), ()]), min_size=n, max_size=n))
    languages = data.draw(st.lists(st.sampled_from([("de",), ("de-CH",), ("fr",), ()]), min_size=n, max_size=n))
    features = data.draw(
        st.lists(st.sampled_from([("grade:5",), ("grade:6",), ("grade:9",), ()]), min_size=n, max_size=n)
    )
    here = crowd(mastery, sharing=sharing, class_ids=classes, languages=languages, features=features)
    rows = st.integers(0, n - 1)
    apart = data.draw(st.lists(st.tuples(rows, rows).filter(lambda p: p[0] < p[1]), max_size=3))
    rules = people(apart=tuple(Pair(learners=(f"l{a}", f"l{b}"), hard=True, rule_ids=("r",)) for a, b in apart))
    whole, row = data.draw(st.booleans()), data.draw(rows)
    contacts = contacts_from(n, NO_CONTACTS)
    may = allowed(here, row, rules, contacts, now_us=NOW_US, whole_school=whole)
    told = peers_for(here, row, Wish(k=n), allowed=may, contacts=contacts, affinity=USUAL, now_us=NOW_US)

    def fits(j: int) -> bool:
        """Said again, apart from the code."""
        same = bool(set(classes[row]) & set(classes[j]))
        grades = [int(f[0].split(":")[1]) if f else None for f in (features[row], features[j])]
        close = grades[0] == grades[1] or (None not in grades and abs(grades[0] - grades[1]) <= 1)  # type: ignore[operator]
        spoken = [{x[:2] for x in languages[who]} for who in (row, j)]
        speak = not all(spoken) or bool(spoken[0] & spoken[1])
        open_ = sharing[row] is not False and sharing[j] is not False
        kept_apart = (min(row, j), max(row, j)) in apart
        return j != row and open_ and speak and not kept_apart and (same or (whole and close))

    assert {p.row for p in told} == {j for j in range(n) if fits(j)}
    assert (may.why is None) == any(fits(j) for j in range(n))


def test_whoever_helped_often_this_week_is_asked_no_more_to_help() -> None:
    here = crowd([[0.3], [0.95], [0.95]])
    busy = contacts_from(3, [helps(1, 2, n, days=n + 0.5) for n in range(USUAL_HELPS)])
    assert [p.row for p in found(here, contacts=busy, modes=("helper",), k=5)] == [2]
    soft = people(helping={"l1": Limit(low=0, high=1, hard=False, rule_ids=("r",))})
    told = allowed(here, 0, soft, busy, now_us=NOW_US)
    assert (bool(told.may_help[1]), float(told.share[1])) == (True, 0.0)


def test_who_said_yes_to_many_today_waits_until_tomorrow() -> None:
    here = crowd([[0.5]] * 8)
    yes = contacts_from(8, [(0, j, NOW_US - j, YES, float("nan")) for j in range(1, YES_A_DAY + 1)])
    assert allowed(here, 0, NOBODY, yes, now_us=NOW_US).why == "enough_for_today"
    assert allowed(here, 0, NOBODY, yes, now_us=NOW_US + DAY_US).why is None


def test_contact_waits_where_either_side_needs_a_teachers_word() -> None:
    here = crowd([[0.5]] * 3)
    rules = people(approval={"l1": ("r",)})
    told = allowed(here, 0, rules, contacts_from(3, NO_CONTACTS), now_us=NOW_US)
    assert told.waits.tolist() == [False, True, False]
    assert allowed(here, 1, rules, contacts_from(3, NO_CONTACTS), now_us=NOW_US).waits.all()


def test_partners_rotate_and_chances_to_be_asked_even_out() -> None:
    n = 7
    here, contacts, asked = crowd([[0.5]] * n), contacts_from(n, NO_CONTACTS), np.zeros(n, int)
    for week in range(6):
        for i in range(n):
            now = NOW_US + week * 7 * DAY_US + i * 1_000_000
            may = allowed(here, i, NOBODY, contacts, now_us=now)
            [peer] = peers_for(here, i, Wish(k=1), allowed=may, contacts=contacts, affinity=USUAL, now_us=now)
            assert company_of(contacts, i, now)[peer.row] < 1.0
            asked[peer.row] += 1
            contacts = joined(contacts, contacts_from(n, [(peer.row, i, now, HELPED, float("nan"))]))
    assert asked.max() - asked.min() <= 2


def test_what_happened_counts_once_and_not_when_it_was_taken_back() -> None:
    def event(event_id: str, kind: str, *others: str, **more: Any) -> Interaction:
        return Interaction(event_id=event_id, learner_id="l0", kind=kind, source="t", with_learner_ids=others, **more)

    events = [
        event("1", "helped", "l1", "l1", "l0", "elsewhere"),
        event("2", "collaborated", "l2", outcome=0.5),
        event("3", "declined", "l1"),
        event("4", "helped", "l2"),
        event("5", "voided", voids="4"),
        event("6", "viewed", "l2"),
    ]
    told = contacts_of(events, {"l0": 0, "l1": 1, "l2": 2})
    lines = sorted(zip(told.who.tolist(), told.whom.tolist(), told.kind.tolist(), strict=True))
    assert lines == [(0, 1, HELPED), (0, 1, NO), (0, 2, TOGETHER), (2, 0, TOGETHER)]
    assert set(told.at_us.tolist()) == {microseconds(None)}


def test_a_load_is_counted_by_the_day_and_ends_after_a_week() -> None:
    same_day = contacts_from(3, [helps(1, 0, n, days=0.5) for n in range(5)])
    assert helper_load(same_day, NOW_US).tolist() == [0, 1, 0]
    assert helper_load(same_day, NOW_US + 7 * DAY_US).tolist() == [0, 0, 0]
    promised = contacts_from(3, [(0, 1, NOW_US - 5_000_000, YES, float("nan")), helps(1, 0, 1, days=0.0)])
    assert helper_load(promised, NOW_US + 1).tolist() == [0, 1, 0]


def test_who_answered_somebody_is_likelier_to_again_and_who_was_declined_less() -> None:
    answered = contacts_from(4, [helps(2, 0, n, days=3) for n in range(3)])
    assert likely(USUAL, answered, 0, NOW_US).argmax() == 2
    declined = contacts_from(4, [(0, 2, NOW_US - DAY_US, NO, float("nan"))])
    assert likely(USUAL, declined, 0, NOW_US)[1:].argmin() == 1
    went = contacts_from(4, [(0, 1, NOW_US - DAY_US, TOGETHER, 1.0), (0, 2, NOW_US - DAY_US, TOGETHER, 0.0)])
    told = likely(USUAL, went, 0, NOW_US)
    assert told[1] > told[2]


def test_looking_once_for_everybody_says_the_same() -> None:
    rng = np.random.default_rng(0)
    lines = [
        (int(a), int(b), NOW_US - int(t), int(k), float(o))
        for a, b, t, k, o in zip(
            rng.integers(0, 6, 60), rng.integers(0, 6, 60), rng.integers(1, 90 * DAY_US, 60), rng.integers(0, 4, 60),
            rng.random(60), strict=True,
        )
        if a != b
    ]  # fmt: skip
    contacts = contacts_from(6, lines)
    at = standing_of(contacts, NOW_US)
    for row in range(6):
        for asks in (True, False):
            alone = features_of(contacts, row, NOW_US, asks=asks)
            np.testing.assert_array_equal(alone, features_of(contacts, row, NOW_US, asks=asks, standing=at))
        turned = contacts_from(6, [(b, a, t, k, o) for a, b, t, k, o in lines if k == HELPED])
        helped = contacts.of_kind(HELPED)
        # Whom somebody answers is who answers them with all turned round, but for who was active last.
        own, other = features_of(helped, row, NOW_US, asks=False), features_of(turned, row, NOW_US, asks=True)
        np.testing.assert_allclose(np.delete(own, 10, 1), np.delete(other, 10, 1))


def test_weights_come_back_from_a_bundle_and_hold_no_learner() -> None:
    told = USUAL.as_json()
    assert all(isinstance(w, float) for side in told.values() for w in side.values())
    back = affinity_from(told)
    np.testing.assert_array_equal(back.asks, USUAL.asks)
    assert affinity_from(None) is USUAL
    assert isinstance(affinity_from({"asks": {"later": 1.0}, "answers": {}}), Affinity)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_the_harmonic_mean_lies_between_both_and_nearer_to_the_smaller(pairs: list[tuple[float, float]]) -> None:
    mine, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    both = harmonic(mine, theirs)
    assert (both >= np.minimum(mine, theirs) - 1e-9).all()
    assert (both <= np.minimum(2 * np.minimum(mine, theirs), np.maximum(mine, theirs)) + 1e-9).all()


def test_there_is_something_to_do_together_and_something_made_among_it() -> None:
    here = crowd([[0.3, 0.9], [0.95, 0.3], [0.5, 0.5]])
    resources = [
        Resource(resource_id="quiz", title="Quiz", format="exercise", skills=("a",), position=1),
        Resource(resource_id="build", title="Build", format="project", skills=("a",), position=2),
        Resource(resource_id="beyond", title="Beyond", format="exercise", skills=("a", "z"), position=0),
    ]
    peers = found(here, k=3)
    tasks = peer_tasks(here, 0, peers, teaching_of(resources))
    assert [t.resource_id if t else None for t, p in zip(tasks, peers, strict=True) if p.topic == "a"] != []
    assert all(t is None or t.resource_id != "beyond" for t in tasks)
    assert any(t and t.artifact for t in tasks)


def test_the_learners_words_name_the_topic_and_no_number() -> None:
    here = crowd([[0.3, 0.9, 0.2], [0.95, 0.3, 0.3], [0.9, 0.9, 0.1]])
    for peer in found(here, k=9):
        for reason in reasons_of(here, 0, peer, likely=0.9):
            assert not any(ch.isdigit() or ch == "%" for ch in reason.text_learner)
            assert all(x not in reason.text_learner for x in here.learner_ids)
        told = reasons_of(here, 0, peer, likely=0.5)[0]
        if peer.topic == "a":
            assert "Fractions" in told.text_learner
            assert "%" in told.text_teacher


def test_an_hour_of_somebody_who_misses_nothing_is_worth_less_than_one_in_which_both_learn() -> None:
    # Row 1 has mastered what row 0 misses; row 2 knows it well, and misses what row 0 can explain.
    here = crowd([[0.4, 0.9], [0.95, 0.95], [0.8, 0.4]])
    [best] = found(here, k=1)
    assert (best.row, best.mode) == (2, "study_partner")
    helper = next(one for one in found(here, k=4) if one.mode == "helper")
    assert helper.theirs < best.theirs
    # Side by side it is the better the more both miss.
    alike = found(crowd([[0.3], [0.4], [0.7]]), k=4)
    assert [(one.row, one.mode) for one in alike] == [(1, "new_people"), (2, "new_people")]


@given(st.integers(0, 12), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_of_who_knows_something_few_are_told_and_never_all_of_two_or_more(n_know: int, n_others: int) -> None:
    here = crowd([[0.3]] + [[0.95]] * n_know + [[0.2]] * n_others)
    contacts = contacts_from(len(here), NO_CONTACTS)
    may = allowed(here, 0, NOBODY, contacts, now_us=NOW_US)
    few = few_who_know(here, 0, people=NOBODY, allowed=may, contacts=contacts, affinity=USUAL, since_us=NOW_US - DAY_US)
    assert few[:, 0].sum() == min((n_know + 1) // 2, FEW)
    assert not few[[0, *range(n_know + 1, len(here))], 0].any()
    bound = replace(may, few=few)

    def offered(*modes: str) -> list[Peer]:
        wish = Wish(k=20, modes=modes)
        return peers_for(here, 0, wish, allowed=bound, contacts=contacts, affinity=USUAL, now_us=NOW_US)

    helpers = {p.row for p in offered("helper") if p.mode == "helper"}
    assert helpers == set(np.flatnonzero(few[:, 0]).tolist())
    # Everybody may be met all the same.
    assert len(offered(*MODES)) == len(here) - 1


def test_who_was_declined_comes_only_where_there_is_nobody_else_for_two_weeks() -> None:
    here = crowd([[0.3], [0.95], [0.9], [0.5]])
    no = [(0, j, NOW_US - DAY_US, NO, float("nan")) for j in (1, 2, 3)]
    assert [p.row for p in found(here, contacts=contacts_from(4, no[:1]), modes=("helper",), k=5)] == [2]
    assert {p.row for p in found(here, contacts=contacts_from(4, no[:2]), k=5)} == {3}
    # Nobody is left without anybody.
    assert {p.row for p in found(here, contacts=contacts_from(4, no), k=5)} == {1, 2, 3}
    late = [(0, 1, NOW_US - 14 * DAY_US, NO, float("nan"))]
    assert {p.row for p in found(here, contacts=contacts_from(4, late), k=5)} == {1, 2, 3}
    since = [no[0], (0, 1, NOW_US - 1, YES, float("nan"))]
    assert {p.row for p in found(here, contacts=contacts_from(4, since), k=5)} == {1, 2, 3}
    # The other did not say it.
    assert 0 in {p.row for p in found(here, 1, contacts=contacts_from(4, no), k=5)}


def test_a_no_of_today_brings_no_other_to_light_and_one_of_yesterday_does() -> None:
    here = crowd([[0.3]] + [[0.95]] * 8)

    def told(*contacts: tuple[int, int, int, int, float]) -> set[int]:
        happened = contacts_from(9, list(contacts))
        may = allowed(here, 0, NOBODY, happened, now_us=NOW_US)
        since = NOW_US - DAY_US // 2
        few = few_who_know(here, 0, people=NOBODY, allowed=may, contacts=happened, affinity=USUAL, since_us=since)
        return set(np.flatnonzero(few[:, 0]).tolist())

    first = told()
    one = min(first)
    assert len(first) == FEW
    assert told((0, one, NOW_US - 1, NO, float("nan"))) == first
    later = told((0, one, NOW_US - DAY_US, NO, float("nan")))
    assert (len(later), one in later) == (FEW, False)


def test_where_all_fit_alike_first_places_are_spread_and_steady_for_a_day() -> None:
    n, contacts = 28, contacts_from(28, NO_CONTACTS)
    here = crowd([[0.5]] * n)

    def first(row: int, now_us: int) -> int:
        may = allowed(here, row, NOBODY, contacts, now_us=now_us)
        return peers_for(here, row, Wish(), allowed=may, contacts=contacts, affinity=USUAL, now_us=now_us)[0].row

    today = [first(row, NOW_US) for row in range(n)]
    assert max(np.bincount(today)) <= 2
    assert len(set(today)) >= n - 4
    assert today == [first(row, NOW_US + DAY_US - 1) for row in range(n)]
    assert today != [first(row, NOW_US + DAY_US) for row in range(n)]


@given(st.lists(st.floats(0.05, 0.65), min_size=4, max_size=9), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_the_turn_of_the_day_never_puts_anybody_before_a_clearly_better_match(known: list[float], day: int) -> None:
    here, contacts = crowd([[m] for m in known]), contacts_from(len(known), NO_CONTACTS)
    now_us = NOW_US + day * DAY_US
    may = allowed(here, 0, NOBODY, contacts, now_us=now_us)
    told = peers_for(here, 0, Wish(k=9), allowed=may, contacts=contacts, affinity=USUAL, now_us=now_us)
    worth = [one.both for one in told]
    assert all(later <= (1.0 + CLOSE) * before for before, later in pairwise(worth))


def test_a_newcomer_without_history_is_offered_to_others_too() -> None:
    nan = float("nan")
    here = crowd([[0.3 + 0.01 * i] for i in range(11)] + [[nan]])
    asked = [found(here, row, k=3) for row in range(11)]
    assert 11 in {p.row for one in asked for p in one}


def test_a_project_says_what_both_want_in_words_whatever_that_is() -> None:
    def said(goals: tuple[str, ...], formats: tuple[str, ...]) -> str:
        goal = Goal(skills=goals) if goals else None
        both = [Preferences(formats=formats)] * 2
        here = crowd([[0.5]] * 2, preferences=both, goal=[goal] * 2)
        [peer] = found(here, modes=("project",))
        return reasons_of(here, 0, peer, likely=0.5)[0].text_learner

    end = ": make something of it together."
    assert said((), ("project",)) == f"Both of you like projects{end}"
    assert said((), ("poster",)) == f"Both of you like what is made as “poster”{end}"
    assert said(("a",), ()) == f"Both of you are working towards Fractions{end}"
    assert (
        said(("a",), ("project", "video"))
        == f"Both of you are working towards Fractions and like projects and videos{end}"
    )
