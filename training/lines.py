"""Fit the straight line beside the adapted logit: ridge-penalised logistic regression, by Newton's method."""

import numpy as np
from numpy.typing import NDArray

from engine.learner.line import LINE_COLUMNS, Line, no_line, standardised

_RIDGE = 50.0
_STEPS, _ENOUGH = 50, 1e-9
LEAST_LINE_ROWS = 100


def fit_line(x: NDArray[np.float32], y: NDArray[np.float64]) -> Line:
    """The line for `(n, 14)` columns `LINE_COLUMNS` and `(n,)` outcomes in [0, 1]; with few rows the logit stays."""
    if len(y) < LEAST_LINE_ROWS:
        return no_line()
    mean, scale = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64) + 1e-6
    z = np.column_stack([standardised(x, mean, scale), np.ones(len(y))])
    start = x[:, 0].astype(np.float64)
    penalty = np.full(z.shape[1], _RIDGE)
    penalty[-1] = 1.0
    w = np.zeros(z.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-(start + z @ w)))
        slope = z.T @ (y - p) - penalty * w
        bend = (z * (p * (1.0 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        w += step
        if np.abs(step).max() < _ENOUGH:
            break
    assert len(w) == len(LINE_COLUMNS) + 1
    return Line(mean, scale, w[:-1], w[-1:])
