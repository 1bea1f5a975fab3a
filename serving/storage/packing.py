"""A learner's context in a few bytes, and a sum that notices altered ones.

    MessagePack of [learner, told, state, classes, seq, catalogue version, rules version] · crc32 u32, little-endian

`told` is MessagePack of [events, their numbers], compressed: events repeat each other's names. A state does not.
"""

import zlib

import msgspec

from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from serving.storage.port import KeptState, LearnerContext

# A value of another form is no value; the number is part of the key it is kept under.
FORM = 2
_CRC = 4


class _Packed(msgspec.Struct, array_like=True):
    learner: Learner | None
    told: bytes
    state: KeptState | None
    classes: dict[str, SchoolClass]
    seq: int
    catalogue_version: int
    rules_version: int


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode
_unpack_told = msgspec.msgpack.Decoder(tuple[list[Interaction], list[int]]).decode


def packed(context: LearnerContext) -> bytes:
    """The bytes of a context."""
    content = _pack(
        _Packed(
            learner=context.learner,
            told=zlib.compress(_pack((context.interactions, context.arrived)), 1),
            state=context.state,
            classes=dict(context.classes),
            seq=context.seq,
            catalogue_version=context.catalogue_version,
            rules_version=context.rules_version,
        )
    )
    return content + zlib.crc32(content).to_bytes(_CRC, "little")


def unpacked(value: bytes | None) -> LearnerContext | None:
    """The context of these bytes; None where they are not what was packed."""
    if value is None or zlib.crc32(value[:-_CRC]).to_bytes(_CRC, "little") != value[-_CRC:]:
        return None
    try:
        found = _unpack(value[:-_CRC])
        interactions, arrived = _unpack_told(zlib.decompress(found.told))
    except (msgspec.DecodeError, zlib.error):
        return None
    return LearnerContext(
        learner=found.learner,
        interactions=interactions,
        arrived=arrived,
        state=found.state,
        classes=found.classes,
        seq=found.seq,
        catalogue_version=found.catalogue_version,
        rules_version=found.rules_version,
    )
