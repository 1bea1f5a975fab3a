"""The best few of many rows, without sorting the many."""

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library


def best_rows(
    scores: NDArray[np.float64], allowed: NDArray[np.bool_], tie_break: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """The best `n` allowed rows, the highest first, equals in the order of `tie_break`; rows without a score never.

    `scores`, `allowed` and `tie_break` are `(n_rows,)`; the result has at most `n`.

    Raises:
        MemoryError: the machine has none left.
    """
    loaded = library()
    if loaded is None:
        return sorted_rows(scores, allowed, tie_break, n)
    n = min(n, len(scores))
    scores, allowed = np.ascontiguousarray(scores), np.ascontiguousarray(allowed)
    tie_break, out = np.ascontiguousarray(tie_break), np.empty(n, np.int64)
    found = loaded.best_rows(address(scores), address(allowed), address(tie_break), len(scores), n, address(out))
    if found < 0:
        raise MemoryError("not enough memory to choose the best")
    return out[:found]


def sorted_rows(
    scores: NDArray[np.float64], allowed: NDArray[np.bool_], tie_break: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """The same by sorting: the compiled choice's oracle and stand-in."""
    rows = np.flatnonzero(allowed & ~np.isnan(scores))
    return rows[np.lexsort((tie_break[rows], -scores[rows]))][:n]
