"""The doors to what is known of a learner, and for what they say themselves."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from serving import learner_workflows, plans, voices
from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import answer, once, tenant_of
from serving.schemas_learner import (
    GoalIn,
    GoalSetOut,
    LearnerOut,
    PathOut,
    PreferencesIn,
    PreferencesOut,
    UndoneOut,
    VoiceIn,
    VoiceOut,
)
from serving.wire import decoded

router = APIRouter(tags=["learners"])
_LEARNER = "/v1/learners/{learner_id:path}"


# An id may hold a slash, so the doors with longer addresses stand before the one that takes any.
@router.get(f"{_LEARNER}/path", **door("The plan to a learner's goal", None, PathOut, scope="read"))
async def get_path(
    request: Request, learner_id: str, choose: str | None = None, goal: Annotated[list[str] | None, Query()] = None
) -> Response:
    """Skills in order with minutes and the pace line; `choose` puts another ready skill first, and the plan follows."""
    tenant = await tenant_of(request, scope="read")
    house = house_of(request.scope)
    told = await plans.path_for(
        learner_id,
        asked=goal or (),
        choose=choose,
        tenant=tenant,
        store=house.store,
        bundles=house.bundles,
        now=house.clock(),
    )
    return answer(told)


@router.get(_LEARNER, **door("What is known of a learner", None, LearnerOut, scope="read"))
async def get_learner(
    request: Request, learner_id: str, audience: Literal["learner", "teacher"] = "teacher"
) -> Response:
    """Mastery with its evidence and doubt, reviews, formats, the goal's pace line, promised checks."""
    tenant = await tenant_of(request, scope="read")
    house = house_of(request.scope)
    told = await learner_workflows.portrait_for(
        learner_id, audience=audience, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
    )
    return answer(told)


@router.put(
    f"{_LEARNER}/preferences", **door("What a learner wants and needs", PreferencesIn, PreferencesOut, scope="events")
)
async def put_preferences(request: Request, learner_id: str) -> Response:
    """Replace what the learner said; needs of access hold from the next recommendation on."""
    tenant = await tenant_of(request, scope="events")
    house = house_of(request.scope)
    given = decoded(await request.body(), PreferencesIn)
    told = await learner_workflows.set_preferences(
        learner_id, given, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
    )
    return answer(told)


@router.put(f"{_LEARNER}/goal", **door("What a learner aims at", GoalIn, GoalSetOut, scope="events"))
async def put_goal(request: Request, learner_id: str) -> Response:
    """Replace the goal, and say when it is reached if weeks go on as they went; no skills take it back."""
    tenant = await tenant_of(request, scope="events")
    house = house_of(request.scope)
    given = decoded(await request.body(), GoalIn)
    told = await learner_workflows.set_goal(
        learner_id, given, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
    )
    return answer(told)


@router.post(f"{_LEARNER}/voice", **door("What a learner says", VoiceIn, VoiceOut, scope="events"))
async def post_voice(request: Request, learner_id: str) -> Response:
    """Hear a word: of a resource it changes the next answer, of skills it promises a check."""
    tenant = await tenant_of(request, scope="events")
    house = house_of(request.scope)
    given = decoded(await request.body(), VoiceIn)

    async def speak() -> VoiceOut:
        return await voices.speak(
            learner_id, given, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
        )

    return await once(request, tenant, speak)


@router.delete(
    f"{_LEARNER}/voice/{{event_id:path}}", **door("Take back what was said", None, UndoneOut, scope="events")
)
async def delete_voice(request: Request, learner_id: str, event_id: str) -> Response:
    """Undo a voice, a goal or preferences: all is as if it had not been said."""
    tenant = await tenant_of(request, scope="events")
    house = house_of(request.scope)
    told = await voices.take_back(
        learner_id, event_id, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
    )
    return answer(told)
