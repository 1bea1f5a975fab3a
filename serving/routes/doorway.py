"""What every door does first and last: see who asks, and answer in bytes."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.auth import require
from serving.house import house_of

_encode = msgspec.json.Encoder().encode


async def tenant_of(request: Request, *, scope: str) -> str:
    """The tenant of the key; raises Unauthenticated, or Refused where the key lacks the scope."""
    key = await house_of(request.scope).keys.verified(request.headers.get("authorization"))
    request.scope["state"]["tenant"] = key.tenant
    require(key, scope)
    return key.tenant


def answer(body: Any, *, status: int = 200) -> Response:
    """JSON, encoded once."""
    return Response(_encode(body), status_code=status, media_type="application/json")
