"""The next step: reasons that add up, goals that lead, refusals that hold, chances that are exact."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.learner.menu import known_of
from engine.learner.preferences import Goal, Preferences, value_of
from engine.learner.tracing import MASTERED
from engine.path import path_of, ready_skills
from engine.phrases import PHRASES
from engine.ranking.again import EVEN
from engine.ranking.exploration import EPSILON
from engine.ranking.objective import GENTLE_BAND, band_of
from engine.ranking.pool import pool_of, way_rows
from engine.ranking.selection import INQUIRY_FORMATS
from tests.lessons import NOW, ask, event, practice, resources_of

law = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def ids(decision):
    return [option.resource_id for option in decision.slate]


def ranks(recommender, events, **wanted):
    """The rank of every resource without chance and without a place kept for variety."""
    decision = ask(recommender, events, k=50, **wanted)
    return {o.resource_id: o.rank for o in sorted(decision.slate, key=lambda o: -o.score)}


@pytest.fixture(scope="module")
def skills(lesson):
    return sorted(lesson.skill_rows)


@law
@given(seed=st.integers(0, 10_000), n=st.integers(0, 25), with_goal=st.booleans(), explore=st.booleans())
def test_contributions_add_up_to_the_score_and_every_text_comes_from_its_phrase(
    lesson, skills, seed, n, with_goal, explore
):
    goal = tuple(np.random.default_rng(seed).choice(skills, 3, replace=False)) if with_goal else None
    for option in ask(lesson, practice(lesson, seed, n), goal=goal, explore=explore, seed=seed).slate:
        assert sum(r.contribution for r in option.reasons) == pytest.approx(option.score, abs=1e-9)
        for reason in option.reasons:
            words = PHRASES[reason.phrase]
            assert reason.text_learner == words.learner.format(**reason.evidence)
            assert reason.text_teacher == words.teacher.format(**reason.evidence)


@law
@given(seed=st.integers(0, 10_000), at=st.integers(0, 15))
def test_a_goal_leads_to_its_skills_or_to_what_they_wait_for(lesson, skills, seed, at):
    events, goal = practice(lesson, seed), skills[at]
    first = ask(lesson, events, goal=(goal,), k=1).slate[0]
    menu = lesson.teaching.menu
    way = {menu.skills[k] for k in menu.closure([menu.number[goal]])}
    row = lesson.catalogue.resource_map.row(first.resource_id)
    assert set(lesson.catalogue.resources[row].skills) & way
    assert {"gain", "practice", "review", "check"} & {r.code for r in first.reasons}


def test_the_goal_a_learner_set_leads_where_the_request_names_none(lesson, skills):
    one, other = [s for s in skills if ask(lesson, practice(lesson, 3), goal=(s,)).message is None][:2]
    said = event(1, "goal_set", value=value_of(Goal(skills=(one,))))
    asked = ask(lesson, practice(lesson, 3), goal=(one,), k=5)
    assert ids(ask(lesson, [*practice(lesson, 3), said], k=5)) == ids(asked)
    assert ids(ask(lesson, [*practice(lesson, 3), said], goal=(other,), k=5)) != ids(asked)


def test_a_slate_holds_two_formats_and_inquiry_where_there_is_any(lesson, skills):
    for seed in range(8):
        for k in (3, 5):
            slate = ask(lesson, practice(lesson, seed), goal=(skills[seed],), k=k).slate
            assert len({o.format for o in slate}) >= 2
            assert {o.format for o in slate} & INQUIRY_FORMATS


def test_after_two_failures_the_band_is_gentler_and_the_challenge_falls(lesson, skills):
    worked = resources_of(lesson, skills[2])
    right = [event(9, resource_id=worked[0], outcome=1.0), event(8, resource_id=worked[1], outcome=1.0)]
    wrong = [event(9, resource_id=worked[0], outcome=0.0), event(8, resource_id=worked[1], outcome=0.0)]
    assert band_of(folded(wrong, lesson.learner, lesson.offer)) == GENTLE_BAND
    assert band_of(folded(right, lesson.learner, lesson.offer)) != GENTLE_BAND
    options = ask(lesson, wrong, k=50).slate
    assert options[0].p_success >= np.median([o.p_success for o in options])
    # Where nothing within the band wins anything, the band reaches down to the nearest that does.
    low = min(GENTLE_BAND[0], max(o.p_success for o in options if any(r.code == "gain" for r in o.reasons)))
    assert all(
        any(r.code == "challenge" for r in o.reasons) == (o.p_success < low) for o in options if o.p_success < 0.94
    )


def test_the_harder_of_two_hard_steps_costs_more(lesson, skills):
    wrong = [event(9 - n, resource_id=resources_of(lesson, skills[2])[n], outcome=0.0) for n in range(2)]
    options = ask(lesson, wrong, k=50).slate
    costs = [(o.p_success, sum(r.contribution for r in o.reasons if r.code == "challenge")) for o in options]
    hard = sorted((p, cost) for p, cost in costs if p < GENTLE_BAND[0])
    assert len({round(p, 6) for p, _ in hard}) > 3
    assert all(b - a > 1e-9 or q - p < 1e-9 or b == 0 for (p, a), (q, b) in pairwise(hard))


def test_a_third_failure_on_a_skill_is_a_loop_that_is_flagged_and_led_out_of(lesson, skills):
    skill = skills[3]
    tried = resources_of(lesson, skill)[:3]
    failed = [event(5 - i, resource_id=r, outcome=0.0) for i, r in enumerate(tried)]
    assert ask(lesson, failed[:2]).flags == ()
    decision = ask(lesson, failed, k=50, goal=(skill,), candidates=tuple(lesson.catalogue.resource_map.ids))
    assert [(f.code, f.skill_id) for f in decision.flags] == [("loop", skill)]
    by_id = {o.resource_id: o for o in decision.slate}
    for resource_id in tried:
        if resource_id in by_id:
            assert any(r.phrase == "approach_same" and r.contribution < 0 for r in by_id[resource_id].reasons)
    assert decision.slate[0].resource_id not in tried
    healed = [*failed, event(0.5, resource_id=tried[0], outcome=1.0)]
    assert ask(lesson, healed).flags == ()


def test_who_failed_is_led_back_to_what_is_clearly_easier_than_all_that_is_new(lesson, skills):
    def odds(option):
        return option.p_success / (1 - option.p_success)

    skill = skills[0]
    alone = ask(lesson, candidates=tuple(resources_of(lesson, skill)), k=50).slate
    easy, hard = (some for some in np.split(np.array([o.resource_id for o in sorted(alone, key=odds)])[::-1], [4]))
    failed = [event(9 - n, resource_id=str(r), outcome=0.0) for n, r in enumerate(easy)]
    slate = ask(lesson, failed, goal=(skill,), k=50).slate
    back, new = ([o for o in slate if o.resource_id in some] for some in (easy, hard))
    assert back
    assert max(o.p_success for o in new) < EVEN
    assert all(odds(o) > 2 * max(map(odds, new)) for o in back)
    assert all("repeat" in {r.code for r in o.reasons} for o in back)
    # Who was right since goes on with what is new.
    right = [*failed, event(0.5, resource_id=str(easy[0]), outcome=1.0)]
    assert not set(easy) & set(ids(ask(lesson, right, goal=(skill,), k=50)))


VOICES = ("accepted", "declined", "not_now", "too_easy", "too_hard")


@pytest.mark.parametrize("kind", VOICES)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_word_moves_the_resource_it_was_said_of_and_voiding_it_takes_it_back(lesson, skills, kind, place):
    events = practice(lesson, 5)
    before = ask(lesson, events, goal=(skills[1],), k=5)
    about = before.slate[place].resource_id
    said = event(0.1, kind, about)
    after = ask(lesson, [*events, said], goal=(skills[1],), k=5)
    if kind == "accepted":
        assert ids(after).index(about) <= max(place - 1, 0)
    else:
        assert about not in ids(after)
    undone = event(0.05, "voided", voids=said.event_id)
    assert after != before
    assert ids(ask(lesson, [*events, said, undone], goal=(skills[1],), k=5)) == ids(before)
    later = NOW + timedelta(days=15)
    assert (about in ids(ask(lesson, [*events, said], goal=(skills[1],), k=5, now=later))) == (
        about in ids(ask(lesson, events, goal=(skills[1],), k=5, now=later))
    )


@pytest.mark.parametrize(("kind", "side"), [("too_easy", 1), ("too_hard", -1)])
def test_too_easy_and_too_hard_move_what_is_like_it(lesson, skills, kind, side):
    events, skill = practice(lesson, 6), skills[4]
    everything = tuple(resources_of(lesson, skill))
    options = {o.resource_id: o for o in ask(lesson, events, k=50, candidates=everything).slate}
    about = sorted(options.values(), key=lambda o: o.p_success)[len(options) // 2].resource_id
    moved = {
        o.resource_id: o.score
        for o in ask(lesson, [*events, event(0.1, kind, about)], k=50, candidates=everything).slate
    }
    for resource_id, option in options.items():
        if resource_id != about and side * (option.p_success - options[about].p_success) > 0.02:
            assert moved[resource_id] < option.score


def test_declared_formats_and_minutes_move_what_they_should(lesson, skills):
    events = practice(lesson, 7)
    some = tuple(lesson.catalogue.resource_map.ids[::2][:40])
    base = {o.resource_id: o for o in ask(lesson, events, k=50, candidates=some).slate}
    wanted = event(0.1, "preferences_set", value=value_of(Preferences(formats=("reading",))))
    for option in ask(lesson, [*events, wanted], k=50, candidates=some).slate:
        if option.format == "reading":
            assert option.score > base[option.resource_id].score
            assert any(r.phrase == "style_declared" for r in option.reasons)
    short = event(0.1, "preferences_set", value=value_of(Preferences(minutes_per_day=3.0)))
    for option in ask(lesson, [*events, short], k=50, candidates=some, now=NOW + timedelta(days=1)).slate:
        fell = any(r.code == "minutes" for r in option.reasons)
        assert fell == (option.expected_minutes > 3.0)


def test_an_accepted_resource_is_offered_until_it_is_worked_on(lesson):
    about = ask(lesson, k=1).slate[0].resource_id
    accepted = event(0.2, "accepted", about)
    assert ids(ask(lesson, [accepted], k=3))[0] == about
    assert about not in ids(ask(lesson, [accepted, event(0.1, resource_id=about, outcome=1.0)], k=3))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("goal", [None, (3, 8)])
def test_what_was_accepted_stands_in_the_next_slate_however_far_down_it_was(lesson, skills, k, goal):
    wanted = {"k": k, "goal": goal and tuple(skills[g] for g in goal)}
    every = tuple(lesson.catalogue.resource_map.ids)
    for seed in range(4):
        events = practice(lesson, seed)
        order = ids(ask(lesson, events, **{**wanted, "k": 50}))
        # Also what was done before, where only so much of that is shown.
        for about in {order[-1], order[len(order) // 2], events[-1].resource_id}:
            slate = ask(lesson, [*events, event(0.1, "accepted", about)], **wanted).slate
            [option] = [o for o in slate if o.resource_id == about]
            assert sum(r.contribution for r in option.reasons) == pytest.approx(option.score, abs=1e-9)
    assert len(every) > 50


def test_of_many_accepted_half_a_slate_is_kept_for_the_last(lesson, skills):
    events = practice(lesson, 2)
    last = ids(ask(lesson, events, k=50))[-6:]
    said = [event(1 - n / 10, "accepted", about) for n, about in enumerate(last)]
    for k in (2, 4, 5):
        slate = ids(ask(lesson, [*events, *said], k=k))
        assert set(last[-(k // 2) :]) <= set(slate)
        assert set(slate) - set(last)


def test_near_ties_take_turns_with_exactly_the_chance_that_is_logged(lesson, skills):
    events, wanted = practice(lesson, 8), {"goal": (skills[5], skills[6]), "k": 3, "explore": True}
    n, chosen, logged = 500, [Counter() for _ in range(2)], {}
    for seed in range(n):
        decision = ask(lesson, events, seed=seed, **wanted)
        for option in decision.slate:
            chances = {t.resource_id: t.propensity for t in option.near_ties}
            assert sum(chances.values()) == pytest.approx(1.0, abs=1e-12)
            assert chances[option.resource_id] == option.propensity > 0
        first = decision.slate[0]
        logged = {t.resource_id: t.propensity for t in first.near_ties}
        chosen[0][first.resource_id] += 1
    assert ids(ask(lesson, events, seed=3, **wanted)) == ids(ask(lesson, events, seed=3, **wanted))
    assert max(logged.values()) >= 1 - EPSILON
    for resource_id, chance in logged.items():
        spread = 4.5 * np.sqrt(n * chance * (1 - chance)) + 1e-9
        assert abs(chosen[0][resource_id] - n * chance) <= spread


def test_without_exploration_nothing_is_left_to_chance(lesson):
    assert all(o.propensity == 1.0 for o in ask(lesson, practice(lesson, 2), k=5).slate)


@law
@given(seed=st.integers(0, 10_000), picks=st.lists(st.integers(0, 15), min_size=1, max_size=3))
def test_a_path_never_puts_a_skill_before_what_it_waits_for(lesson, skills, seed, picks):
    goal = Goal(skills=tuple({skills[i] for i in picks}))
    events = practice(lesson, seed)
    state = folded(events, lesson.learner, lesson.offer)
    query = query_with(
        "lena", learner=None, history=history_of(events, lesson.catalogue.resource_map), classes={}, now=NOW
    )
    path = path_of(goal, state, events, lesson, query=query)
    order = [s.skill_id for s in path.steps]
    menu = lesson.teaching.menu
    way = {menu.skills[k] for k in menu.closure([menu.number[s] for s in goal.skills])}
    needed = {menu.skills[k] for k in menu.closure([menu.number[s] for s in path.remaining])}
    assert set(order) == needed - set(path.mastered)
    numbers = np.array(sorted(menu.number[s] for s in way), np.int64)
    known = known_of(menu, np.zeros(0, np.int64), numbers, state=state, model=lesson.learner, now_us=query.now_us).known
    assert set(path.mastered) == {menu.skills[k] for k in numbers.tolist() if known[k] >= MASTERED}
    for place, step in enumerate(path.steps):
        assert set(step.waits_for) <= set(order[:place])
        assert (step.status in ("within_reach", "waiting")) == bool(step.waits_for)
        assert (step.skill_id in ready_skills(path)) == (step.status != "waiting")
        assert step.minutes_so_far == pytest.approx(sum(s.minutes for s in path.steps[: place + 1]))
    for choice in ready_skills(path):
        assert path_of(goal, state, events, lesson, query=query, choose=choice).steps[0].skill_id == choice


def test_the_path_begins_with_what_the_learner_said_yes_to_until_it_was_worked_on(lesson, skills):
    goal, done = Goal(skills=(skills[12], skills[14])), practice(lesson, 3)

    def path(events):
        state = folded(events, lesson.learner, lesson.offer)
        history = history_of(events, lesson.catalogue.resource_map)
        query = query_with("lena", learner=None, history=history, classes={}, now=NOW)
        return path_of(goal, state, events, lesson, query=query)

    usual = path(done)
    later = [s for s in ready_skills(usual) if s != usual.steps[0].skill_id]
    assert later
    chosen = next(r for r in resources_of(lesson, later[-1]) if r not in {e.resource_id for e in done})
    said = [*done, event(0.2, "accepted", chosen)]
    assert path(said).steps[0].skill_id == later[-1]
    # What waits for something else does not come first, whatever was said.
    waiting = next(s.skill_id for s in usual.steps if s.status == "waiting")
    early = [*said, event(0.1, "accepted", resources_of(lesson, waiting)[0])]
    assert path(early).steps[0].skill_id == later[-1]
    worked = [*said, event(0.1, resource_id=chosen, outcome=0.0)]
    assert [s.skill_id for s in path(worked).steps] == [
        s.skill_id for s in path([*done, event(0.1, resource_id=chosen, outcome=0.0)]).steps
    ]


def test_of_a_large_catalogue_every_skill_of_the_goal_is_looked_at(lesson, skills):
    menu, n = lesson.teaching.menu, 2 * len(skills)
    allowed = np.ones(len(lesson.catalogue), bool)
    way = way_rows(menu.closure([menu.number[s] for s in skills]), lesson.teaching.promising, allowed, n)
    rows = pool_of(np.zeros(len(allowed)), allowed, lesson.offered, n=n, wanted=way)
    assert len(rows) == n
    assert {s for r in rows for s in lesson.catalogue.resources[r].skills} == set(skills)
