"""How many steps on a skill are to be expected until it counts as mastered, answers and luck included."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engine.learner.tracing import MASTERED, Tracing, step_matrices

# A plan foresees at most so many steps on one skill: what takes longer is planned again long before.
MOST_STEPS = 40.0
# What a step teaches who does not know the skill, as a chance to learn it: from hardly anything to nearly surely.
LEAST_LEARNED, MOST_LEARNED = 0.01, 0.9
_LEARNS = np.geomspace(LEAST_LEARNED, MOST_LEARNED, 16)
_GRID = np.linspace(0.0, MASTERED, 86)
_SWEEPS, _CLOSE = 400, 1e-3

Floats = NDArray[np.float64]


def expected_steps(tracing: Tracing, known: float, learns: float) -> float:
    """Steps until a skill that is known as surely as `known` counts as mastered, if each teaches it with this chance.

    It counts as mastered when the answers say so: who knows it slips and who does not guesses, so steps are needed to
    show it as well as to learn it. A step leaves one less in the mean, a right answer never more than before.
    """
    if known >= MASTERED:
        return 0.0
    table = _table(tracing.guess, tracing.slip, tracing.learns, tracing.loses)
    at = float(np.interp(np.log(np.clip(learns, _LEARNS[0], _LEARNS[-1])), np.log(_LEARNS), np.arange(len(_LEARNS))))
    low = min(int(at), len(_LEARNS) - 2)
    each = [float(np.interp(known, _GRID, table[row])) for row in (low, low + 1)]
    return each[0] + (at - low) * (each[1] - each[0])


@lru_cache(maxsize=8)
def _table(guess: float, slip: float, learns: float, loses: float) -> Floats:
    """Expected steps by the chance to learn and by P(known): `(len(_LEARNS), len(_GRID))`."""
    step = step_matrices(guess, slip, learns, loses)
    prior = np.stack([1.0 - _GRID, _GRID])
    # What is believed after a wrong and after a right answer.
    after = [prior.T @ matrix for matrix in step]
    believed = [rows[:, 1] / rows.sum(axis=1) for rows in after]
    return np.stack([_steps(believed, guess, slip, loses, chance) for chance in _LEARNS])


def _steps(believed: list[Floats], guess: float, slip: float, loses: float, chance: float) -> Floats:
    """By P(known), expected steps over who knows it and who does not yet; a Markov chain of belief and truth."""
    left, place = np.zeros((2, len(_GRID))), [np.interp(b, _GRID, np.arange(len(_GRID))) for b in believed]
    going = [b < MASTERED for b in believed]
    right = np.array([guess, 1.0 - slip])
    becomes = np.array([[1.0 - chance, chance], [loses, 1.0 - loses]])
    for _ in range(_SWEEPS):
        ahead = becomes @ left
        wrong_, right_ = (
            np.where(on, np.stack([np.interp(at, np.arange(len(_GRID)), row) for row in ahead]), 0.0)
            for at, on in zip(place, going, strict=True)
        )
        new = np.minimum(1.0 + (1.0 - right)[:, None] * wrong_ + right[:, None] * right_, MOST_STEPS)
        done, left = np.abs(new - left).max() < _CLOSE, new
        if done:
            break
    found: Floats = (1.0 - _GRID) * left[0] + _GRID * left[1]
    return found
