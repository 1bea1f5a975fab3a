"""How well a policy taught: gain over what was possible, per step and per minute, with intervals over learners."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Who knows all of the goal at the start has nothing to gain from it.
KNOWS_ALL = 0.999
# An exam this much worse than at the start is harm, and not chance in its last digits.
HARM = 0.01
_DRAWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """One learner from start to end: exams in [0, 1], steps taken, and minutes spent."""

    learner: str
    start: float
    end: float
    steps: int
    minutes: float

    @property
    def gain(self) -> float:
        """The share of what could be gained that was."""
        return (self.end - self.start) / (1.0 - self.start)

    def as_json(self) -> dict[str, Any]:
        """As result.json has it."""
        return {
            "learner": self.learner,
            "start": self.start,
            "end": self.end,
            "gain": self.gain,
            "steps": self.steps,
            "minutes": self.minutes,
        }


def summary(taught: Sequence[Taught], *, seed: int) -> dict[str, Any]:
    """The means over learners with their 95 % intervals, the share harmed, and gain by third of the start.

    Gain per minute is over the learners who spent any time; a mean over nobody is null.
    """
    timed = [t for t in taught if t.minutes > 0]
    return {
        "gain": interval([t.gain for t in taught], seed=seed),
        "gain_per_step": interval([t.gain / t.steps for t in taught], seed=seed),
        "gain_per_minute": interval([t.gain / t.minutes for t in timed], seed=seed),
        "harmed": float(np.mean([t.end < t.start - HARM for t in taught])) if taught else None,
        "tertiles": tertiles(taught),
    }


def interval(values: Sequence[float], *, seed: int) -> dict[str, float | None]:
    """The mean of one value a learner, and the ends of its 95 % interval by bootstrap over learners."""
    if not values:
        return {"mean": None, "low": None, "high": None}
    given = np.asarray(values, np.float64)
    low, high = np.quantile(_means(given, seed), (0.025, 0.975))
    return {"mean": float(given.mean()), "low": float(low), "high": float(high)}


def tertiles(taught: Sequence[Taught]) -> dict[str, Any]:
    """Mean gain of the thirds who started lowest, between and highest, and the widest gap between two of them.

    `gap` is in shares of the possible gain, `gap_of_mean` as a share of the mean gain; null below three learners.
    """
    if len(taught) < 3:
        return {"low": None, "middle": None, "high": None, "gap": None, "gap_of_mean": None}
    order = np.argsort([t.start for t in taught], kind="stable")
    gains = np.array([t.gain for t in taught])
    means = [float(gains[third].mean()) for third in np.array_split(order, 3)]
    gap, mean = max(means) - min(means), float(gains.mean())
    named = dict(zip(("low", "middle", "high"), means, strict=True))
    return {**named, "gap": gap, "gap_of_mean": gap / mean if mean > 0 else None}


def _means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Means of samples with replacement: `(_DRAWS,)`."""
    rng = np.random.default_rng(seed)
    means: NDArray[np.float64] = values[rng.integers(len(values), size=(_DRAWS, len(values)))].mean(1)
    return means
