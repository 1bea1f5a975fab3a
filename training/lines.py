"""Fit the straight line beside the adapted logit: ridge-penalised logistic regression, free or within bounds."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from engine.learner.features import NAMES
from engine.learner.line import LINE_COLUMNS, Line, no_line, standardised

_RIDGE = 50.0
_STEPS, _ENOUGH = 50, 1e-9
LEAST_LINE_ROWS = 100

Values = NDArray[np.float64]


def fit_line(x: NDArray[np.float32], y: NDArray[np.float64], *, lawful: bool = False) -> Line:
    """The line for `(n, 14)` columns `LINE_COLUMNS` and `(n,)` outcomes in [0, 1]; with few rows the logit stays.

    `lawful`: no weight makes a right answer lower the estimate, or a wrong one raise it (`training.law`).
    """
    if len(y) < LEAST_LINE_ROWS:
        return no_line()
    mean, scale = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64) + 1e-6
    z = np.column_stack([standardised(x, mean, scale), np.ones(len(y))])
    start = x[:, 0].astype(np.float64)
    penalty = np.full(z.shape[1], _RIDGE)
    penalty[-1] = 1.0
    assert z.shape[1] == len(LINE_COLUMNS) + 1
    w = _bounded(z, y, start, penalty, _least(scale)) if lawful else _free(z, y, start, penalty)
    return Line(mean, scale, w[:-1], w[-1:])


def _free(z: Values, y: Values, start: Values, penalty: Values) -> Values:
    w = np.zeros(z.shape[1])
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-(start + z @ w)))
        slope = z.T @ (y - p) - penalty * w
        bend = (z * (p * (1.0 - p))[:, None]).T @ z + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        w += step
        if np.abs(step).max() < _ENOUGH:
            break
    return w


def _bounded(z: Values, y: Values, start: Values, penalty: Values, least: Values) -> Values:
    def off(w: Values) -> tuple[float, Values]:
        logit = start + z @ w
        loss = np.logaddexp(0.0, logit) - y * logit
        error = 1.0 / (1.0 + np.exp(-logit)) - y
        return float(loss.sum() + 0.5 * (penalty * w) @ w), z.T @ error + penalty * w

    bounds = [(low, None) for low in least]
    found = minimize(off, np.zeros(len(least)), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return np.asarray(found.x)


def _least(scale: Values) -> Values:
    """The least weight of each column and of the bias: the first column also counts in full beside its weight."""
    free = [NAMES[column].startswith(("item.", "difficulty")) for column in LINE_COLUMNS]
    least = np.where([*free, True], -np.inf, 0.0)
    least[0] = -scale[0]
    return least
