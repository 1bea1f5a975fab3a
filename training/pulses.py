"""Fit how each cohort stands: votes and touches decayed to its last vote, and how old its votes are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ranking.pulse import HALF_LIVES, N_COUNTS, QUANTILES, TOUCH_HALF_LIVES, WINDOWS
from training.present import Present, present_of
from training.votes import Votes

ACTIVE_DAYS = 14.0


def pulse_arrays(votes: Votes) -> dict[str, NDArray[Any]]:
    """The standing of each cohort; see `Pulse`."""
    present = present_of(votes)
    n_resources, n_groups = len(votes.resource_ids), len(present.cohort_course)
    group = np.concatenate([np.zeros(len(votes), np.int64), present.cohort])
    real = (group > 0) | (np.arange(len(group)) < len(votes))
    group, vote = group[real], np.tile(np.arange(len(votes)), 2)[real]
    entry: NDArray[np.int64]
    entry, place = np.unique(group * n_resources + votes.resource[vote], return_inverse=True)
    days = present.days[vote]
    counts = np.zeros((len(entry), N_COUNTS), np.float32)
    counts[:, 0] = np.bincount(place, minlength=len(entry))
    ages = np.zeros((len(entry), len(QUANTILES)), np.float32)
    if votes.timed:
        decays = [np.bincount(place, np.exp2(-days / h), len(entry)) for h in HALF_LIVES]
        windows = [np.bincount(place, days < w, len(entry)) for w in WINDOWS]
        counts[:, 1:] = np.stack([*decays, *windows, *_touched(votes, present, entry, n_resources)], axis=1)
        ages = _quantiles(days, place, len(entry))
    return {
        "pulse_course": present.cohort_course.astype(np.int32),
        "pulse_starts_us": present.cohort_starts_us,
        "pulse_entries": np.searchsorted(entry // n_resources, np.arange(n_groups + 1)).astype(np.int64),
        "pulse_resource": (entry % n_resources).astype(np.int32),
        "pulse_counts": counts,
        "pulse_ages": ages,
        "pulse_learners": _learners(votes, present, n_groups),
    }


def _touched(votes: Votes, present: Present, entry: NDArray[np.int64], n_resources: int) -> list[NDArray[np.float64]]:
    """Touches of each entry, decayed by each of `TOUCH_HALF_LIVES`."""
    cohort, resource = present.cohort[votes.touch_vote], votes.resource[votes.touch_vote]
    days = present.touch_days(votes)
    result = []
    for half_life in TOUCH_HALF_LIVES:
        sums = np.zeros(len(entry))
        for group in (np.zeros_like(cohort), np.where(cohort > 0, cohort, -1)):
            mine = group >= 0
            at = np.searchsorted(entry, group[mine] * n_resources + resource[mine])
            sums += np.bincount(at, np.exp2(-days[mine] / half_life), len(entry))
        result.append(sums)
    return result


def _quantiles(days: NDArray[np.float64], place: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    order = np.lexsort((days, place))
    bounds = np.searchsorted(place[order], np.arange(n + 1))
    last = bounds[1:] - bounds[:-1] - 1
    at = [bounds[:-1] + np.round(q * last).astype(np.int64) for q in QUANTILES]
    return np.stack([days[order][i] for i in at], axis=1).astype(np.float32)


def _learners(votes: Votes, present: Present, n_groups: int) -> NDArray[np.float32]:
    """How many learners of each cohort ever did something, and how many lately: `(n_groups, 2)`."""
    result = np.zeros((n_groups, 2), np.float32)
    days = present.touch_days(votes) if votes.timed else np.zeros(len(votes.touch_vote))
    for column, within in enumerate((np.inf, ACTIVE_DAYS)):
        chosen = votes.touch_vote[days < within]
        pairs = np.unique(np.stack([present.cohort[chosen], votes.learner[chosen].astype(np.int64)]), axis=1)
        result[:, column] = np.bincount(pairs[0], minlength=n_groups)
        result[0, column] = len(np.unique(pairs[1]))
    return result
