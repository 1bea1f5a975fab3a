"""The doors for what a school offers and whom it teaches."""

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from serving import workflows
from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import act_of, answer, tenant_of
from serving.schemas import ClassIn, LearnerIn, OneResourceIn, ResourcePatchIn, ResourcesIn, ResourcesOut
from serving.storage.offered import CatalogueStore
from serving.wire import class_in, decoded, learner_in

router = APIRouter(tags=["catalogue"])


@router.put("/v1/resources", **door("Make this the whole offer", ResourcesIn, ResourcesOut, scope="catalogue"))
async def put_resources(request: Request, dry_run: bool = False) -> Response:
    """Sync the whole set: what is absent is withdrawn, its history stays; sending it again changes nothing."""
    tenant = await tenant_of(request, scope="catalogue")
    whole = decoded(await request.body(), ResourcesIn)
    house = house_of(request.scope)
    report = await workflows.sync_resources(
        whole, tenant=tenant, catalogue=house.store.catalogue, act=act_of(request), dry_run=dry_run
    )
    return answer(report)


# `:path` lets an id hold an encoded slash.
_RESOURCE = "/v1/resources/{resource_id:path}"


@router.put(_RESOURCE, **door("Offer one resource", OneResourceIn, Resource, scope="catalogue"))
async def put_resource(request: Request, resource_id: str) -> Response:
    """Add or replace one resource, whatever else is offered; what was withdrawn is on offer again."""
    tenant = await tenant_of(request, scope="catalogue")
    kept = await workflows.put_resource(
        resource_id, await request.body(), tenant=tenant, catalogue=_catalogue(request), act=act_of(request)
    )
    return answer(kept)


@router.patch(_RESOURCE, **door("Change some of one resource", ResourcePatchIn, Resource, scope="catalogue"))
async def patch_resource(request: Request, resource_id: str) -> Response:
    """JSON merge patch: what is given takes the place of what stands, null clears it, the rest stays."""
    tenant = await tenant_of(request, scope="catalogue")
    kept = await workflows.patch_resource(
        resource_id, await request.body(), tenant=tenant, catalogue=_catalogue(request), act=act_of(request)
    )
    return answer(kept)


@router.delete(_RESOURCE, **door("Withdraw one resource", None, Resource, scope="catalogue"))
async def delete_resource(request: Request, resource_id: str) -> Response:
    """Offer it no more from now on; its history stays. The answer is what it was, which PUT offers again."""
    tenant = await tenant_of(request, scope="catalogue")
    gone = await workflows.withdraw_resource(
        resource_id, tenant=tenant, catalogue=_catalogue(request), act=act_of(request)
    )
    return answer(gone)


@router.put("/v1/learners/{learner_id:path}", **door("Tell of a learner", LearnerIn, Learner, scope="catalogue"))
async def put_learner(request: Request, learner_id: str) -> Response:
    """Add or replace a learner's record; `sharing` stays as it stands where it is left out."""
    tenant = await tenant_of(request, scope="catalogue")
    given = decoded(await request.body(), LearnerIn)
    learner = learner_in(learner_id, given)
    untold = (learner.learner_id,) if given.sharing is msgspec.UNSET else ()
    people = house_of(request.scope).store.people
    [kept] = await people.put_learners(tenant, [learner], untold=untold, act=act_of(request))
    return answer(kept)


@router.put("/v1/classes/{class_id:path}", **door("Tell of a class", ClassIn, SchoolClass, scope="catalogue"))
async def put_class(request: Request, class_id: str) -> Response:
    """Add or replace a class's record."""
    tenant = await tenant_of(request, scope="catalogue")
    school_class = class_in(class_id, decoded(await request.body(), ClassIn))
    await house_of(request.scope).store.people.put_classes(tenant, [school_class], act=act_of(request))
    return answer(school_class)


def _catalogue(request: Request) -> CatalogueStore:
    return house_of(request.scope).store.catalogue
