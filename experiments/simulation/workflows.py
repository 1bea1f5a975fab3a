"""The school at work over HTTP: teachers tell and assign, learners ask, choose, do and report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from engine.domain.history import microseconds
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from experiments.simulation.chance import Channel, uniform
from experiments.simulation.choosing import chosen_alone, chosen_from, utilities
from experiments.simulation.curriculum import Course
from experiments.simulation.learning import first_state
from experiments.simulation.school import School
from experiments.simulation.tables import assignments_of, interactions_of
from experiments.simulation.traits import Traits, traits_of
from experiments.simulation.year import SECOND_US, comes, taken_step, year

# What is asked for at `now` takes minutes, and nothing may end after `now`: the work is told as if begun hours before.
_TOLD_LATE_US = 4 * 3600 * SECOND_US


class Offered(Protocol):
    """One option of a slate."""

    @property
    def resource_id(self) -> str:
        """The resource offered."""


class Answered(Protocol):
    """What a service answers when a learner asks."""

    @property
    def decision_id(self) -> str:
        """The id of the decision."""

    @property
    def slate(self) -> Sequence[Offered]:
        """The options, best first."""


class Service(Protocol):
    """What the school needs of a service; the Python client is one."""

    def recommend(self, learner_id: str, *, k: int) -> Answered:
        """What this learner should do next."""

    def send_events(self, events: Sequence[Mapping[str, Any]]) -> Any:
        """Record interactions."""

    def put_resources(self, resources: Sequence[Resource]) -> Any:
        """Make this the whole catalogue."""

    def put_class(self, school_class: SchoolClass) -> None:
        """Tell of a class."""

    def put_learner(self, learner: Learner) -> None:
        """Tell of a learner."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One learner's visit: the slate offered, what they took, whether that was from the slate, and its outcome."""

    learner_id: str
    offered: tuple[str, ...]
    chosen: str
    followed: bool
    outcome: float | None


def tell(service: Service, school: School) -> None:
    """The school tells of its catalogue, classes and learners."""
    service.put_resources([resource for course in school.courses for resource in course.resources])
    for school_class in school.classes:
        service.put_class(school_class)
    for learner in range(school.n_learners):
        service.put_learner(school.learner(learner))


def work_alone(service: Service, school: School, learner: int, *, n_steps: int) -> None:
    """One learner's year, each step sent as it happens; the numbers are those of `simulate_log`."""
    course, traits = _one(school, learner)
    service.send_events(_as_json(assignments_of(school, course, traits)))
    for step, _ in year(school, course, traits, n_steps=n_steps):
        events = _as_json(interactions_of(school, course, traits, [step]))
        if events:
            service.send_events(events)


def visits(
    service: Service, school: School, learner: int, *, n_steps: int, n_visits: int, k: int = 5
) -> Iterator[Visit]:
    """After a year of `n_steps` alone, a learner asks `n_visits` times, takes an option or something else, and reports.

    Who does not come does not ask, so there may be fewer.
    """
    course, traits = _one(school, learner)
    state = first_state(course, traits)
    for _, latest in year(school, course, traits, n_steps=n_steps):
        state = latest
    row_of = {resource.resource_id: row for row, resource in enumerate(course.resources)}
    at_us = np.array([microseconds(school.now) // SECOND_US * SECOND_US - _TOLD_LATE_US], dtype=np.int64)
    for number in range(n_steps, n_steps + n_visits):
        if not comes(traits, step=number, seed=school.seed)[0]:
            continue
        wanted = utilities(course, traits, state, at_us=at_us, step=number, seed=school.seed)
        answer = service.recommend(school.learner_id(learner), k=k)
        slate = np.array([row_of[o.resource_id] for o in answer.slate if o.resource_id in row_of], dtype=np.int64)
        trusts = uniform(school.seed, traits.learner, step=number, channel=Channel.FOLLOWS)[0] < traits.trust[0]
        followed = bool(trusts and len(slate))
        chosen = (
            np.array([chosen_from(slate, wanted[0])]) if followed else chosen_alone(course, traits, wanted, at_us=at_us)
        )
        step, state = taken_step(school, course, traits, state, chosen=chosen, at_us=at_us, number=number)
        events = _as_json(interactions_of(school, course, traits, [step]))
        service.send_events([_decided(event, answer.decision_id) for event in events] if followed else events)
        yield Visit(
            learner_id=school.learner_id(learner),
            offered=tuple(option.resource_id for option in answer.slate),
            chosen=course.resources[chosen[0]].resource_id,
            followed=followed,
            outcome=None if np.isnan(step.outcome[0]) else float(step.outcome[0]),
        )


def _one(school: School, learner: int) -> tuple[Course, Traits]:
    course = school.course_of(learner)
    return course, traits_of(school, course, np.array([learner]))


def _decided(event: dict[str, Any], decision_id: str) -> dict[str, Any]:
    """The event with the decision it follows from; what the class page showed follows from none."""
    return event if event["kind"] == "shown" else {**event, "decision_id": decision_id}


def _as_json(events: pl.DataFrame) -> list[dict[str, Any]]:
    """Events of the log as the service takes them: nothing that is null."""
    return [{name: value for name, value in event.items() if value is not None} for event in events.to_dicts()]
