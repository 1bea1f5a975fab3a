"""The typed Python client that school apps import: `from trailmate import Trailmate`."""

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from types import TracebackType
from typing import Any, Literal, Self, TypedDict, TypeVar, Unpack
from urllib.parse import quote, urlencode

import msgspec

from engine.domain.errors import BadInput, Unavailable
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from trailmate.answers import (
    Batch,
    GoalSet,
    Heard,
    LearnerPortrait,
    Path,
    PreferencesSet,
    Receipt,
    Recommendation,
    Rejected,
    SyncReport,
    Undone,
)
from trailmate.answers_together import Collaborators, Groupings, Groups, KeptGroups
from trailmate.rule_doors import OverrideDoors, RuleDoors
from trailmate.transport import Transport

DEFAULT_URL = "http://127.0.0.1:8000"
EVENTS_A_REQUEST = 1_000

_Answer = TypeVar("_Answer")
# What a learner may say of a resource.
Word = Literal["accept", "decline", "not_now", "too_easy", "too_hard"]


class Wishes(TypedDict, total=False):
    """What may be asked beside the learner and `k`: the other fields of `POST /v1/recommendations`."""

    objective: str
    class_id: str
    minutes: float
    minutes_ahead: float
    formats: Sequence[str]
    goal: Sequence[str]
    candidates: Sequence[str]
    exclude: Sequence[str]
    again: bool
    explore: bool
    seed: int
    what_if: bool
    non_personalised: bool
    seen_token: str | None


class Wants(TypedDict, total=False):
    """What a learner may want and need: the fields of `PUT /v1/learners/{id}/preferences`."""

    formats: Sequence[str]
    access_needs: Sequence[str]
    languages: Sequence[str]
    minutes_per_day: float | None
    forget_observed: bool


class Company(TypedDict, total=False):
    """What may be asked of peers: the other fields of `POST /v1/collaborators`."""

    class_id: str
    modes: Sequence[str]
    topic: str
    scope: Literal["class", "school"]
    audience: Literal["learner", "teacher"]
    seen_token: str | None


class GroupWishes(TypedDict, total=False):
    """What may be asked of groups: the other fields of `POST /v1/groups`."""

    size: int | str
    rules: Sequence[Mapping[str, Any]]
    locked: Sequence[Mapping[str, Any]]
    columns: Mapping[str, Mapping[str, str | float | None]]
    absent: Sequence[str]
    skills: Sequence[str]
    seed: int
    seconds: float
    proposals: int


