"""The door for what learners did."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving import workflows
from serving.batch import batch_in
from serving.house import House, house_of
from serving.openapi import door
from serving.routes.doorway import once, tenant_of
from serving.schemas import EventsIn, EventsOut

router = APIRouter(tags=["events"])


@router.post("/v1/events", **door("Tell what learners did", EventsIn, EventsOut, scope="events"))
async def post_events(request: Request) -> Response:
    """Keep up to 1,000 events, each once; when the answer comes they are on disk."""
    tenant = await tenant_of(request, scope="events")
    content = await request.body()
    return await once(request, tenant, lambda: kept_of(content, tenant, house_of(request.scope)))


async def kept_of(content: bytes, tenant: str, house: House) -> EventsOut:
    """What became of the events in this body, within the quota and counted; raises BadInput, OverQuota, Unavailable."""
    now = house.clock()
    batch = batch_in(content, now)
    house.quotas.require_room(tenant, len(batch), now)
    kept = await workflows.append_events(batch, tenant=tenant, events=house.store.events, now=now)
    house.quotas.count_events(tenant, kept.accepted, now)
    house.metrics.heard({"accepted": kept.accepted, "duplicate": kept.duplicates, "rejected": len(kept.rejected)})
    return kept
