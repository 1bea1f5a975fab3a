"""What the learner model sees of events: keys, times, outcomes and seconds, as arrays in sequence."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction

# The events that say something of mastery or pace: with an outcome an answer, without one an exposure.
TAUGHT_KINDS = frozenset({"viewed", "completed", "attempted", "submitted"})
MINUTE_US = 60_000_000
SHORTEST_S = 0.5
# The longest believable answer where nothing is known of the item; hours on one question are a forgotten window.
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Rows:
    """`n` answers and exposures of one or many learners, each learner's in sequence.

    `t`: `(n,)` float64, minutes since 1970, NaN without a clock. `y`: `(n,)` float64 outcomes, NaN for an exposure.
    `seconds`: `(n,)` float64, clipped, NaN where unknown. `item_key`: `(n,)` uint64; `item_row`: `(n,)` int32 into the
    model's items, -1 where it does not know the item. The skills of row `r` are `skill_ptr[r]:skill_ptr[r + 1]` of
    `skill_key`, `skill_row`.
    """

    t: NDArray[np.float64]
    y: NDArray[np.float64]
    seconds: NDArray[np.float64]
    item_key: NDArray[np.uint64]
    item_row: NDArray[np.int32]
    skill_ptr: NDArray[np.int64]
    skill_key: NDArray[np.uint64]
    skill_row: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The items and skills a model knows: keys `(n,)` uint64 ascending.

    `longest_s`: `(n_items,)` float64, the longest believable seconds; `timed`: `(n_items,)` whether any time was known.
    """

    item_keys: NDArray[np.uint64]
    skill_keys: NDArray[np.uint64]
    longest_s: NDArray[np.float64]
    timed: NDArray[np.bool_]

    def item_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of these items, -1 for the unknown."""
        return _rows_in(self.item_keys, keys)

    def skill_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of these skills, -1 for the unknown."""
        return _rows_in(self.skill_keys, keys)

    def clipped(self, seconds: NDArray[np.float64], item_row: NDArray[np.int32]) -> NDArray[np.float64]:
        """Believable seconds, NaN where there is no time: zero, negative and endless ones are none."""
        longest = np.full(len(seconds), LONGEST_S)
        known = item_row >= 0
        longest[known] = self.longest_s[item_row[known]]
        usable = (seconds > 0) & (seconds < np.inf)
        return np.where(usable, np.minimum(np.maximum(seconds, SHORTEST_S), longest), np.nan)


@lru_cache(maxsize=65_536)
def item_key(x_id: str) -> int:
    """64 bits that stand for an item in a state, which so holds no id of anybody's."""
    return _key(b"item\0", x_id)


@lru_cache(maxsize=65_536)
def skill_key(x_id: str) -> int:
    """64 bits that stand for a skill; another than those of an item of the same id."""
    return _key(b"skill\0", x_id)


def _key(space: bytes, x_id: str) -> int:
    return int.from_bytes(blake2b(space + x_id.encode(), digest_size=8).digest(), "little")


def rows_of(events: Sequence[Interaction], skills_of: Mapping[str, tuple[str, ...]], vocabulary: Vocabulary) -> Rows:
    """The rows of one learner's events, which are in sequence and of `TAUGHT_KINDS`.

    An event's own skills count before those of its resource; each skill once, in the order of their ids.
    """
    skills = [
        tuple(sorted(set(e.skills if e.skills is not None else skills_of.get(e.resource_id or "", ())))) for e in events
    ]
    ids = [e.item_id or e.resource_id or "" for e in events]
    return rows_from(
        t=np.array([_minutes(microseconds(e.at)) for e in events], np.float64),
        y=np.array([np.nan if e.outcome is None else e.outcome for e in events], np.float64),
        seconds=np.array([np.nan if e.duration_s is None else e.duration_s for e in events], np.float64),
        item_key=np.array([item_key(x) for x in ids], np.uint64),
        skill_ptr=np.cumsum([0, *map(len, skills)], dtype=np.int64),
        skill_key=np.array([skill_key(s) for row in skills for s in row], np.uint64),
        vocabulary=vocabulary,
    )


def rows_from(
    *,
    t: NDArray[np.float64],
    y: NDArray[np.float64],
    seconds: NDArray[np.float64],
    item_key: NDArray[np.uint64],
    skill_ptr: NDArray[np.int64],
    skill_key: NDArray[np.uint64],
    vocabulary: Vocabulary,
) -> Rows:
    """Rows with what the vocabulary knows of them; outcomes outside [0, 1] are clipped, not-a-number is none.

    Outcomes and seconds count in single precision, which is how the log keeps them.
    """
    item_row = vocabulary.item_rows(item_key)
    with np.errstate(over="ignore"):
        y, seconds = (x.astype(np.float32).astype(np.float64) for x in (y, seconds))
    return Rows(
        t=t,
        y=np.minimum(np.maximum(y, 0.0), 1.0),
        seconds=vocabulary.clipped(seconds, item_row),
        item_key=item_key,
        item_row=item_row,
        skill_ptr=skill_ptr,
        skill_key=skill_key,
        skill_row=vocabulary.skill_rows(skill_key),
    )


def asked_rows(asked: Iterable[tuple[str, Sequence[str]]], now_us: int, vocabulary: Vocabulary) -> Rows:
    """Rows to ask about at one moment: pairs of an item (or resource) id and its skills."""
    pairs = [(x_id, sorted(set(skills))) for x_id, skills in asked]
    nothing = np.full(len(pairs), np.nan)
    return rows_from(
        t=np.full(len(pairs), _minutes(now_us)),
        y=nothing,
        seconds=nothing,
        item_key=np.array([item_key(x) for x, _ in pairs], np.uint64),
        skill_ptr=np.cumsum([0, *(len(s) for _, s in pairs)], dtype=np.int64),
        skill_key=np.array([skill_key(s) for _, skills in pairs for s in skills], np.uint64),
        vocabulary=vocabulary,
    )


def _minutes(at_us: int) -> float:
    return float("nan") if at_us == NO_TIME else at_us / MINUTE_US


def _rows_in(known: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    if not len(known):
        return np.full(len(keys), -1, np.int32)
    place = known.searchsorted(keys)
    place[place == len(known)] = 0
    return np.where(known[place] == keys, place, -1).astype(np.int32)
