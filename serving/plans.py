"""The plan to a learner's goal, made afresh each time it is asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from engine.emptiness import GOAL_MASTERED
from engine.learner.preferences import Goal
from engine.path import ready_skills
from engine.recommender import Recommender
from serving.current_bundle import CurrentBundle
from serving.errors import Conflict
from serving.known_learner import keep_state
from serving.known_names import knows_skill, require_skills
from serving.learner_workflows import NOT_ON_OFFER, goal_set, no_bundle, planned, somebody
from serving.schemas_learner import PathOut
from serving.storage.port import Store
from serving.wire_learner import path_out

NO_GOAL = "No goal is set: set one with PUT /v1/learners/{learner_id}/goal, or name skills in goal for this look."


async def path_for(
    learner_id: str,
    *,
    asked: Sequence[str],
    choose: str | None,
    tenant: str,
    store: Store,
    bundles: CurrentBundle,
    now: datetime,
) -> PathOut:
    """The path to the goal that stands, or to the skills `asked` for; `choose` names the step to come first.

    Raises:
        Unknown: nobody told of the learner and no event names them.
        UnknownName: a skill that nobody told of.
        Conflict: what is chosen cannot be done now.
    """
    known = await somebody(learner_id, tenant=tenant, store=store, bundles=bundles)
    recommender, standing = known.recommender, goal_set(known)
    skills = _named(asked, recommender)
    require_skills(skills, recommender, field="goal")
    require_skills([choose] if choose else (), recommender, field="choose")
    goal = replace(standing or Goal(), skills=skills, by=None) if skills else standing
    if goal is None or known.state is None or recommender.teaching is None:
        said = no_bundle(known) or NO_GOAL
        aims, by = (goal.skills, goal.by) if goal else ((), None)
        return PathOut(learner_id=learner_id, goal=aims, by=by, message=said)
    await keep_state(known, store)
    path = await asyncio.to_thread(planned, known, goal, now=now, choose=choose)
    if path is None:
        return PathOut(learner_id=learner_id, goal=goal.skills, by=goal.by, message=NOT_ON_OFFER)
    _require_ready(choose, ready_skills(path))
    return path_out(learner_id, path, message=None if path.remaining else GOAL_MASTERED)


def _named(asked: Sequence[str], recommender: Recommender) -> tuple[str, ...]:
    """The skills of `goal=a,b&goal=c`; an id that holds a comma is taken whole."""
    parts = [[x] if "," in x and knows_skill(x, recommender) else x.split(",") for x in asked]
    return tuple(dict.fromkeys(s for part in parts for s in part if s))


def _require_ready(choose: str | None, ready: Sequence[str]) -> None:
    if choose is not None and choose not in ready:
        offered = f"choose one of: {', '.join(ready)}" if ready else "nothing is left to do"
        raise Conflict(f"the skill named in choose is mastered, not on this path, or waits for another; {offered}")
