"""POST /v1/recommendations and /v1/events without the web framework: the doors that nearly all requests come through.

It answers as the route of the same address does, byte for byte, and a test holds both equal; whatever is out of the
ordinary, a query, a key to answer once, a large body, goes on to the route itself.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.domain.errors import TrailmateError
from serving.auth import require
from serving.errors import problem_of, unexpected
from serving.house import House, house_of
from serving.logs import where
from serving.middleware import LAST, WATCHED, request_id_of_caller, tell, turned_away
from serving.routes.doorway import let_in
from serving.routes.events import kept_of
from serving.routes.recommendations import chosen_for
from serving.schemas import RecommendationIn
from serving.wire import decoded

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class _Plain:
    """What may be asked without the framework: with which scope, in how many bytes, and what answers it."""

    scope: str
    most_bytes: int
    answer: Callable[[bytes, str, House], Awaitable[object]]


async def _chosen(content: bytes, tenant: str, house: House) -> object:
    return await chosen_for(decoded(content, RecommendationIn), tenant, house)


# What is longer is rare, and the framework costs little of it.
_DOORS = {
    WATCHED: _Plain("recommend", 1_000, _chosen),
    "/v1/events": _Plain("events", 64_000, kept_of),
}


class HotDoor:
    """Answers the plain case of these addresses; passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        door = _DOORS.get(scope["path"]) if scope["type"] == "http" else None
        if door is None:
            await self._app(scope, receive, send)
            return
        began, house = time.perf_counter(), house_of(scope)
        asked = _plain(scope, door, house)
        if asked is None:
            await self._app(scope, receive, send)
            return
        request_id = request_id_of_caller(asked.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        content = await _body(receive)
        if content is None:
            return
        try:
            answer = await _answer(asked, content, door, scope)
        except Exception as problem:
            status = await _refused(problem, request_id, scope, receive, send)
        else:
            status = 200
            length = str(len(answer)).encode()
            headers = [(b"content-length", length), _JSON, (b"x-request-id", request_id.encode())]
            if house.ending.is_set():
                headers.append(LAST)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        tell(house, scope, route=scope["path"], status=status, seconds=time.perf_counter() - began)


async def _refused(problem: Exception, request_id: str, scope: Scope, receive: Receive, send: Send) -> int:
    """Answer an error as the framework and what stands around it do; gives its status."""
    house = house_of(scope)
    if isinstance(problem, TrailmateError):
        turned_away(house, scope, problem)
        response = problem_of(problem, request_id=request_id)
    else:
        house.log.error("failed", request_id=request_id, error=type(problem).__name__, where=where(problem))
        response = unexpected(request_id)
    response.headers["x-request-id"] = request_id
    if house.ending.is_set():
        response.headers[LAST[0].decode()] = LAST[1].decode()
    await response(scope, receive, send)
    return response.status_code


def _plain(scope: Scope, door: _Plain, house: House) -> dict[bytes, bytes] | None:
    """The headers of a plain request to this door; None where it is another one."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if b"idempotency-key" in headers or not length.isdigit():
        return None
    if int(length) > min(door.most_bytes, house.settings.max_body_bytes):
        return None
    # Of a header that is sent twice the route takes the first.
    return headers if len(headers) == len(scope["headers"]) else None


async def _body(receive: Receive) -> bytes | None:
    """All of the body; None where the caller has gone."""
    message = await receive()
    content: bytes = message.get("body", b"")
    while message["type"] == "http.request" and message.get("more_body"):
        message = await receive()
        content += message.get("body", b"")
    return content if message["type"] == "http.request" else None


async def _answer(asked: dict[bytes, bytes], content: bytes, door: _Plain, scope: Scope) -> bytes:
    house = house_of(scope)
    key = await house.keys.verified(asked.get(b"authorization", b"").decode("latin-1") or None)
    let_in(key, scope, house)
    require(key, door.scope)
    return _encode(await door.answer(content, key.tenant, house))
