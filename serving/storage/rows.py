"""Nouns as rows and back."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from sys import intern
from typing import Any

import msgspec

from engine.domain.interaction import Interaction

Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_first_number = struct.Struct(">q").unpack_from
_strings = msgspec.json.Decoder(tuple[str, ...]).decode

# All an event says, but its id and its time: the id names it, and a time may be left out by the sender.
_content = attrgetter(
    "learner_id", "resource_id", "order", "kind", "outcome", "duration_s", "item_id", "skills", "class_id",
    "decision_id", "with_learner_ids", "group_id", "value", "voids",
)  # fmt: skip

# What is always given stands between what may be left out, and what is as by default is not encoded.
_NEVER, _NEVER_HASH = "\0", 2**63


class InteractionRow(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The columns of the table `interactions`; a test holds both equal. `seq` is 0 while it is not numbered yet."""

    tenant: str
    learner_id: str
    seq: int
    event_id: str
    resource_id: str | None = None
    at_us: int | None = None
    order: int | None = None
    kind: str = _NEVER
    outcome: float | None = None
    duration_s: float | None = None
    item_id: str | None = None
    skills: str | None = None
    class_id: str | None = None
    decision_id: str | None = None
    with_learner_ids: str | None = None
    group_id: str | None = None
    value: str | None = None
    voids: str | None = None
    source: str = _NEVER
    content_hash: int = _NEVER_HASH


def to_us(at: datetime | None) -> int | None:
    """Whole microseconds since 1970, exactly."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int | None) -> datetime | None:
    """The time back, aware, in UTC."""
    return None if at_us is None else _EPOCH + timedelta(microseconds=at_us)


def known_time(at_us: int) -> datetime:
    """The time back where it is always given."""
    return _EPOCH + timedelta(microseconds=at_us)


def content_of(interaction: Interaction) -> bytes:
    """What it says, but for its id, its time and who sent it (`source`)."""
    return _encode(_content(interaction))


def hash_of(content: bytes) -> int:
    """A signed 64-bit number that differs where the content does."""
    number: int = _first_number(hashlib.sha256(content).digest())[0]
    return number


def interaction_row(tenant: str, interaction: Interaction, stamp_us: int | None, content: bytes) -> InteractionRow:
    """One line of the table `interactions`, in the order of its columns and not numbered yet, of this content."""
    i = interaction
    return InteractionRow(
        tenant, i.learner_id, 0, i.event_id, i.resource_id, stamp_us if i.at is None else to_us(i.at), i.order,
        i.kind, i.outcome, i.duration_s, i.item_id, None if i.skills is None else _json(i.skills), i.class_id,
        i.decision_id, None if i.with_learner_ids is None else _json(i.with_learner_ids), i.group_id, i.value, i.voids,
        i.source, hash_of(content),
    )  # fmt: skip


def interaction_of(row: Sequence[Any]) -> Interaction:
    """The event of one line, its values in the order of the columns.

    Names that events share are one text: kept for many learners, they would be half of what events take.
    """
    r, resource_id = row, row[4]
    return Interaction(
        r[3], intern(r[1]), intern(r[7]), intern(r[18]), None if resource_id is None else intern(resource_id),
        from_us(r[5]), r[6], r[8], r[9], r[10], _list(r[11]), r[12], r[13], _list(r[14]), r[15], r[16], r[17],
    )  # fmt: skip


def holding_nul(interactions: Sequence[Interaction], contents: Sequence[bytes]) -> list[int]:
    """The places of those that hold the character NUL in any text, which PostgreSQL cannot keep."""
    # As JSON writes it; a backslash before it may make it something else, so only then is each text looked at.
    beside = "".join([e.event_id + e.source for e in interactions])
    if "\0" not in beside and b"\\u0000" not in b"".join(contents):
        return []
    return [i for i, interaction in enumerate(interactions) if any("\0" in text for text in _texts(interaction))]


def _texts(interaction: Interaction) -> Iterator[str]:
    for name in Interaction.__struct_fields__:
        given = getattr(interaction, name)
        yield from [given] if isinstance(given, str) else given if isinstance(given, tuple) else ()


def to_record(noun: Any) -> str:
    """A record as JSON text; the same record always gives the same text."""
    return _encode(noun).decode()


def _json(values: tuple[str, ...]) -> str:
    return _encode(values).decode()


def _list(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else _strings(text)
