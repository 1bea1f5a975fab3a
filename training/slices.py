"""Hold out what came later: which votes models may see, and which they must foretell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History
from engine.domain.query import Query
from engine.ranking.popularity import DAY_US
from training.votes import Votes

HORIZON_DAYS = 28.0
# A slice takes at most this share of the time a class has been running.
SLICE_SHARE = 0.25
RANDOM_SHARE = 0.2
# More cuts make steadier weights and trees, and each costs a fit of all models: a long log gets fewer, further apart.
MAX_CUTS = 12
MAX_MATCHED = 6
VOTES_TO_REFIT = 1_200_000


@dataclass(frozen=True, slots=True)
class Slice:
    """One cut: `before` and `held_out` mask the votes; `now_us` is the moment of asking, one per class."""

    before: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    now_us: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with what it must rank (rows, ascending) and which of them the learner took up (mask over them)."""

    query: Query
    candidates: NDArray[np.int32]
    taken: NDArray[np.bool_]


def slices_of(votes: Votes, *, seed: int) -> list[Slice]:
    """Slices to weigh and judge models on, the latest first; at random within a learner where there is no clock.

    Timed slices step back by a quarter of a horizon, or by half of one where they are few.
    """
    return _later_slices(votes) if votes.timed else _random_slices(votes, seed)


def apart_from_first(slices: Sequence[Slice]) -> list[int]:
    """Which slices share no held out vote with the first one."""
    return [n for n, s in enumerate(slices) if not (s.held_out & slices[0].held_out).any()]


