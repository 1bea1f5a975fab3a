"""Fit the small network: AdamW with dropout, in numpy, the same for the same seed."""

import numpy as np
from numpy.typing import NDArray

from engine.learner.net import Floats, Net, standardised
from training.law import Law

HIDDEN = (64, 32)
EPOCHS, BATCH = 12, 256
RATE, DECAY, DROPOUT, INPUT_DROPOUT = 2e-3, 0.02, 0.3, 0.1
_FIRST_MOMENT, _SECOND_MOMENT = 0.9, 0.99

Weights = dict[str, Floats]
_UNDECAYED = ("first_bias", "second_bias", "bias")


def fit_net(
    x: Floats, y: NDArray[np.float64], item_row: NDArray[np.int32], *, n_items: int, seed: int, law: Law | None = None
) -> Net:
    """The network for `(n, d)` features and `(n,)` outcomes in [0, 1], by cross-entropy.

    Under a law no weight leads the way a column may not: those beyond the first layer are never negative.
    """
    mean, scale = x.mean(0), x.std(0) + np.float32(1e-6)
    z, target = standardised(x, mean, scale), y.astype(np.float32)
    rng = np.random.default_rng(seed)
    weights = _start(x.shape[1], n_items, rng)
    if law is not None:
        # Half of them would stand at zero otherwise, and stay there.
        weights["first"] = np.abs(weights["first"]) * np.where(law.sign == 0, np.sign(weights["first"]).T, law.sign).T
        weights["second"] = np.abs(weights["second"])
    moments = [{name: np.zeros_like(w) for name, w in weights.items()} for _ in range(2)]
    n_steps, step = EPOCHS * -(-len(y) // BATCH), 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(y))
        for first in range(0, len(y), BATCH):
            rows = order[first : first + BATCH]
            slopes = _slopes(weights, z[rows], target[rows], item_row[rows], rng)
            step += 1
            _move(weights, slopes, moments, step, RATE * (1 - step / n_steps) + 1e-5)
            if law is not None:
                _bind(weights, law)
    weights["item_shift"][-1] = 0
    weights["item_bias"][-1] = 0
    return Net(mean=mean, scale=scale, **weights)


def _start(d: int, n_items: int, rng: np.random.Generator) -> Weights:
    one, two = HIDDEN
    weights = {
        "first": rng.normal(0, np.sqrt(1 / d), (d, one)),
        "first_bias": np.zeros(one),
        "item_shift": np.zeros((n_items + 1, one)),
        "second": rng.normal(0, np.sqrt(2 / one), (one, two)),
        "second_bias": np.zeros(two),
        "out": np.zeros(two),
        "straight": np.zeros(d),
        "item_bias": np.zeros(n_items + 1),
        "bias": np.zeros(1),
    }
    return {name: w.astype(np.float32) for name, w in weights.items()}


def _slopes(w: Weights, x: Floats, y: Floats, item: NDArray[np.int32], rng: np.random.Generator) -> Weights:
    """The gradient of the mean cross-entropy of one batch, under dropout."""
    x = x * _dropped(x.shape, INPUT_DROPOUT, rng)
    masks = [_dropped((len(x), width), DROPOUT, rng) for width in HIDDEN]
    one = np.maximum(x @ w["first"] + w["first_bias"] + w["item_shift"][item], 0) * masks[0]
    two = np.maximum(one @ w["second"] + w["second_bias"], 0) * masks[1]
    logit = two @ w["out"] + x @ w["straight"] + w["item_bias"][item] + w["bias"]
    error = ((1 / (1 + np.exp(-logit)) - y) / np.float32(len(y))).astype(np.float32)
    at_two = np.outer(error, w["out"]) * (two > 0) * masks[1]
    at_one = (at_two @ w["second"].T) * (one > 0) * masks[0]
    shift = np.zeros_like(w["item_shift"])
    np.add.at(shift, item, at_one)
    return {
        "first": x.T @ at_one,
        "first_bias": at_one.sum(0),
        "item_shift": shift,
        "second": one.T @ at_two,
        "second_bias": at_two.sum(0),
        "out": two.T @ error,
        "straight": x.T @ error,
        "item_bias": np.bincount(item, error, len(w["item_bias"])).astype(np.float32),
        "bias": error.sum(keepdims=True),
    }


def _move(w: Weights, slopes: Weights, moments: list[Weights], step: int, rate: float) -> None:
    """One step of AdamW, in place."""
    first, second = moments
    for name, slope in slopes.items():
        first[name] += np.float32(1 - _FIRST_MOMENT) * (slope - first[name])
        second[name] += np.float32(1 - _SECOND_MOMENT) * (slope * slope - second[name])
        size = np.sqrt(second[name] / np.float32(1 - _SECOND_MOMENT**step)) + np.float32(1e-7)
        w[name] -= np.float32(rate / (1 - _FIRST_MOMENT**step)) * first[name] / size
        if name not in _UNDECAYED:
            w[name] -= np.float32(rate * DECAY) * w[name]


def _bind(w: Weights, law: Law) -> None:
    """The weights moved to the nearest that keep the law, in place."""
    least = np.where(law.looked & (law.sign <= 0), -np.inf, 0).astype(np.float32)
    most = np.where(law.looked & (law.sign >= 0), np.inf, 0).astype(np.float32)
    np.clip(w["first"], least[:, None], most[:, None], out=w["first"])
    np.clip(w["straight"], least, most, out=w["straight"])
    for name in ("second", "out"):
        np.maximum(w[name], 0, out=w[name])


def _dropped(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Floats:
    kept = rng.random(shape, dtype=np.float32) > share
    return kept.astype(np.float32) / np.float32(1 - share)
