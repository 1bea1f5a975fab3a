"""Slices for the ranker ask what will be asked in earnest, and the ranked score stays true to its parts."""

from dataclasses import replace

import numpy as np
import pytest

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.neighbours import work_of
from engine.ranking.newcomers import Newcomers
from engine.ranking.popularity import DAY_US
from engine.ranking.ranker import best_of
from training.fitting import Fitted, School, fit
from training.ranker import fitted_ranker, rank_rows
from training.relevance_models import ModelSettings
from training.slices import asked_in, matched_slices, slices_of
from training.votes import Votes

N_RESOURCES, N_LEARNERS = 40, 240


def _votes() -> Votes:
    """Two courses, each walked through in its order, a step every three days; half of the second has begun."""
    rows = []
    for learner in range(N_LEARNERS):
        course = learner % 2
        for step in range(18 if course == 0 else 6):
            rows.append((learner, course * 20 + step, 1 + course, (3 * step + learner % 3) * DAY_US))
    learner, resource, school_class, at_us = (np.array(c) for c in zip(*rows, strict=True))
    return Votes(
        learner_ids=IdMap(f"u{n:03}" for n in range(N_LEARNERS)),
        resource_ids=IdMap(f"r{n:02}" for n in range(N_RESOURCES)),
        course_ids=IdMap(["", "a", "b"]),
        class_ids=IdMap(["", "a1", "b1"]),
        class_course=np.array([0, 1, 2], np.int32),
        class_starts_us=np.array([NO_TIME, 0, 0]),
        learner=learner.astype(np.int32),
        resource=resource.astype(np.int32),
        school_class=school_class.astype(np.int32),
        at_us=at_us.astype(np.int64),
        touch_vote=np.arange(len(rows)),
        touch_at_us=at_us.astype(np.int64),
    )


@pytest.fixture(scope="module")
def ranked() -> Fitted:
    votes = _votes()
    settings = ModelSettings(factor_epochs=1, factor_dimensions=4)
    rows = []
    for cut in slices_of(votes, seed=0):
        school = School(votes.where(cut.before, cut.now_us), {}, {})
        past = fit(school, settings, seed=0)
        asked = asked_in(cut, votes, learner_features={}, at_most=999, seed=0)
        rows.append(rank_rows(asked, past.model, past.features, seed=0))
    final = fit(School(votes, {}, {}), settings, seed=0)
    return final.ranked_by(fitted_ranker(rows, final.features, seed=0))


def _query(resources: list[int]) -> Query:
    at_us = np.array([3 * r * DAY_US for r in resources], np.int64)
    history = History(np.array(resources, np.int32), at_us)
    return Query(
        learner_id="x", known=True, history=history, now_us=16 * DAY_US, class_id="b1", course_id="b", starts_us=0
    )


def test_cutting_votes_cuts_their_touches() -> None:
    votes = _votes()
    cut = slices_of(votes, seed=0)[0]
    past = votes.where(cut.before, cut.now_us)
    assert (past.touch_at_us <= cut.now_us[past.school_class[past.touch_vote]]).all()
    assert np.array_equal(past.at_us[past.touch_vote], past.touch_at_us)


def test_what_nobody_took_up_yet_is_among_what_is_asked_about() -> None:
    votes = _votes()
    cut = slices_of(votes, seed=0)[0]
    never = set(range(N_RESOURCES)) - set(votes.resource.tolist())
    for asked in asked_in(cut, votes, learner_features={}, at_most=9, seed=0):
        assert never <= set(asked.candidates.tolist())


def test_an_older_class_is_asked_at_the_age_of_a_younger_one() -> None:
    days = [
        cut.now_us[1] / DAY_US for cut in matched_slices(replace(_votes(), class_starts_us=np.array([NO_TIME, 0, 0])))
    ]
    assert all(day < 54 for day in days)


def test_random_slices_are_disjoint() -> None:
    votes = replace(_votes(), at_us=np.full(len(_votes()), NO_TIME))
    held_out = np.stack([cut.held_out for cut in slices_of(votes, seed=0)])
    assert held_out.sum(axis=0).max() == 1


def test_a_ranked_score_is_the_sum_of_its_families_for_any_candidates(ranked: Fitted) -> None:
    model = ranked.model
    assert model.ranker is not None
    candidates = np.arange(20, 45, dtype=np.int32)
    scored = model.scored(_query([20, 21]), candidates)
    assert scored.shape == (4, len(candidates))
    assert np.isfinite(scored).all()
    assert scored.sum(axis=0)[candidates >= N_RESOURCES].max() < scored.sum(axis=0)[candidates < N_RESOURCES].min()


def test_who_did_nothing_yet_gets_no_reason_of_their_own(ranked: Fitted) -> None:
    scored = ranked.model.scored(_query([]), np.arange(20, 40, dtype=np.int32))
    assert not scored[1:].any()


def test_an_event_of_a_second_ago_counts_at_once(ranked: Fitted) -> None:
    candidates = np.arange(26, 40, dtype=np.int32)
    before, after = (ranked.model.scored(_query(h), candidates) for h in ([20], [20, 21, 22, 23]))
    assert not np.array_equal(before, after)


def test_the_best_are_found_with_equals_in_order() -> None:
    assert best_of(np.array([1.0, 3.0, 3.0, 3.0, 0.0]), 2).tolist() == [1, 2]
    assert best_of(np.array([1.0, 2.0]), 5).tolist() == [0, 1]


def test_work_is_read_in_the_order_of_first_engagement() -> None:
    history = History(np.array([5, 2, 5, 99], np.int32), np.array([1, 2, 3, 4]) * DAY_US)
    query = Query(learner_id="x", known=True, history=history, now_us=5 * DAY_US)
    work = work_of(query, 10)
    assert work.rows.tolist() == [5, 2]
    assert work.days.tolist() == [4.0, 3.0]


def test_what_is_added_up_at_once_is_the_sum_of_the_weighted_terms(ranked: Fitted) -> None:
    model = replace(ranked.model, ranker=None)
    for history in ([], [20], [20, 21, 22, 23, 21]):
        query = _query(history)
        terms = model.terms(query)
        by_term = model.contributions(terms, N_RESOURCES + 5)
        first = model.first(query, N_RESOURCES + 5)
        np.testing.assert_allclose(first.scores, by_term.sum(axis=0), atol=1e-5)
        rows = np.array([3, N_RESOURCES + 2, 25])
        np.testing.assert_allclose(model.families_of(query, first, rows).sum(axis=0), first.scores[rows], atol=1e-12)


def test_a_newcomer_is_ranked_as_the_mean_of_what_stands_for_it(ranked: Fitted) -> None:
    model, query, new = ranked.model, _query([20, 21]), N_RESOURCES
    assert model.ranker is not None
    newcomers = Newcomers(np.array([new]), np.array([[22, 23, 22, 22]]), np.array([[0.5, 0.5, 0.0, 0.0]]))
    first = newcomers.stood_for(model.first(query, N_RESOURCES + 1))
    rows = np.array([3, 24, 30, new])
    said = newcomers.families_of(model, query, first, rows)
    beside = np.array([3, 22, 23, 24, 30, new])
    plain = model.families_of(query, first, beside)
    np.testing.assert_allclose(said[:, 3], plain[:, [1, 2]].mean(axis=1))
    np.testing.assert_array_equal(said[:, :3], plain[:, [0, 3, 4]])
