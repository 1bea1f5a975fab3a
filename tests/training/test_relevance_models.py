"""Whatever scores resources must see the checkerboard: even learners take up even resources."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from engine.domain.history import NO_TIME, History
from engine.domain.id_map import IdMap
from engine.domain.query import Query
from engine.ranking.collaborative import EASE_FLOOR, Ease, Factors
from engine.ranking.popularity import DAY_US, PRIOR_VOTES, CourseDay, HalfLives, Popularity
from training.log import read_log
from training.pipeline import school_of
from training.rehearsal import rehearsals_of
from training.relevance_models import (
    ModelSettings,
    course_day_arrays,
    ease_arrays,
    ease_weights,
    factor_arrays,
    popularity_arrays,
)
from training.slices import apart_from_first, asked_in, slices_of
from training.votes import Votes

SETTINGS = ModelSettings(factor_dimensions=8, factor_epochs=20)


@pytest.fixture(scope="module")
def votes(tiny_log):
    return school_of(read_log(tiny_log)).votes


def query(votes, now_us=0, starts_us=NO_TIME, course_id="maths"):
    return Query(
        learner_id="x", known=True, history=History.empty(), now_us=now_us, course_id=course_id, starts_us=starts_us
    )


def test_votes_stand_by_learner_in_their_own_sequence_with_class_and_course(votes):
    assert votes.timed
    assert votes.class_ids.ids == ("", "maths-25", "maths-26")
    assert votes.course_ids.ids == ("", "maths")
    assert (np.diff(votes.learner) >= 0).all()
    same = np.diff(votes.learner) == 0
    assert (np.diff(votes.at_us)[same] >= 0).all()
    assert (votes.course == 1).all()


def test_popularity_counts_each_learner_once_and_decays_with_age(votes):
    arrays = popularity_arrays(votes, SETTINGS)
    said = Popularity(arrays, votes.course_ids, len(votes.resource_ids)).score(query(votes))
    counts = np.bincount(votes.resource, minlength=len(votes.resource_ids))
    assert np.expm1(said[0]) * PRIOR_VOTES == pytest.approx(counts, abs=1e-4)
    assert said.shape == (1 + len(SETTINGS.half_lives_days), len(votes.resource_ids))
    half_life = SETTINGS.half_lives_days[0]
    by_hand = np.zeros(len(votes.resource_ids))
    for resource, at_us in zip(votes.resource, votes.at_us, strict=True):
        by_hand[resource] += 0.5 ** ((votes.at_us.max() - at_us) / DAY_US / half_life)
    assert np.expm1(said[1]) * PRIOR_VOTES == pytest.approx(by_hand, abs=1e-4)


def test_an_unknown_course_is_answered_with_what_everyone_does(votes):
    popularity = Popularity(popularity_arrays(votes, SETTINGS), votes.course_ids, len(votes.resource_ids))
    everyone = popularity.score(query(votes, course_id=None))
    assert np.array_equal(popularity.score(query(votes, course_id="latin")), everyone)


def test_course_day_speaks_only_for_later_cohorts_and_only_of_earlier_ones(votes):
    by_day = CourseDay(course_day_arrays(votes), votes.course_ids, len(votes.resource_ids), HalfLives((3.0,), (14.0,)))
    first, second = votes.class_starts_us[1:]
    assert by_day.score(query(votes, first + DAY_US, first)) is None
    assert by_day.score(query(votes, first + DAY_US)) is None
    said = by_day.score(query(votes, second + 8 * DAY_US, second))
    ahead, behind, due = said
    week_two = [votes.resource_ids.row(r) for r in ("r04", "r05")]
    week_one = [votes.resource_ids.row(r) for r in ("r00", "r01")]
    assert ahead[week_two].min() > ahead[week_one].max()
    assert behind[week_one].min() > behind[week_two].max()
    assert due[week_two].min() > due[week_one].max()


def test_what_falls_due_is_a_share_of_those_still_without_it(votes):
    """Of ten learners nine took `r0` before day 5 and one after it, `r1` one before and one after it."""
    rows = [*((u, 0, 1) for u in range(9)), (9, 0, 9), (0, 1, 1), (1, 1, 9), *((u, 2, 30) for u in range(10))]
    learner, resource, day = np.array(sorted(rows)).T
    n, none = len(rows), np.empty(0, np.int64)
    told = Votes(
        IdMap(f"u{i}" for i in range(10)), IdMap(["r0", "r1", "r2"]), IdMap(["", "c"]), IdMap(["", "c1"]),
        np.array([0, 1], np.int32), np.array([NO_TIME, 0]), learner.astype(np.int32), resource.astype(np.int32),
        np.ones(n, np.int32), day.astype(np.int64) * DAY_US, none, none,
    )  # fmt: skip
    by_day = CourseDay(course_day_arrays(told), told.course_ids, 3, HalfLives((10.0,), (14.0,)))
    year = 364 * DAY_US
    ahead, _, due = by_day.score(query(told, year + 5 * DAY_US, year, "c"))
    assert ahead[0] == ahead[1]
    assert due[0] > due[1]


def test_what_was_done_on_this_day_of_the_course_falls_behind_with_its_hours(votes):
    by_day = CourseDay(course_day_arrays(votes), votes.course_ids, len(votes.resource_ids), HalfLives((3.0,), (14.0,)))
    second = votes.class_starts_us[2]
    by_hour = [by_day.score(query(votes, second + DAY_US + h * DAY_US // 24, second)) for h in (0, 12, 23)]
    ahead, behind = (np.array([said[term].sum() for said in by_hour]) for term in (0, 1))
    assert (np.diff(ahead) < 0).all()
    assert (np.diff(behind) > 0).all()


def test_ease_prefers_the_own_side_of_the_board_and_cannot_say_without_history(votes):
    ease = Ease(ease_arrays(votes, replace(SETTINGS, ease_l2=5.0)), len(votes.resource_ids))
    seen = votes.resource_ids.rows(["r00", "r02"])
    said = ease.score(seen)
    assert said[votes.resource_ids.row("r04")] > said[votes.resource_ids.row("r05")]
    assert np.isnan(ease.score(np.zeros(0, np.int32))).all()
    alone = np.array([ease.score(seen[[place]]) for place in range(len(seen))])
    weights = np.expm1(alone) * EASE_FLOOR
    strongest = ease.strongest(seen, np.arange(len(votes.resource_ids)))
    for told, own in zip(strongest.tolist(), weights.T, strict=True):
        speaking = [place for place in np.argsort(-own, kind="stable").tolist() if own[place] > 0]
        assert [place for place in told if place >= 0] == speaking[:2]


@pytest.mark.parametrize("n_learners", [3, 40])
def test_ease_is_the_best_weights_that_may_not_copy_a_resource_from_itself(n_learners):
    """Fewer learners than resources or more, the closed form must beat every small change of its own weights."""
    rng = np.random.default_rng(n_learners)
    matrix = (rng.random((n_learners, 8)) < 0.4).astype(float)
    l2 = 2.0
    weights = ease_weights(sparse.csr_matrix(matrix), l2)

    def loss(w):
        return ((matrix - matrix @ w) ** 2).sum() + l2 * (w**2).sum()

    assert np.diag(weights) == pytest.approx(np.zeros(8))
    for _ in range(20):
        step = rng.normal(size=(8, 8)) * 0.01
        np.fill_diagonal(step, 0.0)
        assert loss(weights + step) > loss(weights)


def test_pruned_ease_keeps_the_strongest_weights(votes):
    full, few = (ease_arrays(votes, replace(SETTINGS, ease_neighbours=n)) for n in (200, 3))
    for row in range(len(votes.resource_ids)):
        weights = [np.abs(a["ease_weight"][a["ease_starts"][row] : a["ease_starts"][row + 1]]) for a in (full, few)]
        assert sorted(weights[1]) == sorted(weights[0])[-len(weights[1]) :]


def test_factors_fold_a_new_learner_in_and_cannot_say_of_nobody(votes):
    arrays, features = factor_arrays(
        votes, resource_features={}, learner_features={"learner-0": ("even",)}, settings=SETTINGS, seed=0
    )
    factors = Factors(arrays, features)
    said = factors.score(votes.resource_ids.rows(["r00", "r02", "r04"]), ())
    own = [votes.resource_ids.row(f"r{i:02d}") for i in (6, 8)]
    other = [votes.resource_ids.row(f"r{i:02d}") for i in (7, 9)]
    assert said[own].mean() > said[other].mean()
    nobody = np.zeros(0, np.int32)
    assert np.isnan(factors.score(nobody, ("unheard of",))).all()
    assert np.isfinite(factors.score(nobody, ("even",))).all()
    assert features.ids == ("even",)


def test_slices_hold_out_later_votes_only_and_never_the_same_to_weigh_and_to_judge(votes):
    slices = slices_of(votes, seed=0)
    for cut in slices:
        assert not (cut.before & cut.held_out).any()
        for school_class in (1, 2):
            mine = votes.school_class == school_class
            assert votes.at_us[mine & cut.before].max() < votes.at_us[mine & cut.held_out].min()
    apart = apart_from_first(slices)
    assert apart
    assert not any((slices[n].held_out & slices[0].held_out).any() for n in apart)


def test_queries_hide_what_they_ask_for(votes):
    cut = slices_of(votes, seed=0)[0]
    asked = list(asked_in(cut, votes, learner_features={}, at_most=1000, seed=0))
    assert asked
    for one in asked:
        assert one.taken.any()
        assert not set(one.candidates) & set(one.query.history.resource_index)
        assert (one.query.history.at_us <= one.query.now_us).all()


def test_without_a_clock_votes_are_held_out_at_random_by_the_seed(tiny_log, votes):
    timeless = replace(votes, at_us=np.full(len(votes), NO_TIME))
    first, again, other = (slices_of(timeless, seed=s)[0].held_out for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 0.1 < first.mean() < 0.3


def test_a_rehearsal_asks_a_later_cohort_with_an_earlier_one_ahead(votes):
    rehearsals = list(rehearsals_of(votes, seed=0))
    assert rehearsals
    for r in rehearsals:
        asked = list(asked_in(r.cut, r.votes, learner_features={}, at_most=1000, seed=0))
        assert asked
        by_day = CourseDay(
            course_day_arrays(r.votes.where(r.cut.before)),
            r.votes.course_ids,
            len(votes.resource_ids),
            HalfLives((7.0,), (14.0,)),
        )
        assert all(by_day.score(one.query) is not None for one in asked)


def test_one_cohort_alone_needs_no_rehearsal(votes):
    alone = votes.where(votes.school_class == 1)
    alone = replace(alone, class_starts_us=np.where(np.arange(3) == 2, NO_TIME, votes.class_starts_us))
    assert list(rehearsals_of(alone, seed=0)) == []
