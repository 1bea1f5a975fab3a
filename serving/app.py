"""Where serving meets: routes, middleware and errors around one house."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.domain.errors import TrailmateError
from serving.current_bundle import CurrentBundle
from serving.errors import WrongShape, problem_of, request_id_of, status_problem
from serving.hot_door import HotDoor
from serving.house import open_house
from serving.middleware import LimitedBody, Observed
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


def create_app(settings: Settings, bundles: CurrentBundle | None = None) -> FastAPI:
    """The app, with nothing opened yet: its lifespan opens the store and the bundle, and closes them.

    `bundles` is the bundle where it was read already.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_house(settings, bundles) as house:
            app.state.house = house
            yield

    app = FastAPI(title="Trailmate", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
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
    app.add_middleware(HotDoor)
    return app


async def _own_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TrailmateError)
    return problem_of(error, request_id=request_id_of(request))


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = status_problem(error.status_code, request_id=request_id_of(request))
    response.headers.update(error.headers or {})
    return response


async def _wrong_parameter(request: Request, _error: Exception) -> Response:
    wrong = WrongShape("a query parameter has the wrong form; see /openapi.json for the right one")
    return problem_of(wrong, request_id=request_id_of(request))
