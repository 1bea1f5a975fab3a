"""A world of remembering: each skill has a half-life that grows when it is recalled, most where it was nearly lost.

After Settles & Meeder (2016), half-life regression: P(recall) = 2^(-hours / half-life). A recall that was hard makes a
memory more stable than an easy one (Bjork's desirable difficulty), so cramming brings little. No skill needs another.
The exam lies a week after the beginning.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.classroom import Classroom
from experiments.worlds.syllabus import Material, Syllabus, syllabus_of

_EXAM_HOURS = 168.0
_SHORTEST, _LONGEST = 4.0, 3000.0
_STRENGTH = {"video": 0.5, "exercise": 1.3, "reading": 0.7, "project": 1.0}
# Of what a success strengthens, a failure that is then explained strengthens so much.
_AFTER_FAILURE = 0.45


class Memory:
    """Half-life in hours, and when each skill was last met."""

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        ability = rng.normal()
        self._half_life = np.exp(rng.normal(3.4 + 0.5 * ability, 0.9, syllabus.n_skills))
        self._last = -rng.exponential(48.0, syllabus.n_skills)
        self._rate = math.exp(rng.normal(0.0, 0.15))

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float:
        """Right where it is recalled, harder materials less often; the memory grows either way."""
        (skill,) = material.skills
        right = bool(draws[0] < self._chance(material, hours))
        self._half_life[skill] = self._after(material, hours, right=right)
        self._last[skill] = hours
        return float(right)

    def known(self, skill: int, hours: float) -> float:
        """The chance that it is recalled in the exam."""
        at = max(hours, _EXAM_HOURS)
        return float(2.0 ** (-(at - self._last[skill]) / self._half_life[skill]))

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:
        """Over the exam's recall as it stands."""
        (skill,) = material.skills
        p, wait = self._chance(material, hours), max(hours, _EXAM_HOURS) - hours
        right, wrong = (2.0 ** (-wait / self._after(material, hours, right=r)) for r in (True, False))
        return {skill: float(p * right + (1 - p) * wrong) - self.known(skill, hours)}

    def _recall(self, skill: int, hours: float) -> float:
        return float(2.0 ** (-(hours - self._last[skill]) / self._half_life[skill]))

    def _chance(self, material: Material, hours: float) -> float:
        hardness = math.exp(0.4 * material.difficulty)
        return 0.05 + 0.92 * math.pow(self._recall(material.skills[0], hours), hardness)

    def _after(self, material: Material, hours: float, *, right: bool) -> float:
        skill = material.skills[0]
        spacing = 0.3 + 1.2 * (1.0 - self._recall(skill, hours))
        growth = 1.0 + material.quality * _STRENGTH[material.format] * spacing * (1.0 if right else _AFTER_FAILURE)
        return min(max(float(self._half_life[skill]), _SHORTEST) * math.pow(growth, self._rate), _LONGEST)


def world() -> Classroom:
    """Fourteen skills, six materials each, four hours between steps."""
    return Classroom(syllabus_of(11, n_skills=14, per_skill=6), Memory, hours_apart=4.0)
