"""What happens around every request: its id, its line in the log, its metrics, the limit of its body."""

import re
import time
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.domain.errors import TrailmateError, Unavailable
from serving.errors import TooLarge, WrongShape, problem_of, unexpected
from serving.fresh_ids import fresh_id
from serving.house import House, house_of
from serving.logs import where

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Said on every line of a server that is about to end, so that the next question comes on a new one.
LAST = (b"connection", b"close")
# The door whose answers tell whether a bundle is any good.
WATCHED = "/v1/recommendations"
# What a caller names a request goes into the log, so it may not carry anything but a name.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_NOT_UTF8 = WrongShape("the address is not UTF-8; encode an id as UTF-8 before its bytes are written as %XX")


class Observed:
    """Gives each request an id, writes one line about it, counts it, and turns the unforeseen into a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = request_id_of_caller(_header(scope, b"x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        answered: dict[str, Any] = {}

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
                last = [LAST] if house_of(scope).ending.is_set() else []
                named_so = (b"x-request-id", request_id.encode())
                message = {**message, "headers": [*message["headers"], named_so, *last]}
            await send(message)

        app = self._app if _is_utf8(scope) else problem_of(_NOT_UTF8, request_id=request_id)
        try:
            await app(scope, receive, named)
        except Exception as error:
            house_of(scope).log.error("failed", request_id=request_id, error=type(error).__name__, where=where(error))
            if not answered:
                await unexpected(request_id)(scope, receive, named)
        route = getattr(scope.get("route"), "path", "none")
        seconds = time.perf_counter() - began
        tell(house_of(scope), scope, route=route, status=answered.get("status", 500), seconds=seconds)


class LimitedBody:
    """Refuses a body above the limit, by what it claims and by what comes; raises TooLarge where it is read."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        came = 0
        claimed = int(_header(scope, b"content-length") or 0)

        async def counted() -> Message:
            nonlocal came
            if claimed > self._max_bytes:
                raise TooLarge(self._words())
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._max_bytes:
                raise TooLarge(self._words())
            return message

        await self._app(scope, counted, send)

    def _words(self) -> str:
        return f"the body is larger than {self._max_bytes} bytes; send it in smaller parts"


def method_of(scope: Scope) -> str:
    """The method, or `other`: any word can be sent as one, and each would become a series of its own."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def tell(house: House, scope: Scope, *, route: str, status: int, seconds: float) -> None:
    """One line and two metrics; the route is a template, so no id in a path is ever written."""
    method = method_of(scope)
    house.metrics.answered(method, route, status, seconds)
    # For whoever stands around all this: which route it was is known only now.
    scope["state"]["route"] = route
    if route == WATCHED:
        # To be refused for lack of room, or while the store is away, is no fault of a bundle.
        house.swapper.watchdog.saw(seconds, failed=status >= 500 and status != 503)
    # Only the server's own troubles have words in the log: those of a wrong request may be a learner's.
    why = {"why": scope["state"]["why"]} if "why" in scope["state"] else {}
    house.log.info(
        "request",
        request_id=scope["state"]["request_id"],
        tenant=scope["state"].get("tenant"),
        method=method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 2),
        model_version=house.bundles.version,
        **why,
    )


def turned_away(house: House, scope: Scope, problem: TrailmateError) -> None:
    """Count what was refused to protect the others, and keep for the log why something was away."""
    house.metrics.turned_away(problem)
    if isinstance(problem, Unavailable):
        scope["state"]["why"] = str(problem)


def request_id_of_caller(given: bytes | None) -> str:
    """The id the caller gave the request where it is a name, or else a new one."""
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return fresh_id(16)


def _is_utf8(scope: Scope) -> bool:
    """Whether path and query can be read as they were meant: the framework would read two ids that are not as one."""
    for part in (scope.get("raw_path") or b"", scope["query_string"]):
        if b"%" in part:
            try:
                unquote_to_bytes(part).decode()
            except UnicodeDecodeError:
                return False
    return True


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)
