"""The events of a batch as they are kept, read in one go where all are plain and one by one where they are not."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from engine.domain.errors import BadInput
from engine.domain.interaction import (
    CLOCK_TOLERANCE,
    EARLIEST_AT,
    KINDS,
    MAX_ID_BYTES,
    MAX_WITH,
    RESOURCE_KINDS,
    Interaction,
    reason_to_reject,
    usable_duration,
)
from engine.learner.preferences import goal_of, is_past, legible
from serving.schemas import MAX_EVENTS, Count, EventIn, EventsIn, RejectedOut
from serving.wire import decoded, interaction_in, single, utc

# What these say is looked at more closely.
_CLOSELY = ("goal_set", "preferences_set", "voided")
_Kind = Literal[tuple(kind for kind in KINDS if kind not in _CLOSELY)]  # type: ignore[valid-type]
# No character takes more than four bytes.
_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_BYTES // 4)]


class Batch(msgspec.Struct, frozen=True):
    """The events of a batch that can be kept, the place of each in it, and what is wrong with the others."""

    good: list[Interaction]
    places: Sequence[int]
    rejected: list[RejectedOut]

    def __len__(self) -> int:
        return len(self.good) + len(self.rejected)


class _PlainEvent(msgspec.Struct, kw_only=True, gc=False):
    """An `EventIn` of which nothing but its time and its resource is left to be judged."""

    learner_id: _Short
    event_id: _Short
    resource_id: _Short | None = None
    kind: _Kind | None = None  # type: ignore[valid-type]
    at: datetime | None = None
    order: Count | None = None
    outcome: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    duration_s: float | None = None
    item_id: _Short | None = None
    skills: tuple[str, ...] | None = None
    class_id: _Short | None = None
    decision_id: _Short | None = None
    with_learner_ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_WITH)] | None = None
    group_id: _Short | None = None
    value: str | None = None
    voids: _Short | None = None
    source: str = "http"


class _PlainEvents(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[_PlainEvent], msgspec.Meta(max_length=MAX_EVENTS)]


_plain_events = msgspec.json.Decoder(_PlainEvents).decode


def batch_in(content: bytes, now: datetime) -> Batch:
    """The batch in this body; raises NotJson or WrongShape where it is none."""
    plain = _read_at_once(content, now)
    return _read_each(content, now) if plain is None else plain


def _read_at_once(content: bytes, now: datetime) -> Batch | None:
    """The batch where all of its events are plain, as `_read_each` reads it; None where one is not."""
    try:
        told = _plain_events(content).events
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    latest = now + CLOCK_TOLERANCE
    good = []
    for event in told:
        at, kind, outcome, duration_s = event.at, event.kind, event.outcome, event.duration_s
        if at is not None:
            # What lies at the end of time or has no zone is for the other way.
            if at.tzinfo is None or not EARLIEST_AT <= at <= latest:
                return None
            at = utc(at)
        if kind is None:
            kind = "viewed" if outcome is None else "attempted"
        if event.resource_id is None and kind in RESOURCE_KINDS:
            return None
        outcome = None if outcome is None else single(outcome)
        duration_s = None if duration_s is None else usable_duration(single(duration_s))
        # fmt: off
        good.append(Interaction(
            event.event_id, event.learner_id, kind, event.source, event.resource_id, at, event.order, outcome,
            duration_s, event.item_id, event.skills, event.class_id, event.decision_id, event.with_learner_ids,
            event.group_id, event.value, event.voids,
        ))
        # fmt: on
    return Batch(good, range(len(good)), [])


def _read_each(content: bytes, now: datetime) -> Batch:
    good: list[Interaction] = []
    places: list[int] = []
    rejected: list[RejectedOut] = []
    for index, raw in enumerate(decoded(content, EventsIn).events):
        try:
            good.append(_checked(decoded(raw, EventIn), now))
            places.append(index)
        except BadInput as problem:
            rejected.append(RejectedOut(index, str(problem)))
    return Batch(good, places, rejected)


def _checked(event: EventIn, now: datetime) -> Interaction:
    interaction = interaction_in(event, now=now, new_id=_content_id)
    reason = reason_to_reject(interaction, now=now)
    if reason is not None:
        raise BadInput(reason)
    if interaction.kind in ("goal_set", "preferences_set") and not legible(interaction.kind, interaction.value):
        raise BadInput(f"value cannot be read as that of {interaction.kind}; use the learner's own doors instead")
    goal = goal_of(interaction.value) if interaction.kind == "goal_set" else None
    if goal is not None and is_past(goal, interaction.at or now):
        raise BadInput("by in value was over when the goal was set; name a day that was still ahead, or leave by out")
    return interaction


def _content_id(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
