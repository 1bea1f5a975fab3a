"""What waits for a teacher's word: which resources are jumps for a learner, and how long a question stands."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.resource import Resource
from engine.learner.menu import Menu, known_of
from engine.learner.model import LearnerModel
from engine.learner.state import LearnerState
from engine.learner.tracing import MASTERED
from engine.rules.plan import Plan

WAITING, APPROVED, DECLINED, EXPIRED = "waiting", "approved", "declined", "expired"
CONTACT, JUMP = "contact", "jump"
DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a class leaves to its teacher.

    `jump`: how many skills that are not mastered may lie before a resource until it waits; None lets all through.
    `days`: how long a question waits.
    """

    jump: int | None = None
    days: int = DAYS


class Ahead:
    """What lies before each skill, through all its prerequisites; looked up once for each, so keep it per graph."""

    def __init__(self, graph: Mapping[str, Sequence[str]]) -> None:
        self._graph = graph
        self._found: dict[str, frozenset[str]] = {}

    def of(self, skill: str) -> frozenset[str]:
        """All skills needed before it, itself not among them."""
        if skill not in self._found:
            found: set[str] = set()
            todo = list(self._graph.get(skill, ()))
            while todo:
                one = todo.pop()
                if one not in found and one != skill:
                    found.add(one)
                    todo += self._graph.get(one, ())
            self._found[skill] = frozenset(found)
        return self._found[skill]

    def unmet(self, skills: Iterable[str], mastered: Collection[str]) -> tuple[str, ...]:
        """What is needed before any of these and not mastered, by id; what they teach themselves does not count."""
        taught = frozenset(skills)
        needed = frozenset().union(*(self.of(skill) for skill in taught))
        return tuple(sorted(x for x in needed - taught if x not in mastered))


def jumps_of(
    resources: Iterable[Resource | None], ahead: Ahead, mastered: Collection[str], *, limit: int, plan: Plan | None
) -> dict[str, tuple[str, ...]]:
    """Resources that lie more than `limit` skills that are not mastered ahead, with those skills.

    What a rule of the `plan` waives is none. Resources are rows of the plan's catalogue.
    """
    waived = None if plan is None else plan.waived
    unmet: dict[tuple[str, ...], tuple[str, ...]] = {}
    found = {}
    for row, resource in enumerate(resources):
        if resource is None or (waived is not None and waived[row]):
            continue
        if resource.skills not in unmet:
            unmet[resource.skills] = ahead.unmet(resource.skills, mastered)
        if len(unmet[resource.skills]) > limit:
            found[resource.resource_id] = unmet[resource.skills]
    return found


def mastered_of(
    menu: Menu | None, model: LearnerModel | None, state: LearnerState | None, *, plan: Plan | None, now_us: int
) -> frozenset[str]:
    """The skills that count as mastered: what a teacher set, and else what is estimated; of what is not known, none."""
    found: dict[str, float] = {}
    if menu is not None and model is not None and state is not None:
        nothing: NDArray[np.int64] = np.empty(0, np.int64)
        skills = np.arange(len(menu.skills), dtype=np.int64)
        known = known_of(menu, nothing, skills, state=state, model=model, now_us=now_us)
        found = dict(zip(menu.skills, known.known.tolist(), strict=True))
    if plan is not None:
        found |= {skill: value for skill, (_, value) in plan.mastery.items()}
    return frozenset(skill for skill, value in found.items() if value >= MASTERED)


def standing_of(state: str, until: datetime, now: datetime) -> str:
    """How a question stands now: one that nobody answered in time has expired, and its safe answer is no."""
    return EXPIRED if state == WAITING and until <= now else state


def may_ask_again(until: datetime, days: int, now: datetime) -> bool:
    """Whether an expired question may be put again: only after it rested as long as it waited."""
    return until + timedelta(days=days) <= now
