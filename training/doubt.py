"""How far a learner's chance on a skill lies from what is predicted: the model's honest doubt."""

import numpy as np
from numpy.typing import NDArray

from engine.learner.features import COLUMN
from engine.learner.kernels import Prepared, Statics, encode
from training.attempts import Attempts

# Answers of one learner on one skill are looked at in runs of this many: long enough to tell luck from ability.
_RUN = 8
_MOST_RUNS = 40_000
_PRIOR = (1.0, 0.25)
_COLUMNS = ("logit_without_item", "difficulty", "rarest.information")


def doubt_of(attempts: Attempts, statics: Statics, folds: NDArray[np.int32]) -> tuple[float, float]:
    """a, b of the variance 1 / (a + b * information) of a logit, by moments.

    All answers of a run are predicted with the ability at its start. With predictions p, the square of the summed
    residuals exceeds the binomial sum of p (1 - p) by the variance of the logit times the square of that sum.
    Information is the sum of p (1 - p) before the run.
    """
    runs = _runs(attempts)
    if len(runs) < 50:
        return _PRIOR
    columns = np.array([COLUMN[name] for name in _COLUMNS], np.int32)
    kept = np.full(len(attempts.rows), -1, np.int64)
    kept[runs.ravel()] = np.arange(runs.size)
    x = encode(Prepared(statics), attempts.rows, attempts.learner_ptr, folds=folds, columns=columns, kept=kept).astype(
        np.float64
    )
    able, hard, information = x.T.reshape(3, -1, _RUN)
    p = 1.0 / (1.0 + np.exp(-(able - hard)[:, :1] - hard))
    binomial = (p * (1 - p)).sum(1)
    excess = (attempts.rows.y[runs] - p).sum(1) ** 2 - binomial
    return _fitted(information[:, 0], excess, binomial**2)


def _fitted(
    information: NDArray[np.float64], excess: NDArray[np.float64], square: NDArray[np.float64]
) -> tuple[float, float]:
    """The best 1 / (a + b x) through the variances of six bands of information."""
    order = np.argsort(information, kind="stable")
    bands = [band for band in np.array_split(order, 6) if len(band)]
    x = np.array([information[b].mean() for b in bands])
    variance = np.array([max(excess[b].sum() / max(square[b].sum(), 1e-9), 0.02) for b in bands])
    b, a = np.polyfit(x, 1.0 / variance, 1) if np.ptp(x) > 1e-6 else (0.0, 1.0 / variance.mean())
    return float(np.clip(a, 0.1, 50.0)), float(np.clip(b, 0.0, 10.0))


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
    starts = np.concatenate([np.empty(0, np.int64), *whole])
    starts = starts[:: max(1, len(starts) // _MOST_RUNS)]
    return skilled[order[starts[:, None] + np.arange(_RUN)]] if len(starts) else np.empty((0, _RUN), np.int64)
