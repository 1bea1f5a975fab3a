"""The doors for what to do next."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving import choosing
from serving.house import House, house_of
from serving.idempotency import HEADER
from serving.openapi import door
from serving.routes.doorway import once, tenant_of
from serving.schemas import BatchIn, BatchOut, RecommendationIn, RecommendationOut
from serving.wire import decoded, recommendation_out, token_of

router = APIRouter(tags=["recommendations"])


@router.post("/v1/recommendations", **door("What to do next", RecommendationIn, RecommendationOut, scope="recommend"))
async def post_recommendations(request: Request) -> Response:
    """Choose a slate for one learner, with reasons; an unknown learner gets a cold answer, not an error."""
    tenant = await tenant_of(request, scope="recommend")
    house = house_of(request.scope)
    asked = decoded(await request.body(), RecommendationIn)

    async def choose() -> RecommendationOut:
        chosen = await chosen_for(asked, tenant, house)
        await _settled(request, house)
        return chosen

    return await once(request, tenant, choose)


async def chosen_for(asked: RecommendationIn, tenant: str, house: House) -> RecommendationOut:
    """The answer, whose decision is on its way into the store."""
    async with house.waiting_room.one():
        with house.span("decision"):
            chosen = await choosing.recommend_next(
                asked,
                tenant=tenant,
                store=house.store,
                bundles=house.bundles,
                rules=house.rules,
                approvals=house.approvals,
                deciding=house.deciding,
                now=house.clock(),
            )
    await _told(house, tenant, [chosen])
    return recommendation_out(chosen.decision, seen_token=token_of(chosen.seq), what_if=chosen.what_if)


@router.post("/v1/recommendations/batch", **door("What to do next, for a class", BatchIn, BatchOut, scope="recommend"))
async def post_batch(request: Request) -> Response:
    """Choose a slate for each learner of a class, or for each of up to 200 learners, as for one."""
    tenant = await tenant_of(request, scope="recommend")
    house = house_of(request.scope)
    asked = decoded(await request.body(), BatchIn)

    async def choose() -> BatchOut:
        async with house.waiting_room.a_class():
            with house.span("decision"):
                chosen = await choosing.recommend_each(
                    asked,
                    tenant=tenant,
                    store=house.store,
                    bundles=house.bundles,
                    rules=house.rules,
                    approvals=house.approvals,
                    now=house.clock(),
                )
        await _told(house, tenant, chosen)
        await _settled(request, house)
        return BatchOut([recommendation_out(c.decision, seen_token=token_of(c.seq)) for c in chosen])

    return await once(request, tenant, choose)


async def _told(house: House, tenant: str, chosen: Sequence[choosing.Chosen]) -> None:
    """Count what was chosen, and hand it over to be recorded."""
    for one in chosen:
        house.metrics.decided(one.decision, is_away=one.is_away, lag=one.known.lag)
        if one.waited_s is not None:
            house.metrics.waits.observe(one.waited_s)
    await house.recorder.record(tenant, [(one.decision, one.known) for one in chosen])


async def _settled(request: Request, house: House) -> None:
    # Who wants it made once wants it made: here its record comes before the answer.
    if HEADER in request.headers:
        await house.recorder.settled()
