"""The description at `/openapi.json`, drawn from the same shapes that read and write the wire."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec
from fastapi import FastAPI

from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from serving import schemas, schemas_approvals, schemas_audit, schemas_learner, schemas_rules, schemas_together
from serving.errors import ProblemOut
from serving.idempotency import HEADER

# What every POST door takes, see `serving.routes.doorway.once`.
_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Sent again with the same key and body within 24 hours, the request gets the same answer.",
}
_REF = "#/components/schemas/{name}"


def door(
    summary: str, given: type[Any] | None, answered: type[Any], *, scope: str, status: int = 200
) -> dict[str, Any]:
    """What a route says of itself: the shapes of body and answer, with an example, and the scope its key needs."""
    examples = _examples()
    body = {"requestBody": {"required": True, "content": _content(given, examples[given.__name__])}} if given else {}
    return {
        "summary": f"{summary} (scope {scope})",
        "status_code": status,
        "openapi_extra": {**body, "security": [{"key": []}]},
        "responses": {
            status: {
                "description": "made" if status == 201 else "done",
                "content": _content(answered, examples[answered.__name__]),
            },
            429: _over_quota(examples["ProblemOut"]),
            "default": {
                "description": "RFC 9457, `detail` says the next step",
                "content": {
                    "application/problem+json": {"schema": _ref(ProblemOut), "example": examples["ProblemOut"]}
                },
            },
        },
    }


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole description, made once."""
    if app.openapi_schema is None:
        described = FastAPI.openapi(app)
        components = described.setdefault("components", {})
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "tm_…"}}
        components["schemas"] = _shapes()
        for doors in described["paths"].values():
            if "post" in doors:
                doors["post"].setdefault("parameters", []).append(_KEY)
        app.openapi_schema = described
    return app.openapi_schema


def _over_quota(problem: dict[str, Any]) -> dict[str, Any]:
    """The answer to a school that has had its share, in the words of `serving.quotas`."""
    example = problem | {
        "type": "urn:trailmate:problem:over-quota",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "this school may send 600 requests a minute; send the rest after Retry-After",
    }
    wait = {"schema": {"type": "integer", "minimum": 1}, "description": "seconds until there is room again"}
    return {
        "description": "the school has had its share for the minute, or its events for the day",
        "headers": {"Retry-After": wait},
        "content": {"application/problem+json": {"schema": _ref(ProblemOut), "example": example}},
    }


@lru_cache(maxsize=1)
def _examples() -> dict[str, Any]:
    """One example for each shape; tests send the bodies and compare the answers' fields."""
    examples: dict[str, Any] = json.loads(files("serving").joinpath("examples.json").read_text("utf-8"))
    return examples


def _shapes() -> dict[str, Any]:
    wires = (schemas, schemas_learner, schemas_rules, schemas_approvals, schemas_audit, schemas_together)
    named = {name: shape for wire in wires for name, shape in vars(wire).items()}
    bodies = [shape for name, shape in named.items() if name.endswith(("In", "Out"))]
    _, shapes = msgspec.json.schema_components((*bodies, Learner, SchoolClass, Resource, ProblemOut), ref_template=_REF)
    # The parts of a batch are judged one by one, so its own type leaves them open.
    shapes["EventsIn"]["properties"]["events"]["items"] = _ref(schemas.EventIn)
    shapes["ResourcesIn"]["properties"]["resources"]["items"] = _ref(schemas.ResourceIn)
    return shapes


def _content(shape: type[Any], example: Any) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(shape), "example": example}}


def _ref(shape: type[Any]) -> dict[str, str]:
    return {"$ref": _REF.format(name=shape.__name__)}
