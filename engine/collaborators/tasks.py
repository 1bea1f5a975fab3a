"""What a group can do together: the skills it is ready for, and a task from the catalogue."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.modes import Known
from engine.domain.resource import Resource
from engine.ranking.selection import INQUIRY_FORMATS

# Formats that end in something made, beside resources that say so with this tag.
ARTIFACT_FORMATS = frozenset({"project", "inquiry", "investigation", "experiment"})
ARTIFACT = "artifact"


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
    known: Known,
    groups: NDArray[np.int32],
    n_groups: int,
    resources: Iterable[Resource],
    *,
    skills: Sequence[Sequence[str]] | None = None,
) -> list[Task | None]:
    """A task for each group, None where the catalogue has nothing that all of it is ready for.

    A task asks for nothing the group is not ready for. It works on the group's first skill where the catalogue has
    such: the first of `skills`, `(n_groups,)` lists, else of those it is ready for. Inquiry goes first, then what the
    fewest groups before have, what works on more of the skills, and the id. Where any group could have inquiry with an
    artifact, at least one does.
    """
    offered = sorted(resources, key=lambda resource: resource.resource_id)
    members = [np.flatnonzero(groups == g) for g in range(n_groups)]
    options = [options_of(known, ours, offered) for ours in members]
    firsts = [(told or ("",))[0] for told in skills or [ready_skills(known, ours.tolist()) for ours in members]]
    chosen, taken = list[Task | None](), Counter[str]()
    for first, tasks in zip(firsts, options, strict=True):
        chosen.append(min(tasks, key=partial(_place, first, taken), default=None))
        taken.update(task.resource_id for task in chosen[-1:] if task is not None)
    if not any(task and task.artifact for task in chosen):
        for g, tasks in enumerate(options):
            if made := [task for task in tasks if task.artifact]:
                chosen[g] = min(made, key=partial(_place, firsts[g], taken))
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


def _place(first: str, taken: Counter[str], task: Task) -> tuple[bool, bool, int, int, str]:
    return (first not in task.skills, not task.inquiry, taken[task.resource_id], -len(task.skills), task.resource_id)
