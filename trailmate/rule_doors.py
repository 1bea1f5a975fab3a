"""The doors for teachers' rules and overrides: `trailmate.rules` and `trailmate.overrides` of the client."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack
from urllib.parse import quote, urlencode

import msgspec

from engine.domain.errors import Unavailable
from trailmate.rule_answers import (
    Effect,
    Override,
    Overrides,
    OverrideVersions,
    Preview,
    Rule,
    Rules,
    RuleVersions,
)
from trailmate.transport import Transport

_Answer = TypeVar("_Answer")
_KEY = "Idempotency-Key"


class Filters(TypedDict, total=False):
    """Which of them: of one class or learner, in force now or not."""

    class_id: str
    learner_id: str
    in_force: bool


class Given(TypedDict, total=False):
    """What an override speaks of: the other fields of `POST /v1/overrides`; `starts` and `until` are ISO times."""

    scope: Mapping[str, str]
    resource_ids: Sequence[str]
    skills: Sequence[str]
    instead_of: str
    due: str
    value: float
    starts: str
    until: str
    reason: str
    author: str


class _Doors:
    """One kind of things with versions, behind one address."""

    def __init__(self, transport: Transport, address: str) -> None:
        self._transport = transport
        self._address = address

    def _of(self, x_id: str, door: str = "") -> str:
        return f"{self._address}/{quote(x_id, safe='')}{door}"

    def _made(self, path: str, body: Any, shape: type[_Answer]) -> _Answer:
        """A key given before sending makes a repeated request harmless."""
        answer = self._transport.call("POST", path, body=body, headers={_KEY: uuid.uuid4().hex})
        return _read(answer, shape, renamed=True)

    def _get(self, path: str, shape: type[_Answer]) -> _Answer:
        return _read(self._transport.call("GET", path), shape, renamed=True)

    def _put(self, path: str, body: Any, version: int | None, shape: type[_Answer]) -> _Answer:
        """Asked once: what was changed already is another version."""
        answer = self._transport.call("PUT", path, body=body, headers=_seen(version), tries=1)
        return _read(answer, shape, renamed=True)

    def _end(self, path: str, version: int | None, shape: type[_Answer]) -> _Answer:
        tries = None if version is None else 1
        return _read(self._transport.call("DELETE", path, headers=_seen(version), tries=tries), shape, renamed=True)


class RuleDoors(_Doors):
    """Teachers' standing rules.

        made = trailmate.rules.create({"id": "fractions-first", "scope": {"class_id": "7b"}, "verb": "require_first",
                                       "what": {"skills": ["frac-1"]}})
        trailmate.rules.end("fractions-first", version=made.version)

    What cannot be kept beside the other rules raises BadInput, whose words name the smallest set of them.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/rules")

    def create(self, rule: Mapping[str, Any]) -> Rule:
        """Keep a new rule, in force on the next answer."""
        return self._made(self._address, rule, Rule)

    def preview(self, rule: Mapping[str, Any], *, k: int = 5) -> Preview:
        """What a draft would change, learner by learner; nothing is saved."""
        return self._made(f"{self._address}/preview", {"rule": rule, "k": k}, Preview)

    def get(self, rule_id: str) -> Rule:
        """The last version of a rule; raises Unknown."""
        return self._get(self._of(rule_id), Rule)

    def all(self, *, verb: str | None = None, **which: Unpack[Filters]) -> Iterator[Rule]:
        """All rules, or those wanted, by id, ended ones among them; pages are asked for as they are needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._get(f"{self._address}{_query({**which, 'verb': verb, 'cursor': cursor})}", Rules)
            yield from page.rules
            cursor = page.next_cursor

    def versions(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of a rule, oldest first."""
        return self._get(self._of(rule_id, "/versions"), RuleVersions).versions

    def put(self, rule: Mapping[str, Any], *, version: int | None = None) -> Rule:
        """Change a rule whose `version` you saw, or make one that is not there; raises BadInput where it is stale."""
        return self._put(self._of(str(rule.get("id", ""))), rule, version, Rule)

    def end(self, rule_id: str, *, version: int | None = None) -> Rule:
        """End it now; its history stays."""
        return self._end(self._of(rule_id), version, Rule)

    def undo(self, rule_id: str) -> Rule:
        """Take back the last change."""
        return self._made(self._of(rule_id, "/undo"), None, Rule)

    def effect(self, rule_id: str) -> Effect:
        """What became of what it put in."""
        return self._get(self._of(rule_id, "/effect"), Effect)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a rule."""
        return _read(self._transport.call("GET", f"{self._address}/schema"), dict[str, Any])


class OverrideDoors(_Doors):
    """A teacher's one-off changes.

    pin = trailmate.overrides.create("pin", scope={"class_id": "7b"}, resource_ids=["fractions-quiz"])
    print(trailmate.overrides.effect(pin.override_id).words)
    trailmate.overrides.undo(pin.override_id)
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/overrides")

    def create(self, kind: str, **given: Unpack[Given]) -> Override:
        """Pin, swap, hide, assign, set_mastery, freeze or approve, in force on the next answer."""
        return self._made(self._address, _named(kind, given), Override)

    def get(self, override_id: str) -> Override:
        """The last version of an override; raises Unknown."""
        return self._get(self._of(override_id), Override)

    def all(self, *, kind: str | None = None, **which: Unpack[Filters]) -> Iterator[Override]:
        """All overrides, or those wanted, by id, ended ones among them."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._get(f"{self._address}{_query({**which, 'kind': kind, 'cursor': cursor})}", Overrides)
            yield from page.overrides
            cursor = page.next_cursor

    def versions(self, override_id: str) -> tuple[Override, ...]:
        """All versions of an override, oldest first."""
        return self._get(self._of(override_id, "/versions"), OverrideVersions).versions

    def change(self, override_id: str, kind: str, *, version: int, **given: Unpack[Given]) -> Override:
        """Keep a new version of an override whose `version` you saw."""
        return self._put(self._of(override_id), _named(kind, given), version, Override)

    def end(self, override_id: str, *, version: int | None = None) -> Override:
        """End it now; its history stays."""
        return self._end(self._of(override_id), version, Override)

    def undo(self, override_id: str) -> Override:
        """Take back its last change."""
        return self._made(self._of(override_id, "/undo"), None, Override)

    def effect(self, override_id: str) -> Effect:
        """What became of what it put in."""
        return self._get(self._of(override_id, "/effect"), Effect)


def _named(kind: str, given: Given) -> dict[str, Any]:
    return {"kind": kind, **{"from" if name == "starts" else name: value for name, value in given.items()}}


def _seen(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": f'"{version}"'}


def _query(which: Mapping[str, Any]) -> str:
    asked = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in which.items()
        if value is not None and value != ""
    }
    return f"?{urlencode(asked)}" if asked else ""


def _read(answer: bytes, shape: type[_Answer], *, renamed: bool = False) -> _Answer:
    """The answer in its shape; `from` is a word of Python, so what begins is called `starts` there."""
    try:
        plain = msgspec.json.decode(answer)
        return msgspec.convert(_starts(plain) if renamed else plain, shape)
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise Unavailable("the answer is not one of Trailmate's; check that the url is the service's") from None


def _starts(plain: Any) -> Any:
    """Only things that say their version begin at some time: what a teacher wrote is left as it is."""
    if isinstance(plain, list):
        return [_starts(one) for one in plain]
    if not isinstance(plain, dict):
        return plain
    if "version" in plain:
        return {"starts" if name == "from" else name: value for name, value in plain.items()}
    return {
        name: _starts(value) if name in ("rules", "overrides", "versions") else value for name, value in plain.items()
    }
