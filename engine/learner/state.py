"""All that is kept of one learner, and its bytes.

    magic "TMLS" · version u16 · basis 12 bytes · last at_us i64 · last order i64 · n_events i64
    · n_blocks u32 · n_memories u32 · n_tail u32                             54 bytes
    learner as a whole                                                    1,016 bytes
    blocks, one per skill and per item met                              256 bytes each
    memories, one per skill answered: key, stability, difficulty, time   32 bytes each
    tail: what the learner said, formats, open checks, in JSON     about 200 bytes, no id of the learner
    crc32 of all before, u32                                                  4 bytes

All numbers are little-endian. A state can always be thrown away: it is the fold of the learner's own events.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import BadInput
from engine.domain.history import NO_TIME
from engine.learner.kernels import BLOCK, SELF
from engine.learner.review import Memory
from engine.learner.style import Style
from engine.learner.voices import Spoken

VERSION = 2
_MAGIC = b"TMLS"
_HEADER = struct.Struct("<4sH12sqqqIII")
_REVIEW = ("stability", "difficulty", "reviewed_us")
_MEMORY = np.dtype([("key", "<u8"), ("stability", "<f8"), ("difficulty", "<f8"), ("reviewed_us", "<i8")])
# Before every event: a state that nothing was folded into yet.
NO_STYLE = Style()
NOTHING_YET = (NO_TIME, -(2**63), "")


@dataclass(frozen=True, slots=True)
class Check:
    """A short check that was promised on a skill, because the learner said so (`know_it`, `contested`), and when."""

    skill_id: str
    because: str
    since_us: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One slate that was shown: its decision, and the keys and formats of what stood on it."""

    decision_id: str
    keys: tuple[int, ...]
    formats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearnerState:
    """What the events of one learner come to; `last` is the place (`at_us`, `order`, `event_id`) of the last of them.

    `basis` names the model and the offer it was folded with: another one needs the events once more. `whole`: `(1,)` of
    `SELF`; `blocks`: `(n,)` of `BLOCK`, in the order they were met; `memories` by skill key. `goal` and `preferences`
    are the last said, as JSON. `voided` are the ids that must not count, whenever they arrive.
    """

    basis: str
    whole: NDArray[np.void]
    blocks: NDArray[np.void]
    last: tuple[int, int, str] = NOTHING_YET
    n_events: int = 0
    memories: Mapping[int, Memory] = field(default_factory=dict)
    style: Style = NO_STYLE
    shown: tuple[Shown, ...] = ()
    checks: tuple[Check, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    goal: str | None = None
    preferences: str | None = None
    voided: tuple[str, ...] = ()

    def block(self, key: int) -> NDArray[np.void] | None:
        """What is known of one skill or item, `()` of `BLOCK`; None where it was never met."""
        place = np.flatnonzero(self.blocks["key"] == np.uint64(key))
        return self.blocks[int(place[0])] if len(place) else None

    def to_bytes(self) -> bytes:
        """The state in its binary form: equal states, equal bytes."""
        memories = np.array(
            [(k, m.stability, m.difficulty, m.reviewed_us) for k, m in sorted(self.memories.items())], _MEMORY
        )
        tail = msgspec.json.encode(_Tail(**{name: getattr(self, name) for name in _TAIL}, event_id=self.last[2]))
        basis = self.basis.encode()[:12].ljust(12, b"\0")
        sizes = (len(self.blocks), len(memories), len(tail))
        header = _HEADER.pack(_MAGIC, VERSION, basis, self.last[0], self.last[1], self.n_events, *sizes)
        content = b"".join((header, self.whole.tobytes(), self.blocks.tobytes(), memories.tobytes(), tail))
        return content + zlib.crc32(content).to_bytes(4, "little")

    def lying_in(self, content: bytes) -> "LearnerState":
        """The same state in the memory of these bytes, which are its own: whoever keeps both holds one."""
        whole, blocks, _ = _arrays(content, len(self.blocks))
        return replace(self, whole=whole, blocks=blocks)


class _Tail(msgspec.Struct):
    event_id: str
    style: Style
    shown: tuple[Shown, ...]
    checks: tuple[Check, ...]
    spoken: tuple[Spoken, ...]
    goal: str | None
    preferences: str | None
    voided: tuple[str, ...]


_TAIL = ("style", "shown", "checks", "spoken", "goal", "preferences", "voided")


def state_from(content: bytes) -> LearnerState:
    """The state of these bytes.

    Raises:
        BadInput: they are no state of this version; fold the learner's events again.
    """
    try:
        magic, version, basis, at_us, order, n_events, *sizes = _HEADER.unpack_from(content)
        if magic != _MAGIC or version != VERSION:
            raise BadInput("a learner's state is of another version: fold it again from the log")
        if zlib.crc32(content[:-4]).to_bytes(4, "little") != content[-4:]:
            raise ValueError
        whole, blocks, rest = _arrays(content, sizes[0])
        memories, rest = _taken(content, rest, _MEMORY, sizes[1])
        tail = msgspec.json.decode(content[rest : rest + sizes[2]], type=_Tail)
    except (struct.error, ValueError, msgspec.DecodeError):
        raise BadInput("a learner's state is cut off or altered: fold it again from the log") from None
    return LearnerState(
        basis=basis.rstrip(b"\0").decode(),
        whole=whole,
        blocks=blocks,
        last=(at_us, order, tail.event_id),
        n_events=n_events,
        memories={int(m["key"]): Memory(*(m[name].item() for name in _REVIEW)) for m in memories},
        **{name: getattr(tail, name) for name in _TAIL},
    )


def _arrays(content: bytes, n_blocks: int) -> tuple[NDArray[np.void], NDArray[np.void], int]:
    """The learner as a whole, the blocks, and where they end."""
    whole, rest = _taken(content, _HEADER.size, SELF, 1)
    blocks, rest = _taken(content, rest, BLOCK, n_blocks)
    return whole, blocks, rest


def _taken(content: bytes, start: int, kind: np.dtype[Any], n: int) -> tuple[NDArray[Any], int]:
    array = np.frombuffer(content, kind, n, start)
    return array, start + array.nbytes
