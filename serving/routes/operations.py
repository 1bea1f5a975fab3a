"""The doors for whoever runs the server."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from serving import workflows
from serving.house import house_of
from serving.routes.doorway import answer

router = APIRouter(tags=["operations"])


# Some load balancers ask for the head alone.
@router.head("/livez", include_in_schema=False)
@router.get("/livez", summary="Is the process alive")
async def livez() -> Response:
    """Touches nothing, so a slow database never gets a healthy process restarted."""
    return answer({"status": "alive"})


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Can it answer")
async def readyz(request: Request) -> Response:
    """200 where the store answers, else 503; says whether a bundle is served."""
    house = house_of(request.scope)
    state = await workflows.readiness(house.store, house.bundles, house.swapper.refused)
    ready = state["store"] == "ok" and not house.ending.is_set()
    body = {"status": "ready" if ready else "not ready", "model_version": house.bundles.version, **state}
    return answer(body, status=200 if ready else 503)


@router.get("/metrics", summary="Metrics for Prometheus")
async def metrics(request: Request) -> Response:
    """Counts and times; no learner and no tenant is in them."""
    house = house_of(request.scope)
    house.look()
    # Adding up what several processes counted takes a while: others are answered meanwhile.
    text = await asyncio.to_thread(house.metrics.text)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
