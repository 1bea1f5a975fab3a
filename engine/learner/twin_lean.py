"""A learner's own leanings as `kernels.c` follows them, said in Python: the same operations in the same order."""

import math
from dataclasses import dataclass

from engine.learner.kernels import N_LEAN
from engine.learner.twin_features import Asked
from engine.learner.twin_state import LEAN_PRIOR, Whole, larger, regime

LEAN_DRIFT = 0.002


@dataclass(frozen=True, slots=True)
class Lean:
    """Eight facts of a row, the logit they start from, how far the learner leans there, and the variance of that."""

    x: list[float]
    logit: float
    leaning: float
    variance: float


def lean_of(q: Asked, whole: Whole, *, z: float, t: float) -> Lean:
    """How this learner's answers lean away from the logit `z` at the minute `t`."""
    item, r = q.item, regime(q.item)
    seen, minutes = float(item.n > 0), larger(t - item.last_t, 0.0)
    x = [
        1.0,
        float(r == 1),
        float(r == 2),
        seen * (_smaller(larger(math.log(0.05 + minutes), -3.0), 12.0) / 4.0 - 0.4),
        seen * float(minutes > 60.0),
        _smaller(larger(q.b, -3.0), 3.0) / 1.5,
        seen * (math.log1p(item.n) - 0.9),
        _smaller(math.log1p(float(whole.n_events)), 12.0) / 5.0 - 0.8,
    ]
    leaning = variance = 0.0
    for a, u in enumerate(_spread(whole, x)):
        leaning += whole.lean[a] * x[a]
        variance += u * x[a]
    return Lean(x, z + q.regime_item + q.regime_skill, leaning, variance)


def lean_on(whole: Whole, lean: Lean, y: float) -> None:
    """The Kalman step after an answer."""
    p = sigmoid(lean.logit + lean.leaning)
    h = p * (1.0 - p)
    c = 1.0 / (1.0 + h * lean.variance)
    u = _spread(whole, lean.x)
    for a in range(N_LEAN):
        whole.lean[a] += u[a] * c * (y - p)
        for b in range(N_LEAN):
            whole.lean_var[a][b] -= h * c * u[a] * u[b]
        if whole.lean_var[a][a] < LEAN_PRIOR[a]:
            whole.lean_var[a][a] += LEAN_DRIFT * LEAN_PRIOR[a]


def sigmoid(z: float) -> float:
    """The probability of a logit."""
    try:
        return 1.0 / (1.0 + math.exp(-z))
    except OverflowError:
        # C goes on with infinity here.
        return 0.0


def _spread(whole: Whole, x: list[float]) -> list[float]:
    spread = []
    for row in whole.lean_var:
        total = 0.0
        for variance, fact in zip(row, x, strict=True):
            total += variance * fact
        spread.append(total)
    return spread


def _smaller(a: float, b: float) -> float:
    return a if a < b else b
