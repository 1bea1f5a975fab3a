"""How good predictions of answers and times are: pure functions of arrays, with bootstrap intervals over learners.

Everywhere `success` is `(n,)` bool, `p` its predicted probability, `learner` the row of each answer's learner.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]
# A statistic of how often each learner counts, `(n_learners,)`: all once for the value, redrawn for the interval.
Statistic = Callable[[Floats], float]

N_DRAWS = 200
N_BINS = 10
MIN_ANSWERS = 10
# Half the width of the central 80 % of a normal distribution, in standard deviations.
_Z80 = 1.2815515655446004
_CLIP = 1e-4


@dataclass(frozen=True, slots=True)
class Metric:
    """A value, its 95 % interval, and the learners it rests on; NaN where it cannot be said."""

    value: float
    low: float
    high: float
    n_learners: int


def answer_metrics(success: Flags, p: Floats, learner: Rows, *, seed: int) -> dict[str, Metric]:
    """AUC, log-loss, calibration, accuracy, RMSE, mean AUC by learner, and bias (predicted minus observed).

    Log-loss clips `p` to [1e-4, 1 - 1e-4]; ECE has ten bins of equal width; the mean over learners takes those with
    ten answers or more and both outcomes.
    """
    learner, n = _dense(learner)
    q, y = np.clip(p, _CLIP, 1 - _CLIP), success.astype(np.float64)
    aucs = learner_aucs(success, p, learner)
    placed = np.isfinite(aucs) & (np.bincount(learner, minlength=n) >= MIN_ANSWERS)
    statistics = {
        "auc": auc_statistic(success, p, learner),
        "log_loss": _mean(-np.where(success, np.log(q), np.log(1 - q)), learner),
        "ece": _ece(y, p, learner, n),
        "accuracy": _mean(((p >= 0.5) == success).astype(np.float64), learner),
        "rmse": _root(_mean((y - p) ** 2, learner)),
        "bias": _mean(p - y, learner),
        "learner_auc": _weighted(np.where(placed, aucs, 0.0), placed.astype(np.float64)),
    }
    counts = {"learner_auc": int(placed.sum())}
    return with_intervals(statistics, n, counts, seed=seed)


def auc_metric(success: Flags, p: Floats, learner: Rows, *, seed: int) -> Metric:
    """The area under the ROC curve alone."""
    learner, n = _dense(learner)
    return with_intervals({"auc": auc_statistic(success, p, learner)}, n, {}, seed=seed)["auc"]


def pace_metrics(log_seconds: Floats, mean: Floats, sd: Floats, learner: Rows, *, seed: int) -> dict[str, Metric]:
    """MAE, RMSE, Gaussian negative log-likelihood, coverage of the central 80 %, and bias, all of log-seconds."""
    learner, n = _dense(learner)
    error = mean - log_seconds
    statistics = {
        "mae": _mean(np.abs(error), learner),
        "rmse": _root(_mean(error**2, learner)),
        "nll": _mean(0.5 * np.log(2 * np.pi) + np.log(sd) + error**2 / (2 * sd**2), learner),
        "coverage80": _mean((np.abs(error) <= _Z80 * sd).astype(np.float64), learner),
        "bias": _mean(error, learner),
    }
    return with_intervals(statistics, n, {}, seed=seed)


def mean_metrics(values: Mapping[str, Floats], learner: Rows, *, seed: int) -> dict[str, Metric]:
    """The mean of each of these values, all of the same events."""
    learner, n = _dense(learner)
    return with_intervals({name: _mean(told, learner) for name, told in values.items()}, n, {}, seed=seed)


def with_intervals(
    statistics: Mapping[str, Statistic], n_learners: int, counts: Mapping[str, int], *, seed: int
) -> dict[str, Metric]:
    """Each statistic of all learners with its 95 % percentile bootstrap interval; all share the same draws.

    `counts` says on how many learners a statistic rests, where that is not on all.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(N_DRAWS if n_learners else 0):
        weights = np.bincount(rng.integers(0, n_learners, n_learners), minlength=n_learners).astype(np.float64)
        for name, statistic in statistics.items():
            drawn[name].append(statistic(weights))
    ones = np.ones(n_learners)
    return {
        name: Metric(statistic(ones), *_middle(drawn[name]), counts.get(name, n_learners))
        for name, statistic in statistics.items()
    }


def _middle(values: list[float]) -> tuple[float, float]:
    known = np.array(values)[np.isfinite(values)]
    if not len(known):
        return (float("nan"), float("nan"))
    low, high = np.percentile(known, [2.5, 97.5])
    return (float(low), float(high))


def auc_statistic(success: Flags, p: Floats, learner: Rows) -> Statistic:
    """The share of pairs of a success and a failure that `p` puts in order, ties half; sorted once for all draws."""
    order = np.argsort(p, kind="stable")
    wins, losses = order[success[order]], order[~success[order]]
    below = np.searchsorted(p[losses], p[wins], side="left")
    not_above = np.searchsorted(p[losses], p[wins], side="right")
    winner, loser = learner[wins], learner[losses]

    def statistic(weights: Floats) -> float:
        counted = weights[winner]
        lost = np.concatenate([[0.0], np.cumsum(weights[loser])])
        pairs = counted.sum() * lost[-1]
        return float(counted @ (lost[below] + lost[not_above]) / 2 / pairs) if pairs else float("nan")

    return statistic


