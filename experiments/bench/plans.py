"""How steady the minutes of a path are from step to step, and how true of learners who follow it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.bundle import read_bundle
from engine.domain.interaction import Interaction
from engine.learner.preferences import Goal
from engine.path import path_of
from engine.recommender import Recommender
from experiments.bench.learning import OWN, SEED
from experiments.judging.judge import Lesson
from experiments.judging.setup import Schooling, prepared
from experiments.judging.trailmate_policy import Trailmate, recommender_for
from experiments.judging.view import View
from experiments.judging.world import learner_of, world_of

# So many steps are watched for jumps; learners then go on until the goal counts as mastered, or so far.
WATCHED, LONGEST = 20, 120
FIRST_SEED = 3 * 10**6


@dataclass(frozen=True, slots=True)
class Followed:
    """One learner on the way: `planned` minutes before each step, `took` those of the steps, until mastered or not."""

    planned: tuple[float, ...]
    took: tuple[float, ...]
    right: tuple[bool | None, ...]
    arrived: bool


class Arrived(Exception):
    """The goal counts as mastered."""


class Follower(Trailmate):
    """Does the first resource of the next step of the path that is new, or what the slate says first."""

    def __init__(self, recommender: Recommender, *, by_slate: bool) -> None:
        super().__init__(recommender)
        self._by_slate = by_slate
        self.planned: list[float] = []
        self.steps: list[Interaction] = []

    def choose(self, view: View) -> str:
        """The id of a resource; the plan before it is kept. Raises Arrived."""
        chosen = super().choose(view)
        assert self._state is not None
        goal, query = Goal(skills=view.goal), self._query(view)
        path = path_of(goal, self._state, self._events, self._recommender, query=query)
        if self.planned:
            self.steps.append(view.events[-1])
        self.planned.append(path.minutes if path.steps else 0.0)
        if not path.steps:
            raise Arrived
        named = path.steps[0].resources
        if self._by_slate or not named:
            return chosen
        done = {e.resource_id for e in view.events}
        return next((x for x in named if x not in done), named[0])


def plans(work: Path, *, n_learners: int, by_slate: bool = False) -> str:
    """One row for each own world; bundles are kept in `work` and taken from there."""
    rows = [
        "| world | change a step, median | 9 in 10 below | 99 in 100 | largest | share of the plan, median | 9 in 10 "
        "| 99 in 100 | rises after a right answer, 9 in 10 | planned, median | really taken | planned / taken, median "
        "[quarter, three quarters] | rank correlation | arrived |",
        "|--|" + "--:|" * 13,
    ]
    for name in OWN:
        followed = follow(name, work / name, n_learners=n_learners, by_slate=by_slate)
        rows.append(f"| {name} | " + " | ".join(row(followed)) + " |")
    return "\n".join(rows)


def follow(name: str, folder: Path, *, n_learners: int, by_slate: bool) -> list[Followed]:
    """Learners of a world who do what the plan says."""
    world = world_of(f"experiments.worlds.{name}:world")
    folder.mkdir(parents=True, exist_ok=True)
    schooling = Schooling(seed=SEED, bundle=folder / "bundle")
    choices, _, _ = prepared("trailmate", world, schooling, lambda _what, _share: None)
    recommender = recommender_for(read_bundle(folder / "bundle"), choices)
    found = []
    for number in range(n_learners):
        seed = FIRST_SEED + number
        follower = Follower(recommender, by_slate=by_slate)
        lesson = Lesson(learner_of(world, seed), choices, seed=seed, asks_world=False)
        with suppress(Arrived):
            lesson.taught(follower, LONGEST)
        if follower.steps:
            found.append(_followed(follower))
    return found


def _followed(follower: Follower) -> Followed:
    steps = follower.steps
    return Followed(
        planned=tuple(follower.planned[: len(steps) + 1]),
        took=tuple((e.duration_s or 0.0) / 60.0 for e in steps),
        right=tuple(None if e.outcome is None else e.outcome >= 0.5 for e in steps),
        arrived=follower.planned[-1] == 0.0,
    )


def row(followed: list[Followed]) -> list[str]:
    """What is told of the learners of one world."""
    changes, shares, rises = [], [], []
    for one in followed:
        for before, after, right in zip(one.planned, one.planned[1:], one.right[:WATCHED], strict=False):
            changes.append(abs(after - before))
            shares.append(abs(after - before) / before)
            if right:
                rises.append((after - before) / before)
    arrived = [one for one in followed if one.arrived and one.took]
    planned, took = np.array([one.planned[0] for one in arrived]), np.array([sum(one.took) for one in arrived])
    ratio = planned / took
    ranks = np.corrcoef(np.argsort(np.argsort(planned)), np.argsort(np.argsort(took)))[0, 1]
    return [
        *(f"{np.quantile(changes, q):.1f}" for q in (0.5, 0.9, 0.99, 1.0)),
        *(f"{np.quantile(shares, q):.3f}" for q in (0.5, 0.9, 0.99)),
        f"{np.quantile(rises, 0.9):+.3f}",
        f"{np.median(planned):.0f}",
        f"{np.median(took):.0f}",
        f"{np.median(ratio):.2f} [{np.quantile(ratio, 0.25):.2f}, {np.quantile(ratio, 0.75):.2f}]",
        f"{ranks:.2f}",
        f"{len(arrived)}/{len(followed)}",
    ]
