"""How well a skill is still remembered: FSRS-6, one memory per learner and skill.

The PyPI package `fsrs` is the reference (`Scheduler`, `Card`); tests hold both equal step by step. Time counts in
whole days there, and so it does here. Source: https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm
"""

import math
from dataclasses import dataclass

from engine.domain.errors import BadInput
from engine.domain.history import NO_TIME

DAY_US = 86_400_000_000
# w0 to w20 of FSRS-6, as fitted by its authors on public reviews of flash cards.
DEFAULT_WEIGHTS = (
    0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
    1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
)  # fmt: skip
LEAST_STABILITY = 0.001
# A memory is due when the chance that it is still there has come down to this.
DIFFICULTY_RANGE = (1.0, 10.0)
RETENTION = 0.9
LONGEST_INTERVAL_DAYS = 36_500
_AGAIN, _GOOD, _EASY = 1, 3, 4

Weights = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """What is left of a skill: `stability` in days until recall falls to .9, `difficulty` in [1, 10], last review."""

    stability: float
    difficulty: float
    reviewed_us: int


def reviewed(memory: Memory | None, *, outcome: float, at_us: int, weights: Weights = DEFAULT_WEIGHTS) -> Memory:
    """The memory after one more review; None is a skill never reviewed.

    `outcome` in [0, 1]: below .5 the skill was forgotten (Again), else recalled (Good); how long it took never counts.
    An event that arrives late (`at_us` before the last review) counts as zero days later, and the last review stays
    the later one. `BadInput` for an outcome outside [0, 1].
    """
    if not 0 <= outcome <= 1:
        raise BadInput("outcome must lie in [0, 1]: leave events without one out of the reviews")
    rating = _AGAIN if outcome < 0.5 else _GOOD
    if memory is None:
        stability = max(weights[rating - 1], LEAST_STABILITY)
        return Memory(stability, _clamped(_first_difficulty(rating, weights)), at_us)
    if _whole_days(memory.reviewed_us, at_us) < 1:
        stability = _stability_same_day(memory.stability, rating, weights)
    elif rating == _AGAIN:
        stability = _stability_forgotten(memory, retrievability(memory, at_us, weights), weights)
    else:
        stability = _stability_recalled(memory, retrievability(memory, at_us, weights), weights)
    difficulty = _next_difficulty(memory.difficulty, rating, weights)
    return Memory(max(stability, LEAST_STABILITY), difficulty, max(at_us, memory.reviewed_us))


def retrievability(memory: Memory, now_us: int, weights: Weights = DEFAULT_WEIGHTS) -> float:
    """The probability in (0, 1] that the skill is recalled now; 1 through the first day and where there is no clock."""
    return _recall_after(_whole_days(memory.reviewed_us, now_us), memory.stability, weights)


def due_us(memory: Memory, *, retention: float = RETENTION, weights: Weights = DEFAULT_WEIGHTS) -> int:
    """The first moment at which `retrievability` is no longer above `retention`, at most a hundred years on.

    `fsrs` rounds this to the nearest day and so may ask up to half a day early. `NO_TIME` where the memory has no
    clock; `BadInput` for a retention outside (0, 1).
    """
    if not 0 < retention < 1:
        raise BadInput("retention must lie between 0 and 1: .9 is usual")
    if memory.reviewed_us == NO_TIME:
        return NO_TIME
    days = LONGEST_INTERVAL_DAYS
    if _recall_after(days, memory.stability, weights) <= retention:
        decay = weights[20]
        exact = memory.stability * (retention ** (-1 / decay) - 1) / (0.9 ** (-1 / decay) - 1)
        # From the day before, so that a rounding error in `exact` cannot skip the day.
        days = max(math.ceil(exact) - 1, 0)
        while _recall_after(days, memory.stability, weights) > retention:
            days += 1
    return memory.reviewed_us + days * DAY_US


def _whole_days(since_us: int, until_us: int) -> int:
    return 0 if NO_TIME in (since_us, until_us) else max((until_us - since_us) // DAY_US, 0)


def _recall_after(days: int, stability: float, weights: Weights) -> float:
    """The forgetting curve, through .9 at `stability` days: a power law with decay w20."""
    decay = weights[20]
    return float((1 + (0.9 ** (-1 / decay) - 1) * days / stability) ** -decay)


def _first_difficulty(rating: int, weights: Weights) -> float:
    return weights[4] - math.exp(weights[5] * (rating - 1)) + 1


def _next_difficulty(difficulty: float, rating: int, weights: Weights) -> float:
    """Steps shrink towards 10, and everything leans a little to where an easy skill starts."""
    step = -weights[6] * (rating - 3)
    stepped = difficulty + (10 - difficulty) * step / 9
    return _clamped(weights[7] * _first_difficulty(_EASY, weights) + (1 - weights[7]) * stepped)


def _clamped(difficulty: float) -> float:
    low, high = DIFFICULTY_RANGE
    return min(max(difficulty, low), high)


def _stability_same_day(stability: float, rating: int, weights: Weights) -> float:
    """Within a day success never costs stability."""
    growth = math.exp(weights[17] * (rating - 3 + weights[18])) * stability ** -weights[19]
    return float(stability * (growth if rating == _AGAIN else max(growth, 1.0)))


def _stability_recalled(memory: Memory, recall: float, weights: Weights) -> float:
    """The closer to forgetting, the easier and the younger the memory, the more a success adds."""
    room = (11 - memory.difficulty) * memory.stability ** -weights[9]
    return float(memory.stability * (1 + math.exp(weights[8]) * room * math.expm1((1 - recall) * weights[10])))


def _stability_forgotten(memory: Memory, recall: float, weights: Weights) -> float:
    """What survives a lapse, never more than a lapse within the day would leave."""
    kept = weights[11] * memory.difficulty ** -weights[12] * ((memory.stability + 1) ** weights[13] - 1)
    same_day = memory.stability / math.exp(weights[17] * weights[18])
    return float(min(kept * math.exp((1 - recall) * weights[14]), same_day))
