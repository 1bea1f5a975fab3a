"""Fit how long answers take: trees for log seconds, and trees for how far they spread."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import Forest
from training.chances import MASTERY
from training.samples import Sample
from training.trees import bounded, constant, grow, mean_of

# Trees for the mean and for the median of log seconds: their average beats either, on short answers and on long ones.
MEAN: dict[str, Any] = {**MASTERY, "objective": "l2"}
MEDIAN: dict[str, Any] = {**MASTERY, "objective": "l1", "learning_rate": 0.05}
N_MEAN_TREES, N_MEDIAN_TREES = 350, 400
# Rougher ones tell how far they are off on learners they have not seen.
ROUGH: dict[str, Any] = {**MEAN, "learning_rate": 0.05}
N_ROUGH_TREES = 200
SPREAD: dict[str, Any] = {**ROUGH, "objective": "gamma", "num_leaves": 8, "min_data_in_leaf": 200}
N_SPREAD_TREES = 100
# With fewer times trees start from the usual ones and only mend them; with a handful there is nothing to mend.
OWN_ROWS, LEAST_ROWS = 5_000, 400
# The spread is set so that four fifths of the times fall inside what a normal law calls its middle four fifths.
_COVERED, _NORMAL_QUANTILE = 0.8, 1.2815515655
_UNTIMED_SPREAD, _LEAST_VARIANCE = 1.0, 1e-3
_FEW_TIMES = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """Trees for log seconds and for the log of their variance, the factor of the spread, and what the first add to."""

    forest: Forest
    spread: Forest
    scale: float
    from_usual: bool


def fit_pace(sample: Sample, *, seed: int, pool: Executor) -> Pace:
    """The mean of trees for the mean and for the median, and a spread that covers what it claims."""
    if len(sample) < LEAST_ROWS:
        errors = sample.y - sample.usual
        variance = float(np.mean(errors**2)) if len(errors) > _FEW_TIMES else _UNTIMED_SPREAD**2
        return Pace(constant(0.0), constant(float(np.log(max(variance, _LEAST_VARIANCE)))), 1.0, True)
    final = [
        pool.submit(_grown, sample, MEAN, N_MEAN_TREES, seed),
        pool.submit(_grown, sample, MEDIAN, N_MEDIAN_TREES, seed),
    ]
    errors = np.abs(sample.y - _out_of_fold(sample, seed))
    squares = np.clip(errors**2, 1e-4, np.quantile(errors**2, 0.995))
    told = bounded(SPREAD, sample.x)
    spread = grow(sample.x, squares, n_trees=N_SPREAD_TREES, parameters=told, seed=seed, threads=1)
    claimed = np.exp(0.5 * spread.sums(sample.x))
    scale = float(np.quantile(errors / claimed, _COVERED) / _NORMAL_QUANTILE)
    return Pace(mean_of([job.result() for job in final]), spread, scale, _start(sample) is not None)


def _start(sample: Sample) -> NDArray[np.float64] | None:
    return sample.usual if len(sample) < OWN_ROWS else None


def _out_of_fold(sample: Sample, seed: int) -> NDArray[np.float64]:
    """Predictions of each half of the learners by trees grown on the other."""
    guess = sample.usual.copy()
    even = sample.part % 2 == 0
    for half in (even, ~even):
        if half.any() and not half.all():
            fitted, asked = sample.where(~half), sample.where(half)
            base = 0.0 if _start(fitted) is None else asked.usual
            guess[half] = _grown(fitted, ROUGH, N_ROUGH_TREES, seed).sums(asked.x) + base
    return guess


def _grown(sample: Sample, parameters: dict[str, Any], n_trees: int, seed: int) -> Forest:
    told = bounded(parameters, sample.x)
    return grow(sample.x, sample.y, n_trees=n_trees, parameters=told, seed=seed, threads=1, offset=_start(sample))
