"""The doors to what waits for a teacher."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from serving import approval_workflows
from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import act_of, answer, once, tenant_of
from serving.schemas_approvals import ApprovalIn, ApprovalOut, ApprovalSettingIn, ApprovalSettingOut, ApprovalsOut
from serving.wire import decoded

router = APIRouter(tags=["approvals"])
_SETTING = "/v1/approvals/settings/{class_id:path}"


@router.get("/v1/approvals", **door("What waits for the teacher", None, ApprovalsOut, scope="rules"))
async def get_approvals(
    request: Request,
    state: Literal["waiting", "approved", "declined", "expired"] | None = None,
    class_id: str | None = None,
    learner_id: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Questions in the order they were put, in pages."""
    tenant = await tenant_of(request, scope="rules")
    house = house_of(request.scope)
    told = await approval_workflows.approvals_for(
        state,
        class_id=class_id,
        learner_id=learner_id,
        cursor=cursor,
        limit=limit,
        tenant=tenant,
        store=house.store.approvals,
        now=house.clock(),
    )
    return answer(told)


@router.get(_SETTING, **door("What a class leaves to its teacher", None, ApprovalSettingOut, scope="rules"))
async def get_setting(request: Request, class_id: str) -> Response:
    """How large a jump must be to wait, and for how long."""
    tenant = await tenant_of(request, scope="rules")
    store = house_of(request.scope).store.approvals
    return answer(await approval_workflows.setting_of(class_id, tenant=tenant, store=store))


@router.put(_SETTING, **door("Leave something to the teacher", ApprovalSettingIn, ApprovalSettingOut, scope="rules"))
async def put_setting(request: Request, class_id: str) -> Response:
    """Say how large a jump must be to wait for the teacher of a class, and for how long."""
    tenant = await tenant_of(request, scope="rules")
    given = decoded(await request.body(), ApprovalSettingIn)
    act = act_of(request, author=given.author, reason=given.reason)
    store = house_of(request.scope).store.approvals
    return answer(await approval_workflows.put_setting(class_id, given, act=act, tenant=tenant, store=store))


@router.post("/v1/approvals/{approval_id}", **door("Approve or decline", ApprovalIn, ApprovalOut, scope="rules"))
async def post_approval(request: Request, approval_id: str) -> Response:
    """Say yes or no to a question; it counts from the next call on, and may be changed."""
    tenant = await tenant_of(request, scope="rules")
    given = decoded(await request.body(), ApprovalIn)
    act = act_of(request, author=given.author, reason=given.reason)
    store = house_of(request.scope).store.approvals

    async def decide() -> ApprovalOut:
        return await approval_workflows.decide(approval_id, given, act=act, tenant=tenant, store=store)

    return await once(request, tenant, decide)
