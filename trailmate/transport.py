"""Requests that time out, try again where that is safe, and fail in words.

    TrailmateError
    ├── BadInput        400, 412, 413, 415, 422 …: the request must change
    │   └── Conflict    409: it does not go with how things stand; names the rules that cannot all hold
    ├── Unknown         404, 410
    ├── Refused         401, 403
    └── Unavailable     no connection, no answer in time, 5xx
        └── TryLater    429 and 503, after the last try; says when to come back

No error names the key or a learner, nor carries the request that holds them.
"""

import random
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any

import httpx
import msgspec

from engine.domain.errors import BadInput, Refused, TrailmateError, Unavailable, Unknown

LONGEST_WAIT_S = 30.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_BUSY = frozenset({429, 503})
_MEANINGS: dict[int, tuple[type[TrailmateError], str]] = {
    401: (Refused, "check the key: `trailmate keys create` makes one, and TRAILMATE_KEY or key= hands it over"),
    403: (Refused, "use a key with the scope this needs"),
    404: (Unknown, "check the id, and that the url is the service's"),
    410: (Unknown, "check the id, and that the url is the service's"),
    413: (BadInput, "send less at once"),
}


class TryLater(Unavailable):
    """The service is busy or paused; `retry_after_s` says when to come back, None where it did not say."""

    def __init__(self, text: str, *, retry_after_s: float | None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Conflict(BadInput):
    """What is asked does not go with how things stand.

    `conflict` is the smallest set of rules that cannot all hold, as the service tells it: ids of rules, or for groups
    `rules` and `locked` by their places in the request and `rule_ids`. Empty where the 409 is about something else.
    """

    def __init__(self, text: str, *, conflict: tuple[str, ...] | Mapping[str, tuple[int | str, ...]]) -> None:
        super().__init__(text)
        self.conflict = conflict


class Transport:
    """One pool of connections to one service, with one key. Every call made here must be safe to repeat."""

    def __init__(self, url: str, *, key: str, timeout: float, retries: int, backoff_s: float) -> None:
        if not (key.isascii() and key.isprintable() and key.strip()):
            raise BadInput(
                "the key is empty or holds characters no key has; copy it again from `trailmate keys create`"
            )
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:
            address = httpx.URL("")
        if address.scheme not in ("http", "https") or not address.host:
            raise BadInput(
                "the url of the service must look like http://127.0.0.1:8000; give url= or set TRAILMATE_URL"
            )
        # What stands before an @ in a url is a secret too.
        self.address = str(address.copy_with(username=None, password=None)).rstrip("/")
        self._key = key
        self._timeout, self._retries, self._backoff_s = timeout, retries, backoff_s
        self._http = httpx.Client(
            base_url=address,
            headers={"authorization": f"Bearer {key}", "user-agent": "trailmate-python"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            # Redirects are never followed, so http stays http: reading the certificates would only cost 0.1 s.
            verify=address.scheme == "https",
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        hidden: Iterable[str] = (),
        tries: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> bytes:
        """The body of a good answer; `hidden` are words that no error may show, beside the key.

        Raises:
            TrailmateError: one of the tree above, when the service said no or the tries are used up.
        """
        content = None if body is None else msgspec.json.encode(body)
        kind = {"content-type": "application/json"} if content else {}
        secrets = (self._key, *hidden)
        problem: TrailmateError
        for tries_left in reversed(range(tries or self._retries + 1)):
            try:
                response = self._http.request(method, path, content=content, headers={**kind, **headers})
            except httpx.TimeoutException:
                # The service may be at work on it still: asking again would only add to its load.
                raise self._silent() from None
            except httpx.TransportError:
                problem, wait_s = self._unreachable(), None
            else:
                if response.status_code not in _BUSY:
                    return _checked(response, secrets)
                wait_s = _retry_after(response)
                when = "later" if wait_s is None else f"in {wait_s:.0f} s"
                problem = TryLater(_words(response, secrets, f"try again {when}"), retry_after_s=wait_s)
            if not tries_left or (wait_s or 0.0) > LONGEST_WAIT_S:
                raise problem from None
            time.sleep(self._pause(wait_s, tries_left))
        raise AssertionError("the last try returns or raises")

    def _pause(self, wait_s: float | None, tries_left: int) -> float:
        """As long as the service asked for, or twice as long each time; never all clients at the same moment."""
        doubled = self._backoff_s * 2.0 ** (self._retries - tries_left)
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret hangs on it
        return min(doubled * jitter if wait_s is None else wait_s + self._backoff_s * jitter, 2 * LONGEST_WAIT_S)

    def _unreachable(self) -> Unavailable:
        return Unavailable(f"no service answers at {self.address}; start it with `trailmate serve`, or check the url")

    def _silent(self) -> Unavailable:
        return Unavailable(
            f"the service at {self.address} did not answer within {self._timeout:g} s; "
            "try again, or give a longer timeout="
        )


def _checked(response: httpx.Response, secrets: Iterable[str]) -> bytes:
    status = response.status_code
    if response.is_success:
        return response.content
    if response.is_redirect:
        raise BadInput(f"the service answered with a redirect ({status}); give the url it really has")
    if status >= 500:
        raise Unavailable(_words(response, secrets, "look at the service's log"))
    if status == 409:
        raise Conflict(_words(response, secrets, "change the request"), conflict=_conflict(response))
    meaning, next_step = _MEANINGS.get(status, (BadInput, "change the request"))
    raise meaning(_words(response, secrets, next_step))


def _words(response: httpx.Response, secrets: Iterable[str], next_step: str) -> str:
    """What the service said (RFC 9457), the status, the request's id, and the next step."""
    said = _said(response) or "the service said no"
    for secret in secrets:
        said = said.replace(secret, "…") if secret else said
    request_id = response.headers.get("x-request-id")
    trace = f", request {request_id[:80]}" if request_id else ""
    return f"{said.rstrip('.')} ({response.status_code}{trace}); {next_step}"


def _said(response: httpx.Response) -> str:
    problem = _problem(response)
    said = problem.get("detail") or problem.get("title") or ""
    return said[:500] if isinstance(said, str) else ""


def _conflict(response: httpx.Response) -> tuple[str, ...] | dict[str, tuple[int | str, ...]]:
    told = _problem(response).get("conflict")
    try:
        return msgspec.convert(told or (), tuple[str, ...] | dict[str, tuple[int | str, ...]])
    except msgspec.ValidationError:
        return ()


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem (RFC 9457) that the service told; empty where it told none."""
    if "json" not in response.headers.get("content-type", ""):
        return {}
    try:
        problem = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3: a number or a date), None where not said or not understood."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
