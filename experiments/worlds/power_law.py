"""Held out, never to tune by: the power law of practice, with prerequisites that the catalogue does not name.

What is not known of a skill falls with a power of the practice it had (Newell & Rosenbloom 1981). Practice counts less
where what it builds on is weak. Films are watched and not scored; a quarter of the materials is about two skills.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.classroom import Classroom
from experiments.worlds.syllabus import Material, Syllabus, syllabus_of

_COUNTS = {"video": 1.3, "exercise": 1.0, "reading": 0.7, "project": 0.9}
_UNREADY = 0.15


class Practice:
    """How much effective practice each skill had, and how fast errors fall with it."""

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        self._syllabus = syllabus
        ability = rng.normal()
        self._practice = rng.gamma(0.6, 1.5, syllabus.n_skills) * math.exp(0.4 * ability)
        self._power = 0.55 * math.exp(rng.normal(0.0, 0.2))
        self._errors = np.clip(rng.normal(0.9, 0.08, syllabus.n_skills), 0.5, 1.0)

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float | None:
        """Scored unless it is a film."""
        known = float(np.mean([self.known(s, hours) for s in material.skills]))
        right = draws[0] < (0.12 + 0.83 * known) * (0.85 if material.difficulty > 0.5 else 1.0)
        for skill, more in self._more(material).items():
            self._practice[skill] += more
        return None if material.format == "video" else float(right)

    def known(self, skill: int, hours: float) -> float:  # noqa: ARG002
        """One less the share of errors."""
        return self._level(skill, 0.0)

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:  # noqa: ARG002
        """Nothing is left to chance."""
        return {s: self._level(s, more) - self._level(s, 0.0) for s, more in self._more(material).items()}

    def _more(self, material: Material) -> dict[int, float]:
        """The effective practice that a material gives, half as much of the second skill."""
        base = 1.2 * material.quality * _COUNTS[material.format]
        return {s: base * self._ready(s) / (1 + place) for place, s in enumerate(material.skills)}

    def _ready(self, skill: int) -> float:
        weakest = min((self._level(p, 0.0) for p in self._syllabus.prerequisites[skill]), default=1.0)
        return _UNREADY + (1.0 - _UNREADY) * weakest

    def _level(self, skill: int, more: float) -> float:
        return float(1.0 - self._errors[skill] * (1.0 + self._practice[skill] + more) ** -self._power)


def world() -> Classroom:
    """Fifteen skills, six materials each, without a graph."""
    syllabus = syllabus_of(21, n_skills=15, per_skill=6, second_skill=0.25)
    return Classroom(syllabus, Practice, hours_apart=1.0, tells_graph=False)
