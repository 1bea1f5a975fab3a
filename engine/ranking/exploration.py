"""Let near-ties take turns, with the exact chance each had, so that logs can answer what was not chosen."""

from dataclasses import dataclass

import numpy as np

# How often another near-tie takes the place of the best, and how near it must be, as a share of the scores' scale.
EPSILON = 0.1
NEAR = 0.05


@dataclass(frozen=True, slots=True)
class Draw:
    """One slot: who was chosen, and the chance of each who could have been; chances sum to 1."""

    chosen: int
    chances: dict[int, float]


def drawn(
    remaining: list[int], scores: dict[int, float], eligible: set[int], *, near: float, rng: np.random.Generator
) -> Draw:
    """One slot out of `remaining`, best first: mostly the best, now and then an eligible one within `near` of it.

    With m near-ties, the best among them, each other has the chance EPSILON / m.
    """
    best = remaining[0]
    ties = [best, *(p for p in remaining[1:] if p in eligible and scores[p] >= scores[best] - near)]
    if best not in eligible or len(ties) == 1:
        return Draw(best, {best: 1.0})
    share = EPSILON / len(ties)
    chances = {p: share + (1.0 - EPSILON) * (p == best) for p in ties}
    point, below = float(rng.random()), 0.0
    for position, chance in chances.items():
        below += chance
        if point < below:
            return Draw(position, chances)
    return Draw(best, chances)
