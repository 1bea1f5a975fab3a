"""What the worlds share: learners who work step by step, their logs, goals, clocks and times."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.worlds.syllabus import Material, Syllabus, skill_id

_BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
_LOG_STEPS = 40
_GOAL_SKILLS = 4
# Learners to train on never meet the seeds of learners to judge on.
_LOG_SEEDS = 7_000_000_000
# Each step draws so many numbers, whatever it is spent on: luck is the learner's, not the policy's.
N_DRAWS = 8


class Mind(Protocol):
    """What a simulated learner knows, and the law by which it changes. `hours` are since their beginning."""

    def work(self, material: Material, hours: float, draws: NDArray[np.float64]) -> float | None:
        """Learn from a material: the outcome, None where nothing is scored. `draws`: `(N_DRAWS,)` uniform in [0, 1)."""

    def known(self, skill: int, hours: float) -> float:
        """How well a skill would be known in the exam, in [0, 1]."""

    def expected_rise(self, material: Material, hours: float) -> dict[int, float]:
        """By how much `known` of each skill is expected to rise through a material."""


MakeMind = Callable[[Syllabus, np.random.Generator], Mind]


class SimulatedLearner:
    """A learner as the judge meets them; a world without a clock has no `now`."""

    def __init__(
        self, syllabus: Syllabus, make_mind: MakeMind, *, learner_id: str, seed: int, hours_apart: float | None
    ):
        """Begins with nothing done. `hours_apart` lie between two steps, None where there is no clock."""
        self.learner_id = learner_id
        self.history: list[dict[str, Any]] = []
        self.goal_skills: tuple[int, ...] = ()
        self.draws = np.random.default_rng([seed, 0])
        self._materials = {m.resource_id: m for m in syllabus.materials}
        self._mind = make_mind(syllabus, np.random.default_rng([seed, 1]))
        self._pace = float(self.draws.normal(0.0, 0.25))
        self._begin = _BEGIN + timedelta(minutes=int(self.draws.integers(1000)))
        self._hours, self._hours_apart = 0.0, hours_apart

    @property
    def goal(self) -> list[str]:
        """The skills to master."""
        return [skill_id(s) for s in self.goal_skills]

    @property
    def now(self) -> datetime | None:
        """The time of the next step; None in a world without a clock."""
        return None if self._hours_apart is None else self._begin + timedelta(hours=self._hours)

    def step(self, resource_id: str) -> tuple[float | None, float]:
        """Work through a resource: outcome and seconds."""
        material = self._materials[resource_id]
        draws, luck = self.draws.random(N_DRAWS), float(self.draws.normal(0.0, 0.3))
        outcome = self._mind.work(material, self._hours, draws)
        seconds = 60.0 * material.minutes * math.exp(self._pace + luck)
        self._hours += (self._hours_apart or 0.0) + seconds / 3600.0
        return outcome, seconds

    def exam(self) -> float:
        """How much of the goal is known."""
        return float(np.mean([self._mind.known(s, self._hours) for s in self.goal_skills]))

    def gain(self, resource_id: str) -> float:
        """By how much the exam is expected to rise through one step on a resource."""
        rise = self._mind.expected_rise(self._materials[resource_id], self._hours)
        return sum(rise.get(s, 0.0) for s in self.goal_skills) / len(self.goal_skills)

    def recorded_step(self, resource_id: str) -> None:
        """A step that goes into the history."""
        at = self.now
        outcome, seconds = self.step(resource_id)
        row = {
            "event_id": f"{self.learner_id}-{len(self.history):04d}",
            "learner_id": self.learner_id,
            "resource_id": resource_id,
            "order": len(self.history),
            "kind": "viewed" if outcome is None else "attempted",
            "outcome": outcome,
            "duration_s": seconds,
        }
        self.history.append(row if at is None else {**row, "at": at})


class Classroom:
    """A world of one syllabus and one law of learning."""

    def __init__(
        self,
        syllabus: Syllabus,
        make_mind: MakeMind,
        *,
        hours_apart: float | None,
        history: tuple[int, int] = (0, 20),
        tells_graph: bool = True,
    ) -> None:
        """`history`: the least and the most steps of a learner before they are judged; one in six has none."""
        self.syllabus = syllabus
        self._make_mind, self._hours_apart = make_mind, hours_apart
        self._history, self._tells_graph = history, tells_graph

    def catalog(self) -> dict[str, list[dict[str, Any]]]:
        """The tables of resources and skills."""
        return self.syllabus.tables(tells_graph=self._tells_graph)

    def log(self, n_learners: int, seed: int) -> list[dict[str, Any]]:
        """What learners did who took up materials at random."""
        rows: list[dict[str, Any]] = []
        for number in range(n_learners):
            own = _LOG_SEEDS + 10**6 * seed + number
            learner, chance = self._beginner(own, f"log-{seed}-{number}"), np.random.default_rng([own, 2])
            self._wander(learner, _LOG_STEPS, chance)
            rows += learner.history
        return rows

    def learner(self, seed: int) -> SimulatedLearner:
        """The learner of this seed, with a random history and a goal; half of the goals name what they build on too."""
        learner, chance = self._beginner(seed, f"learner-{seed}"), np.random.default_rng([seed, 2])
        least, most = self._history
        n_steps = int(chance.integers(least, most + 1)) if chance.random() > 1 / 6 else 0
        self._wander(learner, n_steps, chance)
        skills = {int(s) for s in chance.choice(self.syllabus.n_skills, _GOAL_SKILLS, replace=False)}
        if chance.random() < 0.5:
            skills |= {p for s in skills for p in self.syllabus.prerequisites[s]}
        learner.goal_skills = tuple(sorted(skills))
        return learner

    def _beginner(self, seed: int, learner_id: str) -> SimulatedLearner:
        return SimulatedLearner(
            self.syllabus, self._make_mind, learner_id=learner_id, seed=seed, hours_apart=self._hours_apart
        )

    def _wander(self, learner: SimulatedLearner, n_steps: int, chance: np.random.Generator) -> None:
        for _ in range(n_steps):
            learner.recorded_step(
                self.syllabus.materials[int(chance.integers(len(self.syllabus.materials)))].resource_id
            )
