"""What every door does first and last: see who asks, and answer in bytes."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from serving.auth import require
from serving.house import House, house_of
from serving.idempotency import HEADER, answered_once, asked_with
from serving.storage.acts import Act
from serving.storage.port import KeptAnswer, Key
from serving.unknown import require_known_parameters

_encode = msgspec.json.Encoder().encode


async def tenant_of(request: Request, *, scope: str) -> str:
    """The tenant of the key; raises as `key_of` does."""
    return (await key_of(request, scope=scope)).tenant


async def key_of(request: Request, *, scope: str, or_one_of: tuple[str, ...] = ()) -> Key:
    """The key that asks; raises Unauthenticated, OverQuota, Refused where the key lacks the scope, and all others that
    would do, or WrongShape where the address holds a query parameter that this door does not take.
    """
    house = house_of(request.scope)
    key = await house.keys.verified(request.headers.get("authorization"))
    let_in(key, request.scope, house)
    require(key, scope, *or_one_of)
    require_known_parameters(request)
    return key


def let_in(key: Key, scope: Scope, house: House) -> None:
    """Note who asks, and count the request; raises OverQuota where the tenant has had its share."""
    state = scope["state"]
    state["tenant"], state["key_id"] = key.tenant, key.key_id
    # The clock is looked at only where somebody asks for the time: what is decided is decided at the first look.
    if house.quotas.limits_requests:
        house.quotas.count_request(key.tenant, house.clock())


def act_of(request: Request, *, author: str | None = None, reason: str | None = None) -> Act:
    """Who does what this request asks for, as the audit keeps it; call it after `tenant_of`."""
    now = house_of(request.scope).clock()
    return Act(at=now, actor=request.scope["state"]["key_id"], author=author, reason=reason)


def answer(body: Any, *, status: int = 200) -> Response:
    """JSON, encoded once."""
    return Response(_encode(body), status_code=status, media_type="application/json")


async def once(
    request: Request, tenant: str, work: Callable[[], Awaitable[Any]], *, status: int = 200, reader: str = ""
) -> Response:
    """The answer to a request that makes something; under an `Idempotency-Key` it is made once.

    Repeated, such a request gets the bytes it got first, and a header that says so.
    `reader` tells requests apart whose answers not everybody may read.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return answer(await work(), status=status)
    house = house_of(request.scope)
    door = f"{request.method} {request.url.path}?{request.url.query}{reader and f'#{reader}'}"
    asked = asked_with(key, tenant=tenant, door=door, body=await request.body())

    async def worked() -> KeptAnswer:
        return KeptAnswer(status=status, content=_encode(await work()))

    kept, before = await answered_once(asked, worked, answers=house.store.answers, now=house.clock())
    told = Response(kept.content, status_code=kept.status, media_type="application/json")
    if before:
        told.headers["Idempotency-Replayed"] = "true"
    return told
