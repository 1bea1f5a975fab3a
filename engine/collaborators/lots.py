"""Whose turn it is today among peers who fit about as well: spread over the class, and steady for a day."""

import numpy as np
from numpy.typing import NDArray

# Who fits better than another by more than this share comes first, whatever the lot.
CLOSE = 0.25


def lots_of(n: int, row: int, day: int) -> NDArray[np.float64]:
    """The lot of everybody for the learner of this row on this day, in (1, 1 + CLOSE]: `(n,)`.

    A multiplication table modulo a prime over places that are drawn anew each day: nobody has one lot with two, and two
    have the same with each other, so where all fit alike first places fall to pairs and nobody is first for many.
    """
    place = 1 + np.random.default_rng([day % 2**32, n]).permutation(n)
    prime = _prime_above(n)
    lot = place * int(place[row]) % prime
    result: NDArray[np.float64] = 1.0 + CLOSE * (1.0 - (lot - 1.0) / prime)
    return result


def _prime_above(n: int) -> int:
    candidate = n + 1
    while any(candidate % k == 0 for k in range(2, int(candidate**0.5) + 1)):
        candidate += 1
    return candidate
