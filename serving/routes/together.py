"""The doors for learning together.

What groups and peers are made with is imported when somebody first asks for them: 2 MB and a twentieth of all that a
server would import otherwise, and many schools never ask.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import act_of, answer, key_of, once, tenant_of
from serving.routes.kept import match_in
from serving.schemas_together import (
    CollaboratorsIn,
    CollaboratorsOut,
    GroupingIn,
    GroupingOut,
    GroupingsOut,
    GroupsIn,
    GroupsOut,
)
from serving.wire import decoded

router = APIRouter(tags=["together"])
# Groups are a teacher's word as rules are; an app that keeps rosters may bring its own.
KEEPS_GROUPS = ("catalogue",)


@router.post(
    "/v1/collaborators", **door("Whom a learner might learn with", CollaboratorsIn, CollaboratorsOut, scope="recommend")
)
async def post_collaborators(request: Request) -> Response:
    """Peers for one learner, with something to do together; pupils are told of few who know something."""
    from serving import collaborating

    key = await key_of(request, scope="recommend")
    house = house_of(request.scope)
    asked = decoded(await request.body(), CollaboratorsIn)

    async def choose() -> CollaboratorsOut:
        return await collaborating.collaborators_for(asked, key=key, crowds=house.crowds, now=house.clock())

    # A kept answer holds what its key might read, so another key's request is another request.
    return await once(request, key.tenant, choose, reader=key.key_id)


@router.post("/v1/groups", **door("Groups for a class", GroupsIn, GroupsOut, scope="read"))
async def post_groups(request: Request) -> Response:
    """Several proposals that keep every hard rule, each group with a task; 409 names rules that cannot all hold."""
    from serving import grouping

    key = await key_of(request, scope="read")
    house = house_of(request.scope)
    asked = decoded(await request.body(), GroupsIn)

    async def propose() -> GroupsOut:
        return await grouping.groups_for(asked, key=key, crowds=house.crowds, now=house.clock())

    return await once(request, key.tenant, propose, reader=key.key_id)


@router.put(
    "/v1/groups/{grouping_id:path}",
    **door("Keep the groups a teacher chose", GroupingIn, GroupingOut, scope="rules or catalogue"),
)
async def put_grouping(request: Request, grouping_id: str) -> Response:
    """Keep a grouping, or replace it, with `If-Match` only the one that was read; the next proposals learn from it."""
    from serving import chosen_groups

    key = await key_of(request, scope="rules", or_one_of=KEEPS_GROUPS)
    given = decoded(await request.body(), GroupingIn)
    crowds, match = house_of(request.scope).crowds, match_in(request)
    return _tagged(
        await chosen_groups.keep(grouping_id, given, key=key, crowds=crowds, act=act_of(request), match=match)
    )


@router.delete(
    "/v1/groups/{grouping_id:path}",
    **door("Take back groups that were kept", None, GroupingOut, scope="rules or catalogue"),
)
async def delete_grouping(request: Request, grouping_id: str) -> Response:
    """Delete a grouping, as if it had not been kept; the answer is what it was, which PUT keeps again."""
    from serving import chosen_groups

    tenant = (await key_of(request, scope="rules", or_one_of=KEEPS_GROUPS)).tenant
    store = house_of(request.scope).store
    match = match_in(request)
    return answer(await chosen_groups.delete(grouping_id, tenant=tenant, store=store, act=act_of(request), match=match))


@router.get("/v1/groups", **door("The groups a class had", None, GroupingsOut, scope="read"))
async def get_groupings(request: Request, class_id: str, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """The groupings of a class, the newest first, with repeats and how evenly helping is spread."""
    from serving import chosen_groups

    tenant = await tenant_of(request, scope="read")
    house = house_of(request.scope)
    told = await chosen_groups.kept_of(class_id, limit=limit, tenant=tenant, store=house.store, now=house.clock())
    return answer(told)


def _tagged(kept: GroupingOut) -> Response:
    response = answer(kept)
    response.headers["ETag"] = kept.etag
    return response
