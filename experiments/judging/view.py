"""What a policy sees when it chooses: the shelf, the goal, and what happened so far."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

import numpy as np

from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from experiments.judging.intake import Shelf


class Choices:
    """The shelf, indexed for choosing; the same for all learners of a world.

    `popularity` counts how often each resource was taken up in the log, empty where no log was asked for.
    """

    def __init__(self, shelf: Shelf, popularity: Mapping[str, int] | None = None) -> None:
        self.resources = shelf.resources
        self.skills = shelf.skills
        self.popularity = popularity or {}
        self.by_id = {r.resource_id: r for r in shelf.resources}
        self.prerequisites = {s.skill_id: s.prerequisites for s in shelf.skills}

    @cached_property
    def of_skill(self) -> dict[str, list[Resource]]:
        """The resources of each skill, in the planned order."""
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            for skill in dict.fromkeys(resource.skills):
                found.setdefault(skill, []).append(resource)
        return found

    @cached_property
    def order(self) -> dict[str, int]:
        """The place of each skill: prerequisites first, then as the plan and the table of skills name them."""
        planned = dict.fromkeys([s for r in self.resources for s in r.skills] + [s.skill_id for s in self.skills])
        placed: dict[str, int] = {}

        def place(skill: str) -> None:
            for before in self.prerequisites.get(skill, ()):
                if before not in placed:
                    place(before)
            placed.setdefault(skill, len(placed))

        for skill in planned:
            place(skill)
        return placed

    def closure(self, goal: Sequence[str]) -> list[str]:
        """The goal and all that must be known before it, prerequisites first."""
        found, ahead = set(goal), list(goal)
        while ahead:
            new = set(self.prerequisites.get(ahead.pop(), ())) - found
            found |= new
            ahead += new
        return sorted(found, key=lambda s: (self.order.get(s, len(self.order)), s))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One learner before one step. `events` in sequence, the newest last; `now` None where the world has no clock.

    `gain` tells what each resource would bring: only the oracle is given it.
    """

    learner_id: str
    choices: Choices
    goal: tuple[str, ...]
    closure: tuple[str, ...]
    events: Sequence[Interaction]
    steps_left: int
    now: datetime | None
    rng: np.random.Generator
    gain: Callable[[str], float] | None = None

    def useful(self) -> list[Resource]:
        """The resources for the goal or what it needs, in the planned order; all where none is."""
        wanted = set(self.closure)
        found = [r for r in self.choices.resources if wanted.intersection(r.skills)]
        return found or list(self.choices.resources)

    def for_skills(self, skills: Sequence[str]) -> list[Resource]:
        """The resources for any of these skills, in the planned order; useful ones where there is none."""
        found = {r.resource_id: r for s in skills for r in self.choices.of_skill.get(s, ())}
        return [r for r in self.choices.resources if r.resource_id in found] or self.useful()

    def least_used(self, resources: Sequence[Resource]) -> list[Resource]:
        """Those of these resources this learner worked on least, in the order given."""
        counts = Counter(e.resource_id for e in self.events)
        least = min(counts[r.resource_id] for r in resources)
        return [r for r in resources if counts[r.resource_id] == least]


def next_order(events: Iterable[Interaction]) -> int:
    """An order after all of these, with one place left free before it."""
    return max((e.order or 0 for e in events), default=0) + 2


class Policy(Protocol):
    """Chooses the next resource for one learner; made anew for each learner."""

    def choose(self, view: View) -> str:
        """The id of a resource of the catalogue."""
