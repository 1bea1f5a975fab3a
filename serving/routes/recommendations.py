"""The door for what to do next."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving import workflows
from serving.house import house_of
from serving.openapi import door
from serving.routes.doorway import answer, tenant_of
from serving.schemas import RecommendationIn, RecommendationOut
from serving.wire import decoded, recommendation_out, token_of

router = APIRouter(tags=["recommendations"])


@router.post("/v1/recommendations", **door("What to do next", RecommendationIn, RecommendationOut, scope="recommend"))
async def post_recommendations(request: Request) -> Response:
    """Choose a slate for one learner, with reasons; an unknown learner gets a cold answer, not an error."""
    tenant = await tenant_of(request, scope="recommend")
    house = house_of(request.scope)
    asked = decoded(await request.body(), RecommendationIn)
    decision, seen = await workflows.recommend_next(
        asked, tenant=tenant, store=house.store, bundles=house.bundles, now=house.clock()
    )
    house.metrics.decisions.labels(decision.mode).inc()
    return answer(recommendation_out(decision, seen_token=token_of(seen)))
