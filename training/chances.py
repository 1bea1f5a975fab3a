"""Fit what says how likely an answer succeeds: trees, a network and a line, and the share of each."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.chance import Chance
from engine.learner.forest import Forest
from engine.learner.line import LINE_COLUMNS, Line, no_line
from engine.learner.net import Net
from training.law import Law
from training.lines import fit_line
from training.nets import fit_net
from training.samples import Sample
from training.trees import bounded, constant, grow

MASTERY: dict[str, Any] = {
    "objective": "cross_entropy", "learning_rate": 0.03, "num_leaves": 20, "min_data_in_leaf": 40, "max_bin": 63,
    "bagging_fraction": 0.8, "lambda_l2": 10.0,
}  # fmt: skip
N_TREES = 350
# A law leaves less to find out, and small trees find it.
LAWFUL_LEAVES = 8
# Trees and networks learn nothing true from a handful of answers, and with many the trees need no help.
LEAST_TREE_ROWS, LEAST_NET_ROWS, MOST_MIXED_ROWS = 1_000, 2_000, 100_000
# With so few learners none can be kept apart: what one learner's answers say of items is all there is.
LEAST_LEARNERS = 5
# Small logs take turns in being kept apart; one quarter of a large one tells enough.
_EVERY_PART_ROWS = 20_000
_STEPS = 4
_ONLY_TREES, _ONLY_LINE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)

Shares = tuple[float, float, float]
Logits = NDArray[np.float64]


def fit_chance(sample: Sample, *, n_items: int, seed: int, law: Law | None = None) -> Chance:
    """The members fitted on all rows of the sample, weighed by how they do on learners kept apart.

    All of them keep the law where one is given, and so does any mix of them.
    """
    if sample.n_learners < LEAST_LEARNERS:
        return Chance(constant(0.0), None, no_line(), _ONLY_LINE)
    shares = _shares(sample, n_items, seed, law)
    forest = _trees(sample, seed, law) if shares[0] else constant(0.0)
    net = _net(sample, n_items, seed, law) if shares[1] else None
    return Chance(forest, net, _line(sample, law), shares)


def _shares(sample: Sample, n_items: int, seed: int, law: Law | None) -> Shares:
    """Quarters for each member so that the log-loss on learners kept apart is least."""
    if len(sample) < LEAST_TREE_ROWS:
        return _ONLY_LINE
    if len(sample) > MOST_MIXED_ROWS:
        return _ONLY_TREES
    parts = range(_STEPS if len(sample) < _EVERY_PART_ROWS else 1)
    apart = [(sample.where(sample.part != k), sample.where(sample.part == k)) for k in parts]
    apart = [(fitted, asked) for fitted, asked in apart if len(fitted) and len(asked)]
    said = np.concatenate([_said(fitted, asked, n_items, seed, law) for fitted, asked in apart], axis=1)
    truth = np.concatenate([asked.y for _, asked in apart])
    return min(_grid(len(sample)), key=lambda shares: _loss(np.array(shares) @ said, truth))


def _grid(n: int) -> list[Shares]:
    quarters = [q / _STEPS for q in range(_STEPS + 1)]
    mixes = [(t, s, 1.0 - t - s) for t, s in product(quarters, quarters) if t + s <= 1.0]
    return [mix for mix in mixes if n >= LEAST_NET_ROWS or not mix[1]]


def _said(fitted: Sample, asked: Sample, n_items: int, seed: int, law: Law | None) -> NDArray[np.float64]:
    """Logits `(3, n)` of each member, fitted on some and asked of others."""
    net = _net(fitted, n_items, seed, law).logits(asked.x, asked.item) if len(fitted) >= LEAST_NET_ROWS // 2 else 0.0
    trees = _trees(fitted, seed, law).sums(asked.x)
    line = _line(fitted, law).logits(asked.x[:, : len(LINE_COLUMNS)])
    return np.vstack([trees, np.broadcast_to(net, trees.shape), line])


def _trees(sample: Sample, seed: int, law: Law | None) -> Forest:
    if law is None:
        told = bounded(MASTERY, sample.x)
        return grow(sample.x, sample.y, n_trees=N_TREES, parameters=told, seed=seed, threads=1)
    looked = np.flatnonzero(law.looked).astype(np.int32)
    x = np.ascontiguousarray(sample.x[:, looked])
    told = {**bounded(MASTERY, x), "num_leaves": LAWFUL_LEAVES, "monotone_constraints": law.sign[looked].tolist()}
    forest = grow(x, sample.y, n_trees=N_TREES, parameters=told, seed=seed, threads=1)
    return replace(forest, column=looked[forest.column])


def _net(sample: Sample, n_items: int, seed: int, law: Law | None) -> Net:
    return fit_net(sample.x, sample.y, sample.item, n_items=n_items, seed=seed, law=law)


def _line(sample: Sample, law: Law | None) -> Line:
    return fit_line(sample.x[:, : len(LINE_COLUMNS)], sample.y, lawful=law is not None)


def _loss(logit: Logits, y: NDArray[np.float64]) -> float:
    return float(np.mean(np.logaddexp(0.0, logit) - y * logit))
