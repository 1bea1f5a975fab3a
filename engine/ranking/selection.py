"""The short list shown, out of everything that was ranked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# How many candidates are logged as considered for each slot.
N_CONSIDERED = 10


@dataclass(frozen=True, slots=True)
class Slate:
    """Positions into the candidates: `chosen` in order, `varied` those put in for variety, `ranked` the best of all."""

    chosen: tuple[int, ...]
    varied: frozenset[int]
    ranked: tuple[int, ...]

    def considered(self, slot: int) -> tuple[int, ...]:
        """The candidates considered for a slot: the chosen one, then the best that no earlier slot had taken."""
        earlier = set(self.chosen[:slot])
        others = [p for p in self.ranked if p not in earlier and p != self.chosen[slot]]
        return (self.chosen[slot], *others[: N_CONSIDERED - 1])


def slate_of(
    scores: NDArray[np.float64], formats: NDArray[np.int32], tie_break: NDArray[np.int64], *, k: int, variety: bool
) -> Slate:
    """The best `k` of `(n_candidates,)` scores, equals in the order of `tie_break`.

    With `variety` a slate of one format gives its last place to the best candidate of another, where there is one.
    """
    ranked = _best(scores, tie_break, k + N_CONSIDERED)
    chosen = ranked[:k]
    if variety and len(chosen) > 1 and len(set(formats[chosen])) == 1:
        others = np.flatnonzero(formats != formats[chosen[0]])
        if len(others):
            other = int(others[_best(scores[others], tie_break[others], 1)[0]])
            return Slate((*chosen[:-1], other), frozenset({other}), tuple(ranked))
    return Slate(tuple(chosen), frozenset(), tuple(ranked))


def _best(scores: NDArray[np.float64], tie_break: NDArray[np.int64], n: int) -> list[int]:
    """Positions of the best `n`: a partition finds the bar, and only what reaches it is sorted."""
    rows = np.arange(len(scores))
    if len(scores) > 4 * n:
        rows = np.flatnonzero(scores >= -np.partition(-scores, n - 1)[n - 1])
    return [int(p) for p in rows[np.lexsort((tie_break[rows], -scores[rows]))][:n]]
