"""The one table from what went wrong to what the caller is told, as RFC 9457 problem+json."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from engine.domain.errors import BadInput, Refused, TrailmateError, Unavailable, Unknown


class ProblemWithRule(msgspec.Struct, frozen=True):
    """Something wrong with a rule, in a teacher's words, with the fewest rules that it takes."""

    kind: str
    rule_ids: tuple[str, ...]
    words: str


class NotJson(BadInput):
    """The body is not JSON at all."""


class WrongShape(BadInput):
    """The body is JSON, but not of the shape this door takes."""


class NotOffered(BadInput):
    """Understood, and not there yet."""


class UnknownName(BadInput):
    """Names a skill or a resource that nobody told of."""


class Conflict(BadInput):
    """What is asked does not go with how things stand."""


class RulesConflict(Conflict):
    """A rule cannot be kept beside the others; `conflict` are the fewest rules that takes, `problems` all there are."""

    def __init__(self, text: str, *, conflict: tuple[str, ...], problems: tuple[ProblemWithRule, ...]) -> None:
        super().__init__(text)
        self.conflict = conflict
        self.problems = problems


class Stale(BadInput):
    """What is to be changed is not what the caller has seen."""


class MatchNeeded(BadInput):
    """What stands already is changed only by who says which version of it they saw."""


class Conflicting(Conflict):
    """Rules that cannot all hold: `conflict` names the smallest set of them."""

    def __init__(self, words: str, conflict: Mapping[str, Sequence[int | str]]) -> None:
        super().__init__(words)
        self.conflict = conflict


class KeyUsedBefore(BadInput):
    """The `Idempotency-Key` stands for another request."""


class TooLarge(BadInput):
    """The body is larger than the limit."""


class OverQuota(Refused):
    """The tenant has had its share; `retry_after_s` says when the next one begins."""

    def __init__(self, words: str, *, retry_after_s: int) -> None:
        super().__init__(words)
        self.retry_after_s = retry_after_s


class Unauthenticated(Refused):
    """No key, or none that opens anything."""


# The first class that fits wins, so the special ones stand before the general ones.
TABLE: tuple[tuple[type[TrailmateError], HTTPStatus, str], ...] = (
    (NotJson, HTTPStatus.BAD_REQUEST, "not-json"),
    (NotOffered, HTTPStatus.BAD_REQUEST, "not-offered-yet"),
    (UnknownName, HTTPStatus.BAD_REQUEST, "unknown-name"),
    (RulesConflict, HTTPStatus.CONFLICT, "rules-conflict"),
    (Conflict, HTTPStatus.CONFLICT, "conflict"),
    (Stale, HTTPStatus.PRECONDITION_FAILED, "stale"),
    (MatchNeeded, HTTPStatus.PRECONDITION_REQUIRED, "match-needed"),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large"),
    (KeyUsedBefore, HTTPStatus.UNPROCESSABLE_ENTITY, "key-used-before"),
    (WrongShape, HTTPStatus.UNPROCESSABLE_ENTITY, "wrong-shape"),
    (BadInput, HTTPStatus.UNPROCESSABLE_ENTITY, "bad-input"),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    (OverQuota, HTTPStatus.TOO_MANY_REQUESTS, "over-quota"),
    (Refused, HTTPStatus.FORBIDDEN, "refused"),
    (Unknown, HTTPStatus.NOT_FOUND, "unknown"),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
)

_NEXT_STEP = {
    HTTPStatus.NOT_FOUND: "nothing stands at this address; see /openapi.json for the doors there are",
    HTTPStatus.METHOD_NOT_ALLOWED: "this address takes other methods; the Allow header names them",
}
UNEXPECTED = "something here broke; try again, and report the request_id if it stays"


class ProblemOut(msgspec.Struct):
    """RFC 9457; `detail` says the next step. Where rules cannot be kept together, `conflict` are the fewest of them."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    conflict: tuple[str, ...] | dict[str, list[int | str]] | msgspec.UnsetType = msgspec.UNSET
    problems: tuple[ProblemWithRule, ...] | msgspec.UnsetType = msgspec.UNSET


def problem_of(error: TrailmateError, *, request_id: str) -> Response:
    """The answer to one of our own errors."""
    for kind, status, name in TABLE:
        if isinstance(error, kind):
            answer = _problem(status, name, str(error), request_id, of=error)
            if isinstance(error, OverQuota):
                answer.headers["Retry-After"] = str(error.retry_after_s)
            return answer
    return unexpected(request_id)


def status_problem(status_code: int, *, request_id: str) -> Response:
    """The answer where the web framework refused: an unknown address, a wrong method."""
    status = HTTPStatus(status_code)
    detail = _NEXT_STEP.get(status, f"the request was refused: {status.phrase.lower()}")
    return _problem(status, status.phrase.lower().replace(" ", "-"), detail, request_id)


def unexpected(request_id: str) -> Response:
    """The answer where nobody foresaw it; says nothing of what was inside."""
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", UNEXPECTED, request_id)


def request_id_of(request: Request) -> str:
    """The id that the middleware gave this request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _problem(
    status: HTTPStatus, name: str, detail: str, request_id: str, *, of: TrailmateError | None = None
) -> Response:
    problem = ProblemOut(f"urn:trailmate:problem:{name}", status.phrase, status.value, detail, request_id)
    if isinstance(of, RulesConflict):
        problem = msgspec.structs.replace(problem, conflict=of.conflict, problems=of.problems)
    if isinstance(of, Conflicting):
        problem = msgspec.structs.replace(problem, conflict={k: list(v) for k, v in of.conflict.items()})
    headers = {
        HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
        HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
    }
    return Response(
        msgspec.json.encode(problem),
        status_code=status.value,
        headers=headers.get(status),
        media_type="application/problem+json",
    )
