"""A world of knowledge states: a skill can be learned only from the outer fringe of what is known.

After Doignon & Falmagne's knowledge spaces: what a learner knows is closed under prerequisites, and a step leads to a
state with one skill more; behind a prerequisite that is missing nothing is learned at all. A skill comes in two stages,
understood and then fluent. The outcome is the share of five questions answered right, so it says much at once.
"""

import math

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.classroom import Classroom
from experiments.worlds.syllabus import Material, Syllabus, syllabus_of

_QUESTIONS = 5
_RIGHT = (0.15, 0.6, 0.93)
_MARKS = (0.0, 0.6, 1.0)
# How well each format brings a learner to the first stage, and from there to the second.
_TEACHES = {"video": (0.5, 0.2), "exercise": (0.3, 0.5), "reading": (0.4, 0.25), "project": (0.35, 0.45)}
_LIKELY = 0.95


class KnowledgeState:
    """The stage of each skill: 0 unknown, 1 understood, 2 fluent."""

    def __init__(self, syllabus: Syllabus, rng: np.random.Generator) -> None:
        self._syllabus = syllabus
        self._rate = math.exp(rng.normal(0.0, 0.2))
        self._stage = np.zeros(syllabus.n_skills, int)
        ability = rng.normal(0.0, 0.8)
        for skill, before in enumerate(syllabus.prerequisites):
            if all(self._stage[p] > 0 for p in before):
                begun = rng.random() < 1 / (1 + math.exp(0.08 * skill - ability))
                self._stage[skill] = int(begun) * (1 + int(rng.random() < 0.4))

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float:  # noqa: ARG002
        """The share of questions answered right; afterwards the next stage may be reached."""
        (skill,) = material.skills
        right = _RIGHT[self._stage[skill]] * (0.85 if material.difficulty > 0.8 else 1.0)
        outcome = float(np.mean(draws[:_QUESTIONS] < right))
        if draws[_QUESTIONS] < self._chance(material):
            self._stage[skill] += 1
        return outcome

    def known(self, skill: int, hours: float) -> float:  # noqa: ARG002
        """Marks for the stage."""
        return _MARKS[self._stage[skill]]

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:  # noqa: ARG002
        """The marks of the next stage, by the chance to reach it."""
        (skill,) = material.skills
        stage = self._stage[skill]
        return {} if stage == 2 else {skill: self._chance(material) * (_MARKS[stage + 1] - _MARKS[stage])}

    def _chance(self, material: Material) -> float:
        """Of reaching the next stage; none outside the fringe."""
        (skill,) = material.skills
        stage = self._stage[skill]
        if stage == 2 or not all(self._stage[p] > 0 for p in self._syllabus.prerequisites[skill]):
            return 0.0
        return min(_TEACHES[material.format][stage] * material.quality * self._rate, _LIKELY)


def world() -> Classroom:
    """Sixteen skills, six materials each."""
    return Classroom(syllabus_of(12, n_skills=16, per_skill=6), KnowledgeState, hours_apart=1.0, history=(5, 25))
