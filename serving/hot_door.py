"""POST /v1/recommendations without the web framework around it: the door that nearly all requests come through.

It answers as the route of the same address does, byte for byte, and a test holds both equal; whatever is out of the
ordinary, a query, a key to answer once, a large body, goes on to the route itself.
"""

import time
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.domain.errors import TrailmateError
from serving.auth import require
from serving.errors import problem_of
from serving.house import House, house_of
from serving.middleware import LAST, WATCHED, request_id_of_caller, tell
from serving.routes.doorway import let_in
from serving.routes.recommendations import chosen_for
from serving.schemas import RecommendationIn
from serving.wire import decoded

PATH = WATCHED
# A body of this many bytes comes in one or two pieces and is below every limit that may be set.
_MOST_BYTES = 1_000
_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


class HotDoor:
    """Answers the plain case of the one address; passes everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        asked = _plain(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        house = house_of(scope)
        request_id = request_id_of_caller(asked.get(b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        content = await _body(receive)
        if content is None:
            return
        try:
            answer = await _answer(asked, content, house, scope)
        except TrailmateError as problem:
            house.metrics.turned_away(problem)
            response = problem_of(problem, request_id=request_id)
            response.headers["x-request-id"] = request_id
            await response(scope, receive, send)
            status = response.status_code
        except Exception:
            # The route finds out the same in the place where the unforeseen is told of.
            await self._app(scope, _once_more(content, receive), send)
            return
        else:
            status = 200
            length = str(len(answer)).encode()
            headers = [(b"content-length", length), _JSON, (b"x-request-id", request_id.encode())]
            if house.ending.is_set():
                headers.append(LAST)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": answer})
        tell(house, scope, route=PATH, status=status, seconds=time.perf_counter() - began)


def _plain(scope: Scope) -> dict[bytes, bytes] | None:
    """The headers of a plain request to this door; None where it is another one."""
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or scope["query_string"]:
        return None
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if b"idempotency-key" in headers or not length.isdigit() or int(length) > _MOST_BYTES:
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


async def _answer(asked: dict[bytes, bytes], content: bytes, house: House, scope: Scope) -> bytes:
    key = await house.keys.verified(asked.get(b"authorization", b"").decode("latin-1") or None)
    let_in(key, scope, house)
    require(key, "recommend")
    return _encode(await chosen_for(decoded(content, RecommendationIn), key.tenant, house))


def _once_more(content: bytes, receive: Receive) -> Receive:
    """What gives a body that was read already once more."""
    given: list[Any] = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> Message:
        return given.pop() if given else await receive()

    return again
