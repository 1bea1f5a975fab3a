"""Fit the learner model: difficulties first, then trees over the features of every answer."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.learner.features import COLUMN, NAMES
from engine.learner.forest import Forest
from engine.learner.kernels import Prepared, Statics, encode
from engine.learner.model import N_SKILL_ITEMS, LearnerModel
from engine.learner.net import Net
from engine.learner.rows import Vocabulary
from training.attempts import Attempts, attempts_of, vocabulary_of
from training.difficulties import fit_statics, last_fold
from training.doubt import doubt_of
from training.nets import fit_net
from training.trees import grow

Report = Callable[[str, float], None]
Floats = NDArray[np.float32]

# More rows hardly change the trees, but their time; they are drawn from all learners alike.
MASTERY_ROWS, PACE_ROWS = 120_000, 80_000
# With fewer answers trees start from the difficulties and only mend them; with a handful there is nothing to mend.
OWN_LOGIT_ROWS, LEAST_ROWS = 5_000, 400
# A network beside the trees helps where answers are few: fitted for these, weighed on a quarter of the learners.
LEAST_NET_ROWS, MOST_NET_ROWS = 2_000, 100_000
NET_SHARES = (0.0, 0.25, 0.5)
_APART = 4
N_COLUMNS_A_TREE = 50
MASTERY = {
    "objective": "cross_entropy", "learning_rate": 0.03, "num_leaves": 20, "min_data_in_leaf": 40, "max_bin": 63,
    "bagging_fraction": 0.8, "lambda_l2": 10.0,
}  # fmt: skip
N_MASTERY_TREES = 350
PACE = {**MASTERY, "learning_rate": 0.05}
N_PACE_TREES = 200
SPREAD = {**PACE, "objective": "gamma", "num_leaves": 8, "min_data_in_leaf": 200}
N_SPREAD_TREES = 100
# The spread is set so that four fifths of the times fall inside what a normal law calls its middle four fifths.
_COVERED, _NORMAL_QUANTILE = 0.8, 1.2815515655
_UNTIMED_SPREAD = 1.0
_FEW_TIMES = 20


@dataclass(frozen=True, slots=True)
class _Sample:
    """Rows to fit on: features `(n, n_columns)`, target, base, item rows, and the learner of each."""

    x: Floats
    y: NDArray[np.float64]
    base: NDArray[np.float64]
    item: NDArray[np.int32]
    learner: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> "_Sample":
        """The rows under a mask."""
        return _Sample(self.x[mask], self.y[mask], self.base[mask], self.item[mask], self.learner[mask])

    @property
    def start(self) -> NDArray[np.float64] | None:
        """What trees start from: with few rows the difficulties, else nothing."""
        return self.base if len(self.y) < OWN_LOGIT_ROWS else None


def fit_learner_model(
    frame: pl.DataFrame, *, minutes: Mapping[str, float], format_mix: Mapping[str, float], seed: int, report: Report
) -> LearnerModel:
    """The learner model of a log's answers and exposures (`training.attempts.frame_of`).

    `minutes` are declared ones by resource id; `format_mix` the shares of formats in what was taken up.
    """
    report("counting items and skills", 0.0)
    vocabulary = vocabulary_of(frame, minutes)
    attempts = attempts_of(frame, vocabulary)
    statics, folds = fit_statics(attempts, vocabulary)
    report("reading every answer's features", 0.3)
    columns, mastery, pace = _samples(attempts, statics, folds, seed)
    report("growing trees", 0.5)
    with ThreadPoolExecutor(2) as pool:
        success = pool.submit(_mastery, mastery, len(vocabulary.item_keys), seed)
        trees, spread, scale = _pace(pace, seed, pool)
        chance, net, net_weight = success.result()
    final = last_fold(statics)
    return LearnerModel(
        version="",
        vocabulary=vocabulary,
        prepared=Prepared(final),
        columns=columns,
        mastery=chance,
        net=net,
        net_weight=net_weight,
        pace=trees,
        spread=spread,
        spread_scale=scale,
        from_logit=mastery.start is not None,
        from_usual=pace.start is not None,
        skill_items=_skill_items(attempts, vocabulary),
        doubt=doubt_of(attempts, statics, folds),
        format_mix=format_mix,
    )


def _samples(
    attempts: Attempts, statics: Statics, folds: NDArray[np.int32], seed: int
) -> tuple[NDArray[np.int32], _Sample, _Sample]:
    """The columns worth looking at, and rows drawn for mastery and for pace."""
    rows, rng = attempts.rows, np.random.default_rng(seed)
    answered = np.flatnonzero(np.isfinite(rows.y))
    for_mastery = _drawn(answered, MASTERY_ROWS, rng)
    for_pace = _drawn(answered[np.isfinite(rows.seconds[answered])], PACE_ROWS, rng)
    wanted = np.union1d(for_mastery, for_pace)
    kept = np.full(len(rows), -1, np.int64)
    kept[wanted] = np.arange(len(wanted))
    everything = np.arange(len(NAMES), dtype=np.int32)
    x = _encoded(attempts, statics, folds, everything, kept, len(wanted))
    columns = _telling(x)
    chosen = np.ascontiguousarray(x[:, columns])
    learner = attempts.learner

    def sample(at: NDArray[np.int64], y: NDArray[np.float64], base: str) -> _Sample:
        place = kept[at]
        return _Sample(chosen[place], y[at], x[place, COLUMN[base]].astype(np.float64), rows.item_row[at], learner[at])

    with np.errstate(invalid="ignore"):
        log_seconds = np.log(rows.seconds)
    return (
        columns.astype(np.int32),
        sample(for_mastery, rows.y, "logit_regimes"),
        sample(for_pace, log_seconds, "expected_log_seconds"),
    )


def _encoded(
    attempts: Attempts,
    statics: Statics,
    folds: NDArray[np.int32],
    columns: NDArray[np.int32],
    kept: NDArray[np.int64],
    n: int,
) -> Floats:
    """Features of the kept rows, each learner read with statics it had no part in, on two cores."""
    out = np.empty((n, len(columns)), np.float32)
    prepared = Prepared(statics)
    halves = _halves(attempts)
    with ThreadPoolExecutor(len(halves)) as pool:
        jobs = [
            pool.submit(
                encode, prepared, attempts.rows, attempts.learner_ptr,
                folds=folds, columns=columns, kept=kept, learners=half, out=out,
            )
            for half in halves
        ]  # fmt: skip
        for job in jobs:
            job.result()
    return out


def _halves(attempts: Attempts) -> list[tuple[int, int]]:
    middle = int(np.searchsorted(attempts.learner_ptr, len(attempts.rows) // 2))
    middle = min(max(middle, 0), attempts.n_learners)
    return [(0, middle), (middle, attempts.n_learners)]


def _drawn(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _telling(x: Floats) -> NDArray[np.int64]:
    """Columns that vary and repeat no earlier one: where each row has one skill, many say the same."""
    some = x[:: max(1, len(x) // 5_000)]
    seen: set[bytes] = set()
    kept = []
    for column in np.flatnonzero(np.ptp(some, axis=0) > 1e-7) if len(some) else ():
        content = some[:, column].tobytes()
        if content not in seen:
            seen.add(content)
            kept.append(column)
    return np.array(kept, np.int64)


def _mastery(sample: _Sample, n_items: int, seed: int) -> tuple[Forest, Net | None, float]:
    """Trees for the logit of success, the network where answers are few enough, and its share."""
    if len(sample.y) < LEAST_ROWS or not sample.x.shape[1]:
        return constant(0.0), None, 0.0
    share = _net_share(sample, n_items, seed)
    forest = _grown(sample, MASTERY, N_MASTERY_TREES, seed)
    if not share:
        return forest, None, 0.0
    return forest, fit_net(sample.x, sample.y, sample.item, n_items=n_items, seed=seed), share


def _net_share(sample: _Sample, n_items: int, seed: int) -> float:
    """The share of the network that does best on learners kept apart; trees alone where there are many answers."""
    apart = sample.learner % _APART == 0
    if not LEAST_NET_ROWS <= len(sample.y) <= MOST_NET_ROWS or apart.all() or not apart.any():
        return 0.0
    fitted, asked = sample.where(~apart), sample.where(apart)
    trees = _said(_grown(fitted, MASTERY, N_MASTERY_TREES, seed), fitted, asked)
    net = fit_net(fitted.x, fitted.y, fitted.item, n_items=n_items, seed=seed).logits(asked.x, asked.item)
    return min(NET_SHARES, key=lambda share: _loss((1 - share) * trees + share * net, asked.y))


def _said(forest: Forest, fitted: _Sample, asked: _Sample) -> NDArray[np.float64]:
    return forest.sums(asked.x) + (0.0 if fitted.start is None else asked.base)


def _loss(logit: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.mean(np.logaddexp(0.0, logit) - y * logit))


def _pace(sample: _Sample, seed: int, pool: ThreadPoolExecutor) -> tuple[Forest, Forest, float]:
    """Trees for log seconds and for their spread, and the factor that makes the spread cover what it claims."""
    if len(sample.y) < LEAST_ROWS or not sample.x.shape[1]:
        errors = sample.y - sample.base
        variance = float(np.mean(errors**2)) if len(errors) > _FEW_TIMES else _UNTIMED_SPREAD**2
        return constant(0.0), constant(float(np.log(max(variance, 1e-3)))), 1.0
    final = [pool.submit(_grown, sample, {**PACE, "objective": o}, N_PACE_TREES, seed) for o in ("l2", "l1")]
    errors = np.abs(sample.y - _out_of_fold(sample, seed))
    squares = np.clip(errors**2, 1e-4, np.quantile(errors**2, 0.995))
    spread = grow(sample.x, squares, n_trees=N_SPREAD_TREES, parameters=_bounded(SPREAD, sample), seed=seed, threads=1)
    told = np.exp(0.5 * spread.sums(sample.x))
    scale = float(np.quantile(errors / told, _COVERED) / _NORMAL_QUANTILE)
    return mean_of([job.result() for job in final]), spread, scale


def _out_of_fold(sample: _Sample, seed: int) -> NDArray[np.float64]:
    """Predictions of each half of the learners by trees grown on the other."""
    guess = np.full(len(sample.y), float(sample.y.mean()))
    even = sample.learner % 2 == 0
    for half in (even, ~even):
        if half.any() and not half.all():
            fitted = sample.where(~half)
            forest = _grown(fitted, {**PACE, "objective": "l2"}, N_PACE_TREES, seed)
            guess[half] = _said(forest, fitted, sample.where(half))
    return guess


def _grown(sample: _Sample, parameters: Mapping[str, Any], n_trees: int, seed: int) -> Forest:
    told = _bounded(parameters, sample)
    return grow(sample.x, sample.y, n_trees=n_trees, parameters=told, seed=seed, threads=1, offset=sample.start)


def _bounded(parameters: Mapping[str, Any], sample: _Sample) -> dict[str, Any]:
    return {**parameters, "feature_fraction": min(1.0, N_COLUMNS_A_TREE / sample.x.shape[1])}


def constant(value: float) -> Forest:
    """A forest of one leaf."""
    none = np.empty(0, np.int32)
    return Forest(np.zeros(2, np.int64), np.array([0, 1]), none, np.empty(0, np.float32), none, none, np.array([value]))


def mean_of(forests: list[Forest]) -> Forest:
    """One forest that says the mean of several."""
    share = 1.0 / len(forests)
    return Forest(
        node_ptr=_joined([f.node_ptr for f in forests]),
        leaf_ptr=_joined([f.leaf_ptr for f in forests]),
        column=np.concatenate([f.column for f in forests]),
        threshold=np.concatenate([f.threshold for f in forests]),
        left=np.concatenate([f.left for f in forests]),
        right=np.concatenate([f.right for f in forests]),
        leaf=np.concatenate([f.leaf * share for f in forests]),
    )


def _joined(pointers: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    sizes = np.concatenate([np.diff(p) for p in pointers])
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _skill_items(attempts: Attempts, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """For each skill the items most often answered under it, -1 where there are fewer: `(n_skills, 5)`."""
    rows = attempts.rows
    pairs = pl.DataFrame(
        {"skill": rows.skill_row, "item": np.repeat(rows.item_row, np.diff(rows.skill_ptr))},
        schema={"skill": pl.Int32(), "item": pl.Int32()},
    )
    counted = pairs.group_by("skill", "item").len().sort("skill", "len", "item", descending=[False, True, False])
    best = counted.with_columns(place=pl.int_range(pl.len()).over("skill")).filter(pl.col("place") < N_SKILL_ITEMS)
    result = np.full((len(vocabulary.skill_keys), N_SKILL_ITEMS), -1, np.int32)
    result[best["skill"].to_numpy(), best["place"].to_numpy()] = best["item"].to_numpy()
    return result
