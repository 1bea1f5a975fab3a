"""Nouns as rows and back."""

import hashlib
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import RowMapping

from engine.domain.interaction import Interaction

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_strings = msgspec.json.Decoder(tuple[str, ...]).decode

# All an event says, but its id and its time: the id names it, and a time may be left out by the sender.
_content = attrgetter(
    "learner_id", "resource_id", "order", "kind", "outcome", "duration_s", "item_id", "skills", "class_id",
    "decision_id", "with_learner_ids", "group_id", "value", "voids",
)  # fmt: skip


class InteractionRow(NamedTuple):
    """The columns of the table `interactions`; a test holds both equal."""

    tenant: str
    learner_id: str
    seq: int
    event_id: str
    resource_id: str | None
    at_us: int | None
    order: int | None
    kind: str
    outcome: float | None
    duration_s: float | None
    item_id: str | None
    skills: str | None
    class_id: str | None
    decision_id: str | None
    with_learner_ids: str | None
    group_id: str | None
    value: str | None
    voids: str | None
    source: str
    content_hash: int


def to_us(at: datetime | None) -> int | None:
    """Whole microseconds since 1970, exactly."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int | None) -> datetime | None:
    """The time back, aware, in UTC."""
    return None if at_us is None else _EPOCH + timedelta(microseconds=at_us)


def known_time(at_us: int) -> datetime:
    """The time back where it is always given."""
    return _EPOCH + timedelta(microseconds=at_us)


def content_hash(interaction: Interaction) -> int:
    """A signed 64-bit number that differs where the content does; who sent it (`source`) does not count."""
    return int.from_bytes(hashlib.sha256(_encode(_content(interaction))).digest()[:8], signed=True)


def interaction_row(tenant: str, seq: int, interaction: Interaction, stamp_us: int | None) -> InteractionRow:
    """One line of the table `interactions`, in the order of its columns."""
    i = interaction
    return InteractionRow(
        tenant, i.learner_id, seq, i.event_id, i.resource_id, stamp_us if i.at is None else to_us(i.at), i.order,
        i.kind, i.outcome, i.duration_s, i.item_id, _json(i.skills), i.class_id, i.decision_id,
        _json(i.with_learner_ids), i.group_id, i.value, i.voids, i.source, content_hash(i),
    )  # fmt: skip


def interaction_of(row: RowMapping) -> Interaction:
    """The event of one line."""
    return Interaction(
        event_id=row["event_id"], learner_id=row["learner_id"], kind=row["kind"], source=row["source"],
        resource_id=row["resource_id"], at=from_us(row["at_us"]), order=row["order"], outcome=row["outcome"],
        duration_s=row["duration_s"], item_id=row["item_id"], skills=_list(row["skills"]), class_id=row["class_id"],
        decision_id=row["decision_id"], with_learner_ids=_list(row["with_learner_ids"]), group_id=row["group_id"],
        value=row["value"], voids=row["voids"],
    )  # fmt: skip


def to_record(noun: Any) -> str:
    """A record as JSON text; the same record always gives the same text."""
    return _encode(noun).decode()


def _json(values: tuple[str, ...] | None) -> str | None:
    return None if values is None else _encode(values).decode()


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else _strings(text)
