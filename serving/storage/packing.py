"""A learner's context in a few bytes: values without names, and a sum that notices an altered one.

    MessagePack of [learner, events, numbers, state, classes, seq, catalogue version] · crc32 u32, little-endian

Events are lists in the order of the fields of `Interaction`, their times whole microseconds since 1970.
"""

import zlib
from dataclasses import fields
from operator import attrgetter
from typing import Any

import msgspec

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage.port import KeptState, LearnerContext
from serving.storage.rows import from_us, to_us

# A value of another form is no value; the number is part of the key it is kept under.
FORM = 1
_CRC = 4
_NAMES = [field.name for field in fields(Interaction)]
_AT = _NAMES.index("at")
_LISTS = [_NAMES.index(name) for name in ("skills", "with_learner_ids")]
_values = attrgetter(*_NAMES)


class _Packed(msgspec.Struct, array_like=True):
    learner: Learner | None
    events: list[list[Any]]
    arrived: list[int]
    state: tuple[int, bytes] | None
    classes: dict[str, SchoolClass]
    seq: int
    catalogue_version: int


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


def packed(context: LearnerContext) -> bytes:
    """The bytes of a context."""
    content = _pack(
        _Packed(
            learner=context.learner,
            events=[_event_values(e) for e in context.interactions],
            arrived=list(context.arrived),
            state=(context.state.seq, context.state.content) if context.state else None,
            classes=dict(context.classes),
            seq=context.seq,
            catalogue_version=context.catalogue_version,
        )
    )
    return content + zlib.crc32(content).to_bytes(_CRC, "little")


def unpacked(value: bytes | None) -> LearnerContext | None:
    """The context of these bytes; None where they are not what was packed."""
    if value is None or zlib.crc32(value[:-_CRC]).to_bytes(_CRC, "little") != value[-_CRC:]:
        return None
    try:
        found = _unpack(value[:-_CRC])
        interactions = [_event_of(values) for values in found.events]
    except (msgspec.DecodeError, TypeError):
        return None
    return LearnerContext(
        learner=found.learner,
        interactions=interactions,
        arrived=found.arrived,
        state=KeptState(seq=found.state[0], content=found.state[1]) if found.state else None,
        classes=found.classes,
        seq=found.seq,
        catalogue_version=found.catalogue_version,
    )


def _event_values(event: Interaction) -> list[Any]:
    values = list(_values(event))
    values[_AT] = to_us(values[_AT])
    # Most events end in fields that were left out.
    while values[-1] is None:
        values.pop()
    return values


def _event_of(values: list[Any]) -> Interaction:
    if len(values) > _AT:
        values[_AT] = from_us(values[_AT])
    for place in _LISTS:
        if len(values) > place and values[place] is not None:
            values[place] = tuple(values[place])
    return Interaction(**dict(zip(_NAMES, values, strict=False)))
