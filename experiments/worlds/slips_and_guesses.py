"""A world of hidden skills, known or not: answers slip and are guessed, so that one of them says little.

Like Bayesian knowledge tracing (Corbett & Anderson 1995), with what it leaves out: the chance to learn depends on the
material's quality and format, on the learner, and softly on how many prerequisites are known; slips and guesses are the
learner's and the material's own, and what is not used is sometimes lost.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.classroom import Classroom
from experiments.worlds.syllabus import Material, Syllabus, syllabus_of

_LEARNS = {"video": 0.24, "exercise": 0.3, "reading": 0.16, "project": 0.36}
_UNREADY, _LIKELY = 0.2, 0.9
# Marks in the exam for what is known, and for what is not: there is something to guess.
_KNOWN, _UNKNOWN = 1.0, 0.1
_LOST = 0.002


class HiddenSkills:
    """Which skills are known, and how prone this learner is to slip and guess."""

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        self._syllabus = syllabus
        ability = rng.normal()
        depth = np.arange(syllabus.n_skills) / syllabus.n_skills
        self._known = rng.random(syllabus.n_skills) < 1 / (1 + np.exp(0.4 + 1.2 * depth - 0.8 * ability))
        self._rate = math.exp(rng.normal(0.0, 0.2))
        self._slip, self._guess = rng.beta(2, 16), rng.beta(4, 14)

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float:  # noqa: ARG002
        """Right by knowledge or luck; then each skill of it may be learned, and another one lost."""
        right = draws[0] < self._chance_right(material)
        for skill, chance, draw in zip(material.skills, self._chances(material), draws[1:3], strict=False):
            self._known[skill] |= draw < chance
        lost = int(draws[3] * self._syllabus.n_skills)
        if lost not in material.skills and draws[4] < _LOST * self._syllabus.n_skills:
            self._known[lost] = False
        return float(right)

    def known(self, skill: int, hours: float) -> float:  # noqa: ARG002
        """Marks of the exam."""
        return _KNOWN if self._known[skill] else _UNKNOWN

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:  # noqa: ARG002
        """What may be learned, less what may be lost meanwhile."""
        worth = _KNOWN - _UNKNOWN
        rise = {s: -_LOST * worth * float(self._known[s]) for s in range(self._syllabus.n_skills)}
        for skill, chance in zip(material.skills, self._chances(material), strict=True):
            rise[skill] = worth * chance * float(not self._known[skill])
        return rise

    def _chances(self, material: Material) -> list[float]:
        """Of learning each skill of a material; half as much of the second."""
        base = _LEARNS[material.format] * material.quality * self._rate
        return [min(base * self._ready(s) / (1 + place), _LIKELY) for place, s in enumerate(material.skills)]

    def _ready(self, skill: int) -> float:
        before = self._syllabus.prerequisites[skill]
        share = float(np.mean([self._known[p] for p in before])) if before else 1.0
        return _UNREADY + (1.0 - _UNREADY) * share

    def _chance_right(self, material: Material) -> float:
        all_known = all(self._known[s] for s in material.skills)
        harder = 1.0 / (1.0 + math.exp(-material.difficulty))
        return 1.0 - self._slip * (0.5 + harder) if all_known else self._guess * (1.5 - harder)


def world() -> Classroom:
    """Fourteen skills, six materials each, one in five about two of them."""
    syllabus = syllabus_of(13, n_skills=14, per_skill=6, second_skill=0.2)
    return Classroom(syllabus, HiddenSkills, hours_apart=1.0)