class Trailmate:
    """One service and one key; safe to share between threads, and to be closed by `with`.

        with Trailmate("http://127.0.0.1:8000", key="tm_…") as trailmate:
            for option in trailmate.recommend("lena", k=3).slate:
                print(option.rank, option.title, [reason.text_learner for reason in option.reasons])

    Everything it asks is safe to repeat, so it tries again, `retries` times, after 429, 503 and lost connections, as
    long apart as the service asks for. `timeout` is in seconds. Every error is a `TrailmateError`, see
    `trailmate.transport`. `rules` and `overrides` are the doors for teachers.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout: float = 10.0,
        retries: int = 3,
        backoff_s: float = 0.2,
    ) -> None:
        """Without `url` and `key`, TRAILMATE_URL and TRAILMATE_KEY are taken; raises BadInput without a key."""
        key = key or os.environ.get("TRAILMATE_KEY", "")
        if not key:
            raise BadInput("no key was given; make one with `trailmate keys create` and pass key= or set TRAILMATE_KEY")
        if timeout <= 0 or retries < 0 or backoff_s < 0:
            raise BadInput("timeout must be above 0, retries and backoff_s not below 0; give other values")
        address = url or os.environ.get("TRAILMATE_URL") or DEFAULT_URL
        self._transport = Transport(address, key=key, timeout=timeout, retries=retries, backoff_s=backoff_s)
        self.rules = RuleDoors(self._transport)
        self.overrides = OverrideDoors(self._transport)

    def __repr__(self) -> str:
        return f"Trailmate({self._transport.address!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def recommend(self, learner_id: str, *, k: int = 5, **wishes: Unpack[Wishes]) -> Recommendation:
        """What this learner should do next, at most `k` options; an unknown learner gets an answer of mode `cold`.

        A `seen_token` from `send_events` makes sure that those events were seen.
        """
        body = {"learner_id": learner_id, "k": k, **{name: wish for name, wish in wishes.items() if wish is not None}}
        answer = self._transport.call("POST", "/v1/recommendations", body=body, hidden=[learner_id])
        return _read(answer, Recommendation)

    def recommend_batch(
        self, learner_ids: Sequence[str] | None = None, *, k: int = 5, **wishes: Unpack[Wishes]
    ) -> tuple[Recommendation, ...]:
        """What each of these learners, at most 200, should do next; or with `class_id` alone, each of that class."""
        body = {"learner_ids": learner_ids, "k": k, **wishes}
        answer = self._transport.call(
            "POST",
            "/v1/recommendations/batch",
            body={name: wish for name, wish in body.items() if wish is not None},
            hidden=learner_ids or (),
        )
        return _read(answer, Batch).decisions

    def send_events(self, events: Iterable[Mapping[str, Any]]) -> Receipt:
        """Record interactions, in requests of at most 1,000; an event without `event_id` is given one.

        Because ids are given before sending, a repeated request never counts twice. Times are aware `datetime`s or
        ISO 8601 text. The indexes of rejected events count from 0 over all events given.
        """
        named = [event if event.get("event_id") else {**event, "event_id": uuid.uuid4().hex} for event in events]
        receipt = Receipt(accepted=0, duplicates=0)
        for first in range(0, len(named), EVENTS_A_REQUEST):
            part = named[first : first + EVENTS_A_REQUEST]
            hidden = {str(event.get("learner_id", "")) for event in part}
            answer = self._transport.call("POST", "/v1/events", body={"events": part}, hidden=hidden)
            receipt = _joined(receipt, _read(answer, Receipt), first)
        return receipt

    def put_resources(self, resources: Sequence[Mapping[str, Any] | Resource], *, dry_run: bool = False) -> SyncReport:
        """Make this the whole catalogue: absent resources are withdrawn, their history stays."""
        path = "/v1/resources?dry_run=true" if dry_run else "/v1/resources"
        return _read(self._transport.call("PUT", path, body={"resources": resources}), SyncReport)

    def put_resource(self, resource: Mapping[str, Any] | Resource) -> Resource:
        """Add or replace one resource, whatever else is offered; needs `resource_id`. Gives it as it is kept."""
        fields = _fields(resource)
        path = f"/v1/resources/{quote(_id_of(fields, 'resource_id'), safe='')}"
        return _read(self._transport.call("PUT", path, body=fields), Resource)

    def change_resource(self, resource_id: str, **changes: Any) -> Resource:
        """Change some fields of a resource on offer, None clears one; raises Unknown where it is not on offer."""
        path = f"/v1/resources/{quote(resource_id, safe='')}"
        return _read(self._transport.call("PATCH", path, body=changes), Resource)

    def withdraw_resource(self, resource_id: str) -> Resource:
        """Offer a resource no more, and give what it was; raises Unknown where it is not on offer. It is sent once."""
        path = f"/v1/resources/{quote(resource_id, safe='')}"
        return _read(self._transport.call("DELETE", path, tries=1), Resource)

    def put_learner(self, learner: Mapping[str, Any] | Learner) -> None:
        """Add or replace what the school tells about one learner; needs `learner_id`.

        `sharing` left out stays as it stands; in a mapping, None says that nothing is told of it.
        """
        fields = _fields(learner)
        if isinstance(learner, Mapping) and "sharing" in learner:
            fields["sharing"] = learner["sharing"]
        learner_id = _id_of(fields, "learner_id")
        self._transport.call("PUT", _path(learner_id), body=fields, hidden=[learner_id])

    def put_class(self, school_class: Mapping[str, Any] | SchoolClass) -> None:
        """Add or replace one class; needs `class_id`."""
        fields = _fields(school_class)
        self._transport.call("PUT", f"/v1/classes/{quote(_id_of(fields, 'class_id'), safe='')}", body=fields)

    def learner(self, learner_id: str, *, audience: str = "teacher") -> LearnerPortrait:
        """What is known of a learner, in the words of a `learner` or a `teacher`; raises Unknown for an unknown one."""
        path = f"{_path(learner_id)}?audience={quote(audience, safe='')}"
        return _read(self._transport.call("GET", path, hidden=[learner_id]), LearnerPortrait)

    def set_preferences(self, learner_id: str, **wants: Unpack[Wants]) -> PreferencesSet:
        """Replace what the learner said they want and need; what is left out is taken back."""
        answer = self._transport.call("PUT", _path(learner_id, "/preferences"), body=wants, hidden=[learner_id])
        return _read(answer, PreferencesSet)

    def set_goal(
        self,
        learner_id: str,
        skills: Sequence[str],
        *,
        by: date | str | None = None,
        floor: float = 0.0,
        ceiling: float | None = None,
    ) -> GoalSet:
        """Aim at these skills, by the end of a day or without one; `floor` and `ceiling` are minutes a week.

        No skills take the goal back.
        """
        body = {"skills": skills, "by": by, "floor": floor, "ceiling": ceiling}
        return _read(self._transport.call("PUT", _path(learner_id, "/goal"), body=body, hidden=[learner_id]), GoalSet)

    def collaborators(self, learner_id: str, *, k: int = 3, **wishes: Unpack[Company]) -> Collaborators:
        """Whom a learner might learn with; contact waits where an option's `approval` is waiting."""
        body = {"learner_id": learner_id, "k": k, **wishes}
        answer = self._transport.call(
            "POST",
            "/v1/collaborators",
            body={name: wish for name, wish in body.items() if wish is not None},
            hidden=[learner_id],
        )
        return _read(answer, Collaborators)

    def groups(self, class_id: str, *, mode: str = "mixed", **wishes: Unpack[GroupWishes]) -> Groups:
        """Proposals for groups of a class, the best first; raises Conflict, a BadInput, naming hard rules that cannot
        all hold.
        """
        body = {"class_id": class_id, "mode": mode, **wishes}
        return _read(self._transport.call("POST", "/v1/groups", body=body), Groups)

    def keep_groups(
        self,
        grouping_id: str,
        class_id: str,
        groups: Sequence[Sequence[str] | Mapping[str, Any]],
        *,
        proposed: Sequence[Sequence[str]] = (),
        mode: str | None = None,
        at: datetime | str | None = None,
        etag: str | None = None,
    ) -> KeptGroups:
        """Keep the groups a teacher chose; with those that were `proposed`, what was changed is learned from.

        With the `etag` of groups that were read, they are replaced only if nobody changed them since, else
        BadInput is raised. Such a request is sent once.

        A group is its learners, or a mapping of `learner_ids` and perhaps `group_id`, `resource_id` and `title`. `at`
        is the time from which they hold, now where it is left out. Raises Conflict for an id of another class.
        """
        told = [dict(g) if isinstance(g, Mapping) else {"learner_ids": list(g)} for g in groups]
        body = {
            "class_id": class_id,
            "groups": told,
            "proposed": [list(group) for group in proposed],
            "mode": mode,
            "at": at,
        }
        hidden = {x for ids in (*(g.get("learner_ids", ()) for g in told), *proposed) for x in ids}
        return _read(
            self._transport.call("PUT", _grouping(grouping_id), body=body, hidden=hidden, **_seen(etag)), KeptGroups
        )

    def delete_groups(self, grouping_id: str, *, etag: str | None = None) -> KeptGroups:
        """Take back groups that were kept, and give what they were; raises Unknown where none are kept, and BadInput
        where another version stands than that of `etag`.

        Asked once: what was taken back already could not be again.
        """
        seen = _seen(etag) or {"tries": 1}
        return _read(self._transport.call("DELETE", _grouping(grouping_id), **seen), KeptGroups)

    def groupings(self, class_id: str, *, limit: int = 20) -> Groupings:
        """The groups a class had, the newest first; raises Unknown for a class nobody told of."""
        query = urlencode({"class_id": class_id, "limit": limit})
        return _read(self._transport.call("GET", f"/v1/groups?{query}"), Groupings)

    def know_it(self, learner_id: str, *, skills: Sequence[str] = (), resource_id: str | None = None) -> Heard:
        """The learner says they know these skills, or those of a resource: a check is promised."""
        return self._speak(learner_id, "know_it", skills=skills, resource_id=resource_id)

    def contest(self, learner_id: str, *, skills: Sequence[str] = (), resource_id: str | None = None) -> Heard:
        """The learner disagrees with what is estimated of these skills: a check is promised."""
        return self._speak(learner_id, "contest", skills=skills, resource_id=resource_id)

    def say(self, learner_id: str, word: Word, resource_id: str, *, decision_id: str | None = None) -> Heard:
        """The learner says this of a resource: it counts from the next answer on, until it fades or is undone."""
        return self._speak(learner_id, word, resource_id=resource_id, decision_id=decision_id)

    def undo(self, learner_id: str, event_id: str) -> Undone:
        """Take back a word, a goal or preferences; raises Unknown where no such word of this learner stands.

        Asked once: what was taken back already could not be again.
        """
        path = _path(learner_id, f"/voice/{quote(event_id, safe='')}")
        return _read(self._transport.call("DELETE", path, hidden=[learner_id], tries=1), Undone)

    def path(self, learner_id: str, *, choose: str | None = None, goal: Sequence[str] = ()) -> Path:
        """The plan to the learner's goal, or to these skills for this look; `choose` names the step to come first."""
        asked = [("goal", skill) for skill in goal] + ([("choose", choose)] if choose else [])
        query = f"?{urlencode(asked)}" if asked else ""
        return _read(self._transport.call("GET", _path(learner_id, f"/path{query}"), hidden=[learner_id]), Path)

    def _speak(self, learner_id: str, voice: str, **about: Any) -> Heard:
        """An id that is given before sending makes a repeated request harmless."""
        body = {"voice": voice, "event_id": uuid.uuid4().hex, **{k: v for k, v in about.items() if v}}
        return _read(self._transport.call("POST", _path(learner_id, "/voice"), body=body, hidden=[learner_id]), Heard)

    def ready(self) -> bool:
        """Whether the service is up and ready to answer; asks once and never raises for a service that is away."""
        try:
            self._transport.call("GET", "/readyz", tries=1)
        except Unavailable:
            return False
        return True


