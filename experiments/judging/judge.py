"""The judge: the same learners for every policy, one step after the other, an exam before and after."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from engine.domain.errors import BadInput
from engine.domain.interaction import Interaction
from engine.learner.gains import USUAL_MINUTES
from experiments.judging.intake import SOURCE, history_of_world, time_of
from experiments.judging.metrics import KNOWS_ALL, Taught, summary
from experiments.judging.view import Choices, Policy, View, next_order
from experiments.judging.world import World, WorldLearner, blamed, gain_of, learner_of

Report = Callable[[str, float], None]
# So many seeds lie between the learners of two trials.
_SEEDS_APART = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Which policy is tried on which world, on how many learners, and for how many steps each."""

    policy: str
    world: str
    n_learners: int
    n_steps: int
    seed: int


def judged(
    trial: Trial, world: World, choices: Choices, policy_for: Callable[[], Policy], report: Report
) -> dict[str, Any]:
    """The result of a trial, as result.json has it.

    Raises:
        BadInput: the world fails, or does not keep the protocol.
    """
    taught: list[Taught] = []
    for number in range(trial.n_learners):
        report(f"teaching {trial.policy}", number / trial.n_learners)
        seed = _SEEDS_APART * (trial.seed + 1) + number
        learner = learner_of(world, seed)
        lesson = Lesson(learner, choices, seed=seed, asks_world=trial.policy == "oracle")
        one = lesson.taught(policy_for(), trial.n_steps)
        taught += [] if one is None else [one]
    return {
        "policy": trial.policy,
        "world": trial.world,
        "seed": trial.seed,
        "learners": [t.as_json() for t in taught],
        "left_out": trial.n_learners - len(taught),
        **summary(taught, seed=trial.seed),
    }


class Lesson:
    """One learner under one policy."""

    def __init__(self, learner: WorldLearner, choices: Choices, *, seed: int, asks_world: bool) -> None:
        """`asks_world` where the policy may ask the world what each resource would bring."""
        self._learner, self._choices = learner, choices
        self._learner_id = str(getattr(learner, "learner_id", None) or f"learner-{seed}")
        self._rng = np.random.default_rng([seed, 1])
        self._gain = gain_of(learner) if asks_world else None
        with blamed("history and goal"):
            history = learner.history
            goal: Any = learner.goal
            # One skill may stand for itself.
            self._goal = (goal,) if isinstance(goal, str) else tuple(str(s) for s in goal)
        if not self._goal:
            raise BadInput("the world's learner has no goal: name at least one skill")
        unknown = [s for s in self._goal if s not in choices.prerequisites]
        if unknown:
            raise BadInput(
                f"the world's learner has the goal {unknown[0]!r}, which its catalogue does not know: mend it"
            )
        self._events = history_of_world(history, self._learner_id)
        self._closure = tuple(choices.closure(self._goal))

    def taught(self, policy: Policy, n_steps: int) -> Taught | None:
        """The learner from start to end; None where they know all of the goal at the start."""
        start = self._exam()
        if start >= KNOWS_ALL:
            return None
        seconds = sum(self._step(policy, n_steps - n) for n in range(n_steps))
        return Taught(learner=self._learner_id, start=start, end=self._exam(), steps=n_steps, minutes=seconds / 60)

    def _step(self, policy: Policy, steps_left: int) -> float:
        """One choice and what came of it: the seconds it took."""
        now = self._now()
        resource_id = policy.choose(self._view(steps_left, now))
        with blamed("step"):
            given, took = self._learner.step(resource_id)
            outcome, told = _number(given), _number(took)
        if outcome is not None and not 0 <= outcome <= 1:
            raise BadInput(f"a step gave the outcome {outcome}: outcomes lie in [0, 1]; mend the world")
        if told is not None and not (math.isfinite(told) and told >= 0):
            raise BadInput(f"a step took {told} seconds: give a number from 0; mend the world")
        self._events.append(self._event(resource_id, now, outcome, told))
        return self._usual_seconds(resource_id) if told is None else told

    def _usual_seconds(self, resource_id: str) -> float:
        """What a step counts as where the world does not say how long it took: the minutes of the catalogue."""
        resource = self._choices.by_id.get(resource_id)
        return 60.0 * (resource.minutes if resource and resource.minutes else USUAL_MINUTES)

    def _event(
        self, resource_id: str, now: datetime | None, outcome: float | None, seconds: float | None
    ) -> Interaction:
        order = next_order(self._events)
        return Interaction(
            event_id=f"{self._learner_id}~step-{order:06d}",
            learner_id=self._learner_id,
            kind="viewed" if outcome is None else "attempted",
            source=SOURCE,
            resource_id=resource_id,
            at=now,
            order=order,
            outcome=outcome,
            duration_s=seconds,
        )

    def _view(self, steps_left: int, now: datetime | None) -> View:
        return View(
            learner_id=self._learner_id,
            choices=self._choices,
            goal=self._goal,
            closure=self._closure,
            events=self._events,
            steps_left=steps_left,
            now=now,
            rng=self._rng,
            gain=self._gain,
        )

    def _now(self) -> datetime | None:
        """The world's clock, never before what happened; the end of the last event where the world has no clock, and
        none where events have no times either.
        """
        told = time_of(getattr(self._learner, "now", None))
        if told is None:
            return max((_end(e.at, e.duration_s) for e in self._events if e.at is not None), default=None)
        return max([told, *(e.at for e in self._events if e.at is not None)])

    def _exam(self) -> float:
        with blamed("exam"):
            score = float(self._learner.exam())
        if not 0 <= score <= 1:
            raise BadInput(f"an exam gave {score}: exams lie in [0, 1]; mend the world")
        return score


def _number(value: Any) -> float | None:
    """What a world told, None where it told nothing."""
    number = None if value is None else float(value)
    return None if number is None or math.isnan(number) else number


def _end(at: datetime, duration_s: float | None) -> datetime:
    return at + timedelta(seconds=duration_s or 0.0)