def _later_slices(votes: Votes) -> list[Slice]:
    """Each class is cut by its own calendar, for each ends at another time.

    The end of a class is the .995 quantile of its votes, so that a straggler of a year later does not move the cut.
    """
    n_classes = len(votes.class_ids)
    end, horizon = np.full(n_classes, NO_TIME), np.zeros(n_classes, np.int64)
    order = np.lexsort((votes.at_us, votes.school_class))
    bounds = np.searchsorted(votes.school_class[order], np.arange(n_classes + 1))
    for row in range(n_classes):
        at_us = votes.at_us[order[bounds[row] : bounds[row + 1]]]
        if len(at_us):
            end[row] = at_us[min(len(at_us) - 1, int(0.995 * len(at_us)))]
            start = at_us[int(0.005 * len(at_us))]
            horizon[row] = min(HORIZON_DAYS * DAY_US, SLICE_SHARE * (end[row] - start))
    n_cuts = int(np.clip(VOTES_TO_REFIT // max(len(votes), 1), 3, MAX_CUTS))
    parts = 4 if n_cuts > MAX_CUTS // 2 else 2
    return [_slice_at(votes, end - horizon - n * horizon // parts, horizon, last=n == 0) for n in range(n_cuts)]


def matched_slices(votes: Votes) -> list[Slice]:
    """Older classes asked at the ages that younger ones have reached, and a week before and after.

    Where a course has just begun, its own past says little of the weeks to come; other courses have been there.
    """
    if not votes.timed:
        return []
    last_day = last_days(votes)
    ages = np.unique(np.round(last_day[np.isfinite(last_day)]))
    moments = [(age, age + shift) for age in ages for shift in (0.0, -7.0, 7.0)]
    chosen = moments if len(moments) <= MAX_MATCHED else [moments[i] for i in _spread_out(len(moments))]
    return [cut for young, age in chosen if (cut := _asked_at(votes, last_day, young, age)) is not None]


def _spread_out(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, MAX_MATCHED).round().astype(np.int64))


def _asked_at(votes: Votes, last_day: NDArray[np.float64], young: float, age: float) -> Slice | None:
    """The classes that have gone on for long after this age, asked at it; None where there are none."""
    asks = (last_day > young + HORIZON_DAYS) & (last_day >= age + 1.5 * HORIZON_DAYS) & (age > 0)
    if not asks.any():
        return None
    now_us = np.where(asks, votes.class_starts_us + int((age + 0.95) * DAY_US), NO_TIME)
    asking = now_us[votes.school_class]
    after = (asking != NO_TIME) & (votes.at_us > asking)
    held_out = after & (votes.at_us <= asking + int(HORIZON_DAYS * DAY_US))
    return Slice(~after, held_out, now_us) if held_out.any() else None


def last_days(votes: Votes) -> NDArray[np.float64]:
    """The day of the course of the last vote of each class, stragglers apart: `(n_classes,)`, -inf where unknown."""
    result = np.full(len(votes.class_ids), -np.inf)
    starts_us = votes.class_starts_us[votes.school_class]
    for row in np.unique(votes.school_class[starts_us != NO_TIME]):
        mine = votes.school_class == row
        result[row] = np.quantile((votes.at_us[mine] - starts_us[mine]) / DAY_US, 0.995)
    return result


def _slice_at(votes: Votes, cut: NDArray[np.int64], horizon: NDArray[np.int64], *, last: bool) -> Slice:
    before = votes.at_us <= cut[votes.school_class]
    within = votes.at_us <= (cut + horizon)[votes.school_class]
    return Slice(before, ~before & (within | last), cut)


def _random_slices(votes: Votes, seed: int) -> list[Slice]:
    """Three disjoint shares, each foretold from all the rest: histories are as long as those that will ask."""
    draw = np.random.default_rng(seed).random(len(votes))
    now_us = np.full(len(votes.class_ids), NO_TIME)
    shares = [(draw >= RANDOM_SHARE * n) & (draw < RANDOM_SHARE * (n + 1)) for n in range(3)]
    return [Slice(~held_out, held_out, now_us) for held_out in shares]


def asked_in(
    cut: Slice, votes: Votes, *, learner_features: Mapping[str, tuple[str, ...]], at_most: int, seed: int
) -> Iterator[Asked]:
    """The queries of a slice: each learner who took something up in it, asked at its start.

    Candidates are the resources of the learner's course they had not taken up before. More than `at_most` learners
    are thinned by a seeded draw.
    """
    offered = _offered(votes)
    starts = np.searchsorted(votes.learner, np.arange(len(votes.learner_ids) + 1))
    touches = np.searchsorted(votes.touch_vote, starts)
    with_targets = np.unique(votes.learner[cut.held_out])
    if len(with_targets) > at_most:
        with_targets = np.sort(np.random.default_rng(seed).choice(with_targets, at_most, replace=False))
    for learner in with_targets:
        rows = np.arange(starts[learner], starts[learner + 1])
        targets = rows[cut.held_out[rows]]
        school_class = votes.school_class[targets[0]]
        targets = targets[votes.school_class[targets] == school_class]
        past = rows[cut.before[rows]]
        candidates = np.setdiff1d(offered[votes.class_course[school_class]], votes.resource[past])
        taken = np.isin(candidates, votes.resource[targets])
        if taken.any() and not taken.all():
            work = _work(votes, past, slice(touches[learner], touches[learner + 1]), cut.now_us[school_class])
            query = _query(votes, learner, work, school_class, cut, learner_features)
            yield Asked(query, candidates.astype(np.int32), taken)


def _offered(votes: Votes) -> dict[int, NDArray[np.int32]]:
    """By course, the resources that somebody of it ever took up, and those that nobody anywhere did.

    The latter keep the slices honest: were all of what is offered taken up in the end, what nobody has taken up yet
    would seem sure to come.
    """
    courses, everything = votes.course, np.arange(len(votes.resource_ids), dtype=np.int32)
    never = np.setdiff1d(everything, votes.resource)
    taken = {int(c): votes.resource[courses == c] for c in np.unique(courses) if c > 0}
    return {0: everything, **{c: np.union1d(rows, never).astype(np.int32) for c, rows in taken.items()}}


def _work(votes: Votes, past: NDArray[np.int64], theirs: slice, now_us: int) -> History:
    """Every engaged event of a learner with what they had taken up, up to the moment of asking."""
    vote, at_us = votes.touch_vote[theirs], votes.touch_at_us[theirs]
    if not len(vote):
        return History(votes.resource[past], votes.at_us[past])
    known = np.isin(vote, past) & ((at_us <= now_us) | (now_us == NO_TIME))
    vote, at_us = vote[known], at_us[known]
    order = np.lexsort((vote, at_us))
    return History(votes.resource[vote[order]], at_us[order])


def _query(
    votes: Votes,
    learner: int,
    work: History,
    school_class: int,
    cut: Slice,
    learner_features: Mapping[str, tuple[str, ...]],
) -> Query:
    learner_id = votes.learner_ids.ids[learner]
    return Query(
        learner_id=learner_id,
        known=True,
        history=work,
        now_us=int(cut.now_us[school_class]),
        features=learner_features.get(learner_id, ()),
        class_id=votes.class_ids.ids[school_class] or None,
        course_id=votes.course_ids.ids[votes.class_course[school_class]] or None,
        starts_us=int(votes.class_starts_us[school_class]),
    )
