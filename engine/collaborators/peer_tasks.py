"""What two learners can do together: a resource of the catalogue that fits the topic and both of them."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from engine.collaborators.crowd import Crowd
from engine.collaborators.modes import Known
from engine.collaborators.peers import Peer
from engine.collaborators.tasks import ARTIFACT, ARTIFACT_FORMATS, Task, options_of
from engine.domain.resource import Resource
from engine.ranking.selection import INQUIRY_FORMATS

# So many resources of a topic are looked at, the first in the plan of the course.
_LOOKED_AT = 40


def peer_tasks(
    crowd: Crowd, row: int, peers: Sequence[Peer], teaching: Mapping[str, Sequence[Resource]]
) -> list[Task | None]:
    """A task for each option; `teaching` are the resources of each skill, `""` those that teach none or are for making.

    Where any of the options can end in something made, at least one does.
    """
    told = [_options(crowd, row, peer, teaching) for peer in peers]
    chosen = [tasks[0] if tasks else None for tasks in told]
    if not any(task and task.artifact for task in chosen):
        # What is to be made goes to those who are to make something, or to get to know each other.
        order = sorted(range(len(peers)), key=lambda at: (peers[at].mode not in ("project", "new_people"), at))
        for at in order:
            made = next((task for task in told[at] if task.artifact), None)
            if made is not None:
                chosen[at] = made
                break
    return chosen


def known_of_crowd(crowd: Crowd, rows: Sequence[int]) -> Known:
    """What is known of some of a crowd, as those who form groups look at it."""
    at = np.asarray(rows, np.intp)
    a = crowd.abilities
    # Of several interests the one that most of them have, so that those who share any are seen to.
    shared = crowd.likes[at].sum(0)
    likes = [
        min(((-int(shared[k]), crowd.interests[k]) for k in np.flatnonzero(crowd.likes[r])), default=(0, ""))[1]
        for r in at
    ]
    return Known(
        learner_ids=tuple(crowd.learner_ids[r] for r in at),
        skills=a.skills,
        mastery=np.where(a.answers[at] > 0, a.mastery[at], np.minimum(a.mastery[at], 0.5)),
        ready=a.ready[at],
        interests=tuple(likes),
    )


def _options(crowd: Crowd, row: int, peer: Peer, teaching: Mapping[str, Sequence[Resource]]) -> list[Task]:
    """What fits, the best first: what both are ready for, or without a skill what is made or talked over."""
    skills = [s for s in (peer.topic, peer.in_return) if s in crowd.abilities.skills and s is not None]
    offered = {r.resource_id: r for s in skills for r in _first(teaching.get(s, ()))}
    if not skills:
        liked = (peer.topic or "").removeprefix("format:")
        found = [_plain(r) for r in _first(teaching.get("", ())) if _ready(crowd, (row, peer.row), r)]
        formats = {r.resource_id: r.format for r in teaching.get("", ())}
        return sorted(
            found, key=lambda t: (formats[t.resource_id] != liked, not t.artifact, not t.inquiry, t.resource_id)
        )
    known = known_of_crowd(crowd, (row, peer.row))
    found = options_of(known, np.arange(2), sorted(offered.values(), key=_planned))
    first = peer.topic or ""
    return sorted(found, key=lambda t: (first not in t.skills, -len(t.skills), not t.inquiry))


def _ready(crowd: Crowd, rows: Sequence[int], resource: Resource) -> bool:
    """Whether both are ready for all that a resource teaches, as far as these skills are looked at."""
    a = crowd.abilities
    places = [a.skills.index(s) for s in resource.skills if s in a.skills]
    return bool(a.ready[np.ix_(list(rows), places)].all())


def _plain(resource: Resource) -> Task:
    made = resource.format in ARTIFACT_FORMATS or ARTIFACT in resource.tags
    return Task(resource.resource_id, resource.skills, resource.format in INQUIRY_FORMATS or made, made)


def _first(resources: Iterable[Resource]) -> list[Resource]:
    return sorted(resources, key=_planned)[:_LOOKED_AT]


def _planned(resource: Resource) -> tuple[int, str]:
    return (2**31 if resource.position is None else resource.position, resource.resource_id)


def teaching_of(resources: Iterable[Resource]) -> dict[str, list[Resource]]:
    """Resources by the skills they teach; under `""` those for making and talking, and those that teach no skill."""
    found: dict[str, list[Resource]] = {"": []}
    for resource in resources:
        for skill in dict.fromkeys(resource.skills):
            found.setdefault(skill, []).append(resource)
        if not resource.skills or _plain(resource).inquiry:
            found[""].append(resource)
    return {skill: _first(those) for skill, those in found.items()}
