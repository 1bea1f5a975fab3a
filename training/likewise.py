"""Fit what learners who had worked likewise by the same day of the course went on to take up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History
from engine.ranking.likewise import days_worked
from engine.ranking.popularity import DAY_US, DOUBTERS
from training.relevance_models import ModelSettings
from training.slices import HORIZON_DAYS, last_days
from training.votes import Votes

Matrix = NDArray[np.float64]
# Learners are asked on the day the youngest class has reached and around it: more rows, and right for days to come.
_SHIFTS = (-7.0, 0.0, 7.0, 14.0)
# Asked late in the day: many logs tell only the day, and what was done on it is known by then.
_LATE = 0.95
# What was taken up so many days later counts half.
_FADE_DAYS = 28.0
# The penalty, in learners of each asked day, on a weight; from 30 to 300 it made no difference.
_PENALTY = 75.0
# Who has a resource can take it up no more: what they would have done is filled in from the fit, so many times.
_REFILLED = 2
_MAX_LEARNERS, _MAX_RESOURCES = 1_500, 1_000
# Fewer would say something of each.
_LEAST_LEARNERS = 20


@dataclass(frozen=True, slots=True)
class _Cohorts:
    """Who can tell of a course: `learners` of earlier classes, and `day`, which its youngest class has reached."""

    course: int
    day: float
    since_us: int
    classes: NDArray[np.int64]
    last_day: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What learners had done by one day of the course, and what they took up after it.

    `work`, `soon`: `(n, n_resources)`, less their means `work_mean` and `share`. `could`: whether it was still to take.
    """

    work: Matrix
    soon: Matrix
    could: NDArray[np.bool_]
    work_mean: NDArray[np.float64]
    share: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The weights over `kept` resources, `(n_kept, n_kept)`, and what was asked on the day the youngest class is at."""

    cohorts: _Cohorts
    kept: NDArray[np.int64]
    today: _Asked
    weights: Matrix


def likewise_arrays(votes: Votes, settings: ModelSettings) -> dict[str, NDArray[Any]]:
    """One entry for each course whose youngest class follows earlier ones; see `Likewise`. None without a clock."""
    if not votes.timed:
        return {}
    n = len(votes.resource_ids)
    fitted = [one for cohorts in _cohorts(votes) if (one := _fitted(votes, cohorts)) is not None]
    share, idle = np.zeros((len(fitted), n), np.float32), np.zeros((len(fitted), n), np.float32)
    lengths = np.zeros(len(fitted) * n + 1, np.int64)
    neighbours, weights = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for entry, one in enumerate(fitted):
        width = min(settings.work_neighbours, len(one.kept))
        strongest = np.sort(np.argpartition(-np.abs(one.weights), width - 1, axis=1)[:, :width], axis=1)
        strong = np.take_along_axis(one.weights, strongest, axis=1)
        share[entry, one.kept] = one.today.share
        usual = one.today.work_mean[:, None] * strong
        idle[entry] = -np.bincount(one.kept[strongest].ravel(), usual.ravel(), n)
        lengths[entry * n + one.kept + 1] = width
        neighbours.append(one.kept[strongest].ravel().astype(np.int32))
        weights.append(strong.ravel().astype(np.float32))
    return {
        "likewise_course": np.array([one.cohorts.course for one in fitted], np.int32),
        "likewise_day": np.array([one.cohorts.day for one in fitted], np.float64),
        "likewise_since_us": np.array([one.cohorts.since_us for one in fitted], np.int64),
        "likewise_share": share,
        "likewise_idle": idle,
        "likewise_starts": np.cumsum(lengths),
        "likewise_neighbour": np.concatenate(neighbours),
        "likewise_weight": np.concatenate(weights),
    }


def _cohorts(votes: Votes) -> Iterator[_Cohorts]:
    """The courses whose youngest class is behind earlier ones, which went on for a horizon beyond its day."""
    last_day, starts_us = last_days(votes), votes.class_starts_us
    for course in np.unique(votes.class_course[1:]):
        classes = np.flatnonzero((votes.class_course == course) & (starts_us != NO_TIME) & np.isfinite(last_day))
        if not len(classes):
            continue
        youngest = classes[starts_us[classes] == starts_us[classes].max()]
        day = float(np.floor(last_day[youngest].max()) + _LATE)
        earlier = classes[(starts_us[classes] < starts_us[youngest[0]]) & (last_day[classes] >= day + HORIZON_DAYS)]
        if len(earlier):
            yield _Cohorts(int(course), day, int(starts_us[earlier].max()), earlier, last_day[earlier])


def _fitted(votes: Votes, cohorts: _Cohorts) -> _Fitted | None:
    """The regression over what these cohorts did; None where they are too few to tell."""
    mine = np.flatnonzero(np.isin(votes.school_class, cohorts.classes))
    counts = np.bincount(votes.resource[mine], minlength=len(votes.resource_ids))
    kept = np.sort(np.argsort(-counts, kind="stable")[:_MAX_RESOURCES])
    kept = kept[counts[kept] > 0]
    learners, first = np.unique(votes.learner[mine], return_index=True)
    class_of = votes.school_class[mine][first]
    some = _thinned(len(learners))
    learners, class_of = learners[some], class_of[some]
    last_day = cohorts.last_day[np.searchsorted(cohorts.classes, class_of)]
    taken_on = _taken_on(votes, mine, learners, kept)
    asked = {}
    for shift in _SHIFTS:
        going = last_day >= cohorts.day + shift + HORIZON_DAYS
        if going.sum() >= _LEAST_LEARNERS:
            day = cohorts.day + shift
            work = _work(votes, learners[going], class_of[going], kept, day)
            asked[shift] = _asked(work, taken_on[going], day)
    return _Fitted(cohorts, kept, asked[0.0], _weights(list(asked.values()))) if 0.0 in asked else None


def _thinned(n: int) -> NDArray[np.int64]:
    """Places of as many as are asked, evenly over all."""
    return np.unique(np.linspace(0, n - 1, min(n, _MAX_LEARNERS)).round().astype(np.int64))


def _taken_on(votes: Votes, mine: NDArray[np.int64], learners: NDArray[np.int32], kept: NDArray[np.int64]) -> Matrix:
    """The day of the course on which each learner took each resource up, infinite where never."""
    mine = mine[np.isin(votes.learner[mine], learners) & np.isin(votes.resource[mine], kept)]
    result = np.full((len(learners), len(kept)), np.inf)
    days = (votes.at_us[mine] - votes.class_starts_us[votes.school_class[mine]]) / DAY_US
    result[np.searchsorted(learners, votes.learner[mine]), np.searchsorted(kept, votes.resource[mine])] = days
    return result


def _work(
    votes: Votes, learners: NDArray[np.int32], class_of: NDArray[np.int32], kept: NDArray[np.int64], day: float
) -> Matrix:
    """What each learner had worked on by a day of the course, as `days_worked` counts it."""
    result = np.zeros((len(learners), len(kept)))
    until_us = votes.class_starts_us[class_of] + int(day * DAY_US)
    toucher, n = votes.learner[votes.touch_vote], len(votes.resource_ids)
    spans = zip(np.searchsorted(toucher, learners), np.searchsorted(toucher, learners, side="right"), strict=True)
    for row, (first, last) in enumerate(spans):
        at_us, vote = votes.touch_at_us[first:last], votes.touch_vote[first:last]
        known = at_us <= until_us[row]
        rows, days = days_worked(History(votes.resource[vote[known]], at_us[known]), n)
        among = np.isin(rows, kept)
        result[row, np.searchsorted(kept, rows[among])] = days[among]
    return result


def _asked(work: Matrix, taken_on: Matrix, day: float) -> _Asked:
    could = taken_on > day
    soon = np.where(could, np.exp2(-(taken_on - day) / _FADE_DAYS), 0.0)
    share = soon.sum(axis=0) / (could.sum(axis=0) + DOUBTERS)
    mean = work.mean(axis=0)
    return _Asked(work - mean, np.where(could, soon - share, 0.0), could, mean, share)


def _weights(asked: list[_Asked]) -> Matrix:
    """Ridge regression from work to what was taken up soon beyond the share of all."""
    work, soon = np.concatenate([a.work for a in asked]), np.concatenate([a.soon for a in asked])
    could = np.concatenate([a.could for a in asked])
    gramian = work.T @ work
    gramian[np.diag_indices(len(gramian))] += _PENALTY * len(asked)
    solve = np.linalg.inv(gramian) @ work.T
    weights: Matrix = solve @ soon
    for _ in range(_REFILLED):
        weights = solve @ np.where(could, soon, work @ weights)
    return weights
