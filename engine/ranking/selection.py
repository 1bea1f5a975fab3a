"""The short list shown, out of everything that was ranked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ranking.best import best_rows
from engine.ranking.exploration import Draw, drawn

# How many candidates are logged as considered for each slot.
N_CONSIDERED = 10
# Formats in which learners find out and make something themselves.
INQUIRY_FORMATS = frozenset({"project", "inquiry", "investigation", "experiment", "discussion", "debate"})
# From so many slots on the last one is for inquiry, where the catalogue has any.
_LEAST_FOR_INQUIRY = 3


@dataclass(frozen=True, slots=True)
class Slate:
    """Positions into the candidates: `chosen` in order, `varied` those put in for variety, `ranked` the best of all.

    `chances`: for each slot, of whom it could have been, given the slots before it; they sum to 1.
    """

    chosen: tuple[int, ...]
    varied: frozenset[int]
    ranked: tuple[int, ...]
    chances: tuple[Mapping[int, float], ...]

    def considered(self, slot: int) -> tuple[int, ...]:
        """The candidates considered for a slot: the chosen one, then the best that no earlier slot had taken."""
        chosen = self.chosen[slot]
        taken = {*self.chosen[: slot + 1], *self.chances[slot]}
        drawn_among = [p for p in self.chances[slot] if p != chosen]
        return (chosen, *drawn_among, *[p for p in self.ranked if p not in taken])[
            : max(N_CONSIDERED, 1 + len(drawn_among))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """What the last slot is for: `inquiry` and `refused` `(n_candidates,)` bool; a refused one is never put in."""

    inquiry: NDArray[np.bool_]
    refused: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploring:
    """Who may take turns. `outside` `(n_candidates,)` is how far a chance of success lies below the band, less than 0
    above it, not a number where nobody looked; `near` how far a score may lie below the best; `rng` draws.

    What takes a turn lies inside the band, or outside on the same side as the best and no further: a turn never makes a
    step harder or duller than it is.
    """

    outside: NDArray[np.float64]
    near: float
    rng: np.random.Generator


def slate_of(
    scores: NDArray[np.float64],
    formats: NDArray[np.int32],
    tie_break: NDArray[np.int64],
    *,
    k: int,
    variety: Variety | None = None,
    again: NDArray[np.bool_] | None = None,
    exploring: Exploring | None = None,
) -> Slate:
    """The best `k` of `(n_candidates,)` scores, equals in the order of `tie_break`.

    With `variety` the last of three or more is for inquiry where there is any, and a slate that would be of one format
    gives its last place to another. Of what was done before, `again` `(n_candidates,)`, there is one in three at most
    while anything is new. With `exploring`, near-ties take turns.
    """
    ranked = _best(scores, tie_break, None, k + N_CONSIDERED)
    before = frozenset() if again is None else frozenset(again.nonzero()[0].tolist())
    new = _best(scores, tie_break, ~again, k + N_CONSIDERED) if again is not None and before else []
    most_again = max(1, k // 3) if new else k
    chosen: list[int] = []
    varied: set[int] = set()
    chances: list[Mapping[int, float]] = []
    for slot in range(min(k, len(scores))):
        remaining = [p for p in ranked if p not in chosen]
        enough = bool(new) and len(before.intersection(chosen)) >= most_again
        if enough:
            remaining = [p for p in new if p not in chosen] or remaining
        if variety is not None and slot == k - 1 and k > 1:
            free = ~(variety.refused | again) if enough and again is not None else ~variety.refused
            wanted = _for_last(chosen, k, (scores, formats, tie_break), variety.inquiry, free)
            if wanted and (not remaining or remaining[0] not in wanted):
                varied.add(wanted[0])
            remaining = wanted or remaining
        draw = _drawn(remaining, scores, exploring)
        if varied and slot == k - 1:
            varied = {draw.chosen}
        chosen.append(draw.chosen)
        chances.append(draw.chances)
    return Slate(tuple(chosen), frozenset(varied), tuple(ranked), tuple(chances))


def _drawn(remaining: list[int], scores: NDArray[np.float64], exploring: Exploring | None) -> Draw:
    if exploring is None:
        return Draw(remaining[0], {remaining[0]: 1.0})
    known = {p: float(scores[p]) for p in remaining}
    bar = float(exploring.outside[remaining[0]])
    eligible = {p for p in remaining if min(bar, 0.0) <= exploring.outside[p] <= max(bar, 0.0)}
    return drawn(remaining, known, eligible, near=exploring.near, rng=exploring.rng)


def _for_last(
    chosen: list[int],
    k: int,
    of: tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]],
    inquiry: NDArray[np.bool_],
    free: NDArray[np.bool_],
) -> list[int]:
    """The candidates the last slot is for out of what is `free`, best first; none where the slate is varied without.

    `of` are scores, formats and what breaks ties.
    """
    scores, formats, tie_break = of
    free[chosen] = False
    if k >= _LEAST_FOR_INQUIRY and not inquiry[chosen].any() and (found := free & inquiry).any():
        return _best(scores, tie_break, found, N_CONSIDERED)
    theirs = formats[chosen].tolist()
    if len(set(theirs)) == 1:
        return _best(scores, tie_break, free & (formats != theirs[0]), N_CONSIDERED)
    return []


def _best(scores: NDArray[np.float64], tie_break: NDArray[np.int64], of: NDArray[np.bool_] | None, n: int) -> list[int]:
    """Positions of the best `n` of some, or of all."""
    found: list[int] = best_rows(scores, np.ones(len(scores), bool) if of is None else of, tie_break, n).tolist()
    return found