def _path(learner_id: str, door: str = "") -> str:
    return f"/v1/learners/{quote(learner_id, safe='')}{door}"


def _seen(etag: str | None) -> dict[str, Any]:
    """What a request that names the version it read is sent with: sent again, it would find its own change."""
    return {} if etag is None else {"tries": 1, "headers": {"If-Match": etag}}


def _grouping(grouping_id: str) -> str:
    return f"/v1/groups/{quote(grouping_id, safe='')}"


def _read(answer: bytes, shape: type[_Answer]) -> _Answer:
    try:
        return msgspec.json.decode(answer, type=shape)
    except msgspec.DecodeError:
        raise Unavailable("the answer is not one of Trailmate's; check that the url is the service's") from None


def _fields(noun: Mapping[str, Any] | Learner | Resource | SchoolClass) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(noun)
    return {name: value for name, value in fields.items() if value is not None}


def _id_of(fields: dict[str, Any], name: str) -> str:
    """Take the id out of the fields: it goes into the path."""
    given = fields.pop(name, None)
    if not isinstance(given, str) or not given:
        raise BadInput(f"{name} is missing; give it as text")
    return given


def _joined(before: Receipt, part: Receipt, first: int) -> Receipt:
    moved = tuple(Rejected(index=r.index + first, reason=r.reason) for r in part.rejected)
    return replace(
        before,
        accepted=before.accepted + part.accepted,
        duplicates=before.duplicates + part.duplicates,
        rejected=before.rejected + moved,
        seen_token=part.seen_token or before.seen_token,
    )