def learner_aucs(success: Flags, p: Floats, learner: Rows) -> Floats:
    """The AUC within each learner's own answers: `(n_learners,)`, NaN where they have but one outcome."""
    n = int(learner.max(initial=-1)) + 1
    order = np.lexsort((p, learner))
    whose, sorted_p, won = learner[order], p[order], success[order].astype(np.float64)
    starts = np.flatnonzero(np.diff(whose, prepend=-1).astype(bool) | np.diff(sorted_p, prepend=-1.0).astype(bool))
    wins, losses = (np.add.reduceat(x, starts) if len(starts) else x for x in (won, 1 - won))
    of_run = whose[starts]
    all_wins, all_losses = np.bincount(of_run, wins, n), np.bincount(of_run, losses, n)
    below = np.cumsum(losses) - losses / 2 - (np.cumsum(all_losses) - all_losses)[of_run]
    pairs = all_wins * all_losses
    ordered = np.bincount(of_run, wins * below, n)
    aucs: Floats = np.divide(ordered, pairs, out=np.full(n, np.nan), where=pairs > 0)
    return aucs


def reliability(success: Flags, p: Floats) -> list[dict[str, float]]:
    """By bin of predicted probability that holds any: its edges, its answers, mean predicted and mean observed."""
    bins = _bins(p)
    n = np.bincount(bins, minlength=N_BINS)
    predicted, observed = (np.bincount(bins, x, N_BINS) for x in (p, success))
    return [
        {
            "from": row / N_BINS,
            "to": (row + 1) / N_BINS,
            "answers": int(n[row]),
            "predicted": float(predicted[row] / n[row]),
            "observed": float(observed[row] / n[row]),
        }
        for row in np.flatnonzero(n).tolist()
    ]


def half_gains(values: Floats, learner: Rows) -> tuple[Floats, Rows]:
    """Each learner's mean of the later half of their values minus that of the earlier half, and how many they have.

    Values stand in each learner's own sequence; of an odd number the middle one counts in neither half. NaN below two.
    """
    n_learners = int(learner.max(initial=-1)) + 1
    order = np.argsort(learner, kind="stable")
    whose, n = learner[order], np.bincount(learner, minlength=n_learners)
    place, half = np.arange(len(whose)) - (np.cumsum(n) - n)[whose], (n // 2)[whose]
    signed = np.where(place < half, -1.0, np.where(place >= n[whose] - half, 1.0, 0.0)) * values[order]
    halves = n // 2
    gains = np.divide(np.bincount(whose, signed, n_learners), halves, out=np.full(n_learners, np.nan), where=halves > 0)
    return gains, n.astype(np.int64)


def mean_of_others(values: Floats, item: Rows, learner: Rows, *, strength: float) -> Floats:
    """For each row the mean value of its item among other learners, leaning on the overall mean: `(n,)`."""
    pair = np.unique(learner * (int(item.max(initial=0)) + 1) + item, return_inverse=True)[1].reshape(-1)
    total = np.bincount(item, values)[item] - np.bincount(pair, values)[pair]
    n = np.bincount(item)[item] - np.bincount(pair)[pair]
    mean: Floats = (total + strength * (values.mean() if len(values) else 0.0)) / (n + strength)
    return mean


def _dense(learner: Rows) -> tuple[Rows, int]:
    """The same learners as rows without gaps, and how many they are."""
    known, rows = np.unique(learner, return_inverse=True)
    return rows.reshape(-1).astype(np.int64), len(known)


def _sums(rows: Rows, values: Floats, n: int = 0) -> Floats:
    """The sum of the values of each row: `(n,)` or more."""
    return np.asarray(np.bincount(rows, values, n), dtype=np.float64)


def _bins(p: Floats) -> Rows:
    return np.minimum((p * N_BINS).astype(np.int64), N_BINS - 1)


def _weighted(sums: Floats, counts: Floats) -> Statistic:
    def statistic(weights: Floats) -> float:
        n = weights @ counts
        return float(weights @ sums / n) if n else float("nan")

    return statistic


def _mean(values: Floats, learner: Rows) -> Statistic:
    return _weighted(_sums(learner, values), _sums(learner, np.ones(len(learner))))


def _root(statistic: Statistic) -> Statistic:
    return lambda weights: float(np.sqrt(statistic(weights)))


def _ece(y: Floats, p: Floats, learner: Rows, n: int) -> Statistic:
    gaps = _sums(learner * N_BINS + _bins(p), p - y, n * N_BINS).reshape(n, N_BINS)
    counts = np.bincount(learner, minlength=n)

    def statistic(weights: Floats) -> float:
        answers = weights @ counts
        return float(np.abs(weights @ gaps).sum() / answers) if answers else float("nan")

    return statistic
