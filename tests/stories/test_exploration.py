"""Near-ties take turns as often as the log says: a simulation against the logged propensities."""

from collections import Counter

import pytest

from engine.domain.decision import Decision
from engine.learner.fold import folded
from engine.ranking.objective import band_of
from tests.lessons import ask, event, practice

N_DRAWS = 2_000


def chosen(decision: Decision) -> list[str]:
    return [option.resource_id for option in decision.slate]


@pytest.fixture(scope="module")
def learner(lesson):
    """The events of somebody for whom several resources are nearly as good."""
    goals = sorted(lesson.skill_rows)
    for seed in range(100):
        for goal in (None, (goals[seed % len(goals)],)):
            events = practice(lesson, seed)
            first = ask(lesson, events, goal=goal, k=1, explore=True, seed=0).slate[0]
            if sum(tie.propensity > 0 for tie in first.near_ties) > 1:
                return events, goal
    raise AssertionError("no learner has near-ties")


def test_each_first_choice_comes_as_often_as_its_logged_propensity(lesson, learner):
    events, goal = learner
    drawn: Counter[str] = Counter()
    logged: dict[str, float] = {}
    for seed in range(N_DRAWS):
        first = ask(lesson, events, goal=goal, k=1, explore=True, seed=seed).slate[0]
        drawn[first.resource_id] += 1
        told = {t.resource_id: t.propensity for t in first.near_ties if t.propensity > 0}
        assert first.propensity == told[first.resource_id]
        assert logged in ({}, told)
        logged = told
    assert sum(logged.values()) == pytest.approx(1.0, abs=1e-12)
    assert drawn.keys() <= logged.keys()
    for resource_id, p in logged.items():
        error = (p * (1 - p) / N_DRAWS) ** 0.5
        assert abs(drawn[resource_id] / N_DRAWS - p) < 4 * error


def test_chances_of_each_slot_sum_to_one_and_a_seed_gives_its_slate_again(lesson, learner):
    events, goal = learner
    slates = set()
    for seed in range(40):
        decision = ask(lesson, events, goal=goal, k=5, explore=True, seed=seed)
        for option in decision.slate:
            assert sum(t.propensity for t in option.near_ties) == pytest.approx(1.0, abs=1e-12)
        again = ask(lesson, events, goal=goal, k=5, explore=True, seed=seed, decision_id="another")
        assert chosen(again) == chosen(decision)
        slates.add(tuple(chosen(decision)))
    assert len(slates) > 1
    assert all(option.propensity == 1.0 for option in ask(lesson, events, goal=goal, k=5).slate)


def side(p: float, band: tuple[float, float]) -> float:
    """How far a chance lies below the band, or less than 0 where above."""
    return max(band[0] - p, 0.0) - max(p - band[1], 0.0)


@pytest.mark.parametrize("wrong", [0, 2, 8])
def test_also_a_new_or_struggling_learner_has_turns_and_none_is_harder_or_duller_than_the_best(lesson, wrong):
    ids = lesson.catalogue.resource_map.ids
    events = [event(wrong - n, resource_id=ids[7 * n], outcome=0.0) for n in range(wrong)]
    band = band_of(folded(events, lesson.learner, lesson.offer))
    chances = {}
    for option in ask(lesson, events, k=50, candidates=tuple(ids)).slate:
        chances[option.resource_id] = option.p_success
    n_turns = outside = 0
    for seed in range(40):
        for option in ask(lesson, events, k=5, explore=True, seed=seed).slate:
            told = {t.resource_id: t for t in option.near_ties if t.propensity > 0}
            assert sum(t.propensity for t in told.values()) == pytest.approx(1.0, abs=1e-12)
            best = max(told.values(), key=lambda t: t.propensity)
            n_turns += len(told) > 1
            for other in told.keys() & chances.keys() - {best.resource_id}:
                if best.resource_id in chances:
                    bar, there = side(chances[best.resource_id], band), side(chances[other], band)
                    assert min(bar, 0.0) <= there <= max(bar, 0.0)
                    outside += bar != 0
    assert n_turns > 0
    assert outside > 0
