"""The learners of a class or a school as arrays: who they are, and what they know of the skills worked on most."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from engine.collaborators.crowd import (
    Abilities,
    Crowd,
    Person,
    abilities_of,
    counted,
    crowd_of,
    estimated,
    readiness_of,
)
from engine.domain.history import microseconds
from engine.domain.learner import Learner
from engine.recommender import Recommender
from serving.known_learner import KnownLearner
from serving.learner_workflows import goal_set

# So many skills are looked at: those most worked on.
MAX_SKILLS = 80


def drawn(
    known: Mapping[str, KnownLearner],
    recommender: Recommender,
    *,
    class_id: str | None,
    members: frozenset[str],
    skills: Sequence[str],
    now: datetime,
) -> Crowd:
    """Those who are known, by id; `members` are in the class whatever their record says, `skills` are looked at."""
    people = [_person(one, (class_id,) if class_id is not None and x in members else ()) for x, one in known.items()]
    wanted = _skills(known, recommender, people, tuple(skills))
    return crowd_of(people, _abilities(list(known), known, recommender, wanted, now), recommender.titles)


def _person(known: KnownLearner, classes: Sequence[str]) -> Person:
    record = known.context.learner or Learner(learner_id=known.learner_id)
    return Person(
        learner_id=known.learner_id,
        class_ids=tuple(dict.fromkeys((*record.classes, *classes))),
        features=record.features,
        languages=record.languages,
        sharing=record.sharing,
        goal=goal_set(known),
        preferences=known.preferences,
    )


def _skills(
    known: Mapping[str, KnownLearner], recommender: Recommender, people: Sequence[Person], skills: Sequence[str]
) -> tuple[str, ...]:
    """What is looked at: what was asked for, goals, what is worked on most, and what each of these builds on."""
    taught, counts = recommender.offer.skills, Counter[str]()
    for one in known.values():
        for event in one.context.interactions:
            given = event.skills if event.skills is not None else taught.get(event.resource_id or "", ())
            counts.update(given)
    goals = sorted({s for p in people if p.goal for s in p.goal.skills})
    first = [*skills, *goals, *sorted(counts, key=lambda s: (-counts[s], s)), *sorted(recommender.skill_rows)]
    chosen: dict[str, None] = {}
    for skill in first:
        if len(chosen) >= MAX_SKILLS:
            break
        if skill in recommender.skill_rows or skill in counts or skill in recommender.graph:
            chosen.update(dict.fromkeys((skill, *recommender.graph.get(skill, ()))))
    return tuple(sorted(chosen))


def _abilities(
    ids: Sequence[str],
    known: Mapping[str, KnownLearner],
    recommender: Recommender,
    skills: tuple[str, ...],
    now: datetime,
) -> Abilities:
    states = [known[x].state for x in ids]
    told = [state for state in states if state is not None]
    if recommender.teaching is not None and len(told) == len(states):
        mastery, sure, answers = estimated(told, skills, recommender.teaching, now_us=microseconds(now))
    else:
        mastery, answers = counted([known[x].standing for x in ids], skills, recommender.offer.skills)
        sure = mastery
    ready = readiness_of(np.nan_to_num(mastery, nan=1.0), skills, recommender.graph)
    return abilities_of(skills, mastery, answers, ready, sure=sure)
