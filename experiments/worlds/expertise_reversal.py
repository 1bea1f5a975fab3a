"""Held out, never to tune by: explanations help beginners and practice the advanced, and repetition tires.

After Kalyuga's expertise reversal effect. Below a hard threshold of its prerequisites a skill hardly moves. There is no
clock: only the order of events is known.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.classroom import Classroom
from experiments.worlds.syllabus import Material, Syllabus, syllabus_of

_EXPLAINS = frozenset({"video", "reading"})
_THRESHOLD, _BELOW = 0.4, 0.15
_TIRES, _RESTS = 0.35, 0.7


class Expertise:
    """The level of each skill in [0, 1], and how fresh its last exercise still is."""

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        self._syllabus = syllabus
        start = 0.35 + 0.2 * rng.normal() + rng.normal(0.0, 0.2, syllabus.n_skills)
        self._level = np.clip(start, 0.02, 0.95)
        self._tired = np.zeros(syllabus.n_skills)
        self._rate = math.exp(rng.normal(0.0, 0.2))

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float:  # noqa: ARG002
        """Answers tell the level, hard materials less kindly."""
        (skill,) = material.skills
        right = draws[0] < 0.1 + 0.85 * self._level[skill] * math.exp(-0.25 * max(material.difficulty, 0.0))
        self._level[skill] += self._rise(material)
        self._tired *= _RESTS
        self._tired[skill] += 1.0
        return float(right)

    def known(self, skill: int, hours: float) -> float:  # noqa: ARG002
        """Marks of the exam."""
        return float(0.1 + 0.85 * self._level[skill])

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:  # noqa: ARG002
        """Nothing is left to chance."""
        return {material.skills[0]: 0.85 * self._rise(material)}

    def _rise(self, material: Material) -> float:
        (skill,) = material.skills
        level = float(self._level[skill])
        helps = 1.6 * (1.0 - level) if material.format in _EXPLAINS else 0.25 + 1.6 * level
        ready = all(self._level[p] >= _THRESHOLD for p in self._syllabus.prerequisites[skill])
        rise = 0.16 * helps * min(material.quality, 1.8) * self._rate * (1.0 - level)
        return rise * (1.0 if ready else _BELOW) * math.exp(-_TIRES * float(self._tired[skill]))


def world() -> Classroom:
    """Fourteen skills, six materials each, without a clock."""
    return Classroom(syllabus_of(22, n_skills=14, per_skill=6), Expertise, hours_apart=None)
