"""What a learner's own words add: each moves the resource it was said of, and those too much like it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.learner.voices import Spoken

# In shares of the weight of a voice. A refusal outweighs everything else; what is like it counts half.
ACCEPTED, REFUSED, ALIKE = 1.0, -4.0, -0.5
# What is like a resource of which this was said is moved too, by its chance of success.
OF_DIFFICULTY = ("too_easy", "too_hard")
# How far above the next one a score stands that must not count as equal.
_CLEARLY = 1e-6

Floats = NDArray[np.float64]


def added_by_voices(
    spoken: Iterable[Spoken],
    keys: NDArray[np.uint64],
    *,
    weight: float,
    p: Floats | None = None,
    shares_skill: NDArray[np.bool_] | None = None,
    p_spoken: Floats | None = None,
) -> Floats:
    """What was said adds to candidates with these `keys`: `(n,)`.

    `p` `(n,)` and `p_spoken` `(n_spoken,)` are chances of success, `shares_skill` `(n_spoken, n)`; without them words
    on difficulty move only the resource they were said of.
    """
    added = np.zeros(len(keys))
    for place, word in enumerate(spoken):
        own = keys == np.uint64(word.key)
        if word.kind == "accepted":
            added[own] += ACCEPTED * weight
            continue
        added[own] += REFUSED * weight
        if p is None or p_spoken is None or shares_skill is None or np.isnan(p_spoken[place]):
            continue
        too_much = p >= p_spoken[place] if word.kind == "too_easy" else p <= p_spoken[place]
        if word.kind in OF_DIFFICULTY:
            added[shares_skill[place] & too_much & ~own] += ALIKE * weight
    return added


def lift_of(scores: Floats, voice: Floats, accepted: Sequence[int], k: int) -> Floats:
    """What a yes adds beyond its weight: one place up at least, and a place among the `k` that are shown: `(n,)`.

    `scores` hold what words add, `voice` `(n,)`; `accepted` are places among the candidates in the order they were said
    yes to. Half a slate is kept for the last of these; the place at its end is kept for another way of working.
    """
    plain, lift = scores - voice, np.zeros(len(scores))
    for place in accepted:
        above = plain[plain > plain[place]]
        if len(above):
            lift[place] = max(_above(float(above.min())) - float(scores[place]), 0.0)
    kept = list(accepted[-max(k // 2, 1) :])
    lifted = scores + lift
    others = np.sort(np.delete(lifted, kept))[::-1]
    last = max(k - 1, 1) - len(kept)
    if kept and last < len(others):
        lift[kept] += np.maximum(_above(float(others[last])) - lifted[kept], 0.0)
    return lift


def _above(score: float) -> float:
    return score + _CLEARLY * max(abs(score), 1.0)
