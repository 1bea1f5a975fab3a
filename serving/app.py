"""Where serving meets: routes, middleware and errors around one house."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from engine.domain.errors import TrailmateError
from serving.current_bundle import CurrentBundle
from serving.errors import WrongShape, problem_of, request_id_of, status_problem
from serving.hot_door import HotDoor
from serving.house import house_of, open_house
from serving.middleware import LimitedBody, Observed, turned_away
from serving.openapi import describe
from serving.routes import (
    approvals,
    audit,
    console,
    events,
    learners,
    operations,
    overrides,
    recommendations,
    records,
    rules,
    together,
)
from serving.settings import Settings
from serving.traced import Traced
from serving.traces import traces_wanted

# The framework's own spans and logs would tell addresses, queries and messages, and so learners: ours do not.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(settings: Settings, bundles: CurrentBundle | None = None, *, counting_in: Path | None = None) -> FastAPI:
    """The app, with nothing opened yet: its lifespan opens the store and the bundle, and closes them.

    `bundles` is the bundle where it was read already, `counting_in` the folder in which several processes count
    together; raises BadInput where traces are wanted and cannot be.
    """
    traces = traces_wanted(os.environ)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_house(settings, bundles, counting_in=counting_in, traces=traces) as house:
            app.state.house = house
            yield

    app = _Doors(
        title="Trailmate",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
        # The framework would send whoever adds a slash, key and query, on to whatever host they said this is.
        redirect_slashes=False,
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    # Records take any id, also one that ends like the doors of `learners`: those stand first.
    parts = (
        events,
        recommendations,
        together,
        learners,
        records,
        rules,
        overrides,
        approvals,
        audit,
        operations,
        console,
    )
    for part in parts:
        app.include_router(part.router)
    app.add_exception_handler(TrailmateError, _own_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    # The last one added stands outermost.
    app.add_middleware(LimitedBody, max_bytes=settings.max_body_bytes)
    app.add_middleware(Observed)
    if traces is not None:
        app.hot = Traced(app.hot, traces=traces)
    return app


class _Doors(FastAPI):
    """The app behind its hot door, which stands before everything that the framework puts around a request."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # Who asks, and by which scheme, is nothing to the hot door: what proxies say of it is read behind it.
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
        self.hot: ASGIApp = HotDoor(ProxyHeadersMiddleware(super().__call__, trusted_hosts=trusted))  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.hot(scope, receive, send)


async def _own_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrailmateError)
    turned_away(house_of(request.scope), request.scope, error)
    return problem_of(error, request_id=request_id_of(request))


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = status_problem(error.status_code, request_id=request_id_of(request))
    response.headers.update(error.headers or {})
    return response


async def _wrong_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    # Its name is one of ours, and its words say what is asked for, never what was given.
    name, words = first["loc"][-1], str(first["msg"])
    wrong = WrongShape(f"the query parameter {name}: {words[:1].lower()}{words[1:]}; mend it, or see /openapi.json")
    return problem_of(wrong, request_id=request_id_of(request))
