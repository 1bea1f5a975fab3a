"""The door to who changed what."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from serving import auditing
from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import answer, tenant_of
from serving.schemas_audit import AuditOut
from serving.storage.acts import Wanted

router = APIRouter(tags=["audit"])


@router.get("/v1/audit", **door("Who changed what, for whom and why", None, AuditOut, scope="audit"))
async def get_audit(
    request: Request,
    kind: str | None = None,
    object_id: str | None = None,
    learner_id: str | None = None,
    actor: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Response:
    """Entries newest first, in pages: of a kind of thing, of one thing, of a learner, by one key."""
    tenant = await tenant_of(request, scope="audit")
    wanted = Wanted(kind=kind, object_id=object_id, learner_id=learner_id, actor=actor)
    audit = house_of(request.scope).store.audit
    return answer(await auditing.entries_for(wanted, cursor=cursor, limit=limit, tenant=tenant, audit=audit))
