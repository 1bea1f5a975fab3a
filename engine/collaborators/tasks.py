"""What a group can do together: the skills it is ready for, and a task from the catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.modes import Known
from engine.domain.resource import Resource
from engine.ranking.selection import INQUIRY_FORMATS

# Formats that end in something made, beside resources that say so with this tag.
ARTIFACT_FORMATS = frozenset({"project", "inquiry", "investigation", "experiment"})
ARTIFACT = "artifact"
_INQUIRY_WORTH = 1.5


@dataclass(frozen=True, slots=True)
class Task:
    """A resource for a group, the skills it works on there, and whether it is inquiry and ends in an artifact."""

    resource_id: str
    skills: tuple[str, ...]
    inquiry: bool
    artifact: bool


def ready_skills(known: Known, members: Sequence[int]) -> tuple[str, ...]:
    """Skills every member is ready for and some have not mastered, those fewest have mastered first; ties by id."""
    rows = np.asarray(members, np.intp)
    mastered = np.nan_to_num(known.mastery[rows], nan=0.0) >= known.mastered
    ready = (known.ready[rows] | mastered).all(0) & ~mastered.all(0)
    order = sorted(np.flatnonzero(ready), key=lambda k: (int(mastered[:, k].sum()), known.skills[k]))
    return tuple(known.skills[k] for k in order)


def tasks_of(
    known: Known, groups: NDArray[np.int32], n_groups: int, resources: Iterable[Resource]
) -> list[Task | None]:
    """A task for each group, None where the catalogue has nothing that all of it is ready for.

    A task works on as many of the group's skills as can be and asks for none it is not ready for. Inquiry is worth half
    as much again, and where any group could have inquiry with an artifact, at least one does.
    """
    offered = sorted(resources, key=lambda resource: resource.resource_id)
    options = [options_of(known, np.flatnonzero(groups == g), offered) for g in range(n_groups)]
    chosen = [max(tasks, key=_worth, default=None) for tasks in options]
    if not any(task and task.artifact for task in chosen):
        for g, tasks in enumerate(options):
            if made := [task for task in tasks if task.artifact]:
                chosen[g] = max(made, key=_worth)
                break
    return chosen


def options_of(known: Known, members: NDArray[np.intp], offered: Sequence[Resource]) -> list[Task]:
    """Everything a group is ready for, by id."""
    wanted = set(ready_skills(known, members.tolist()))
    mastered = np.asarray((np.nan_to_num(known.mastery[members], nan=0.0) >= known.mastered).all(0))
    able = wanted | {skill for skill, all_know in zip(known.skills, mastered, strict=True) if all_know}
    found = []
    for resource in offered:
        worked = tuple(skill for skill in resource.skills if skill in wanted)
        if worked and set(resource.skills) <= able:
            made = resource.format in ARTIFACT_FORMATS or ARTIFACT in resource.tags
            found.append(Task(resource.resource_id, worked, resource.format in INQUIRY_FORMATS or made, made))
    return found


def _worth(task: Task) -> float:
    return len(task.skills) * (_INQUIRY_WORTH if task.inquiry else 1.0)
