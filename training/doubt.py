"""How far a learner's chance on a skill lies from what is predicted: the model's honest doubt."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import least_squares

from engine.learner.features import COLUMN
from engine.learner.kernels import Prepared, Statics, encode
from training.attempts import Attempts

# Answers of one learner on one skill are looked at in runs of this many, each half against the other.
_RUN = 8
_MOST_RUNS, _LEAST_RUNS, _MOST_OF_ONE = 40_000, 100, 100
# The prior counts as this many runs: few runs tell little of a variance.
_PRIOR_RUNS = 500
_BANDS = 6
_PRIOR = (1.0, 0.25)
_COLUMNS = ("logit_without_item", "difficulty", "rarest.information")

Values = NDArray[np.float64]


def doubt_of(attempts: Attempts, statics: Statics, folds: NDArray[np.int32]) -> tuple[float, float]:
    """a, b of the variance 1 / (a + b * information) of a logit, by moments.

    All answers of a run are predicted with the ability at its start. Where that is off for a learner, both halves of
    the run are off to the same side: the covariance of their summed residuals is the variance of the logit times the
    sums of p (1 - p) of both. What all learners gain alike during a run is taken out first. Information is the sum of
    p (1 - p) of the learner's answers on the skill before the run.
    """
    runs = _runs(attempts)
    if len(runs) < _LEAST_RUNS:
        return _PRIOR
    columns = np.array([COLUMN[name] for name in _COLUMNS], np.int32)
    kept = np.full(len(attempts.rows), -1, np.int64)
    kept[runs.ravel()] = np.arange(runs.size)
    x = encode(Prepared(statics), attempts.rows, attempts.learner_ptr, folds=folds, columns=columns, kept=kept)
    logit, difficulty, information = x.astype(np.float64).T.reshape(3, -1, _RUN)
    p = 1.0 / (1.0 + np.exp(-(logit - difficulty)[:, :1] - difficulty))
    halves = (attempts.rows.y[runs] - p).reshape(-1, 2, _RUN // 2).sum(2)
    slopes = (p * (1 - p)).reshape(-1, 2, _RUN // 2).sum(2).prod(1)
    return _fitted(information[:, 0], halves, slopes)


def _fitted(information: Values, halves: Values, slopes: Values) -> tuple[float, float]:
    """The best 1 / (a + b x) through the variances of bands of information, each by what it weighs."""
    bands = np.array_split(np.argsort(information, kind="stable"), _BANDS)
    x = np.array([information[b].mean() for b in bands])
    weight = np.array([slopes[b].sum() for b in bands])
    shared = np.array([(halves[b] - halves[b].mean(0)).prod(1).sum() for b in bands])
    variance, weight = shared / np.maximum(weight, 1e-9), np.sqrt(weight / weight.sum())

    def off(log_ab: Values) -> Values:
        a, b = np.exp(log_ab)
        return np.asarray(weight * (variance - 1.0 / (a + b * x)))

    found = least_squares(off, np.log(_PRIOR), bounds=(np.log([0.2, 1e-2]), np.log([20.0, 2.0])))
    trust = len(information) / (len(information) + _PRIOR_RUNS)
    a, b = np.exp(trust * found.x + (1.0 - trust) * np.log(_PRIOR))
    return float(a), float(b)


def _runs(attempts: Attempts) -> NDArray[np.int64]:
    """Runs of answers of one learner on one skill (the first of a row's), `(n_runs, 8)` row numbers."""
    rows = attempts.rows
    skilled = np.flatnonzero(np.isfinite(rows.y) & (np.diff(rows.skill_ptr) > 0))
    first = rows.skill_row[rows.skill_ptr[skilled]].astype(np.int64)
    pair = attempts.learner[skilled] * (int(first.max(initial=0)) + 1) + first
    order = np.argsort(pair, kind="stable")
    begins = np.flatnonzero(np.diff(pair[order], prepend=-1))
    lengths = np.diff(begins, append=len(order))
    whole: list[NDArray[np.int64]] = [
        b + np.arange(0, n - _RUN + 1, _RUN) for b, n in zip(begins, lengths, strict=True)
    ]
    starts = _few_of_each(np.concatenate([np.empty(0, np.int64), *whole]), attempts.learner[skilled[order]])
    starts = starts[:: max(1, len(starts) // _MOST_RUNS)]
    runs: NDArray[np.int64] = skilled[order[starts[:, None] + np.arange(_RUN)]]
    return runs


def _few_of_each(starts: NDArray[np.int64], learner: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most a hundred runs of one learner: one who answered most must not speak for all."""
    frame = pl.DataFrame({"start": starts, "learner": learner[starts]})
    return frame.filter(pl.int_range(pl.len()).over("learner") < _MOST_OF_ONE)["start"].to_numpy()
