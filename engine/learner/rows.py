"""What the learner model sees of events: keys, times, outcomes and seconds, as arrays in sequence."""

import math
from collections.abc import Iterable, Mapping, Sequence
from ctypes import c_float
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction

# The events that say something of mastery or pace: with an outcome an answer, without one an exposure.
TAUGHT_KINDS = frozenset({"viewed", "completed", "attempted", "submitted"})
MINUTE_US = 60_000_000
# From this score up an answer is a success: what is predicted is the chance of one, not the mean score.
SUCCESS = 0.5
SHORTEST_S = 0.5
# The longest believable answer where nothing is known of the item; hours on one question are a forgotten window.
LONGEST_S = 600.0
# Rows fewer than this are made number by number.
_FEW = 8
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Rows:
    """`n` answers and exposures of one or many learners, each learner's in sequence.

    `t`: `(n,)` float64, minutes since 1970, NaN without a clock. `y`: `(n,)` float64, 1 for a success and 0 for a
    failure, NaN for an exposure, below 0 where a row is only asked about and leaves no trace. `seconds`: `(n,)`
    float64, clipped, NaN where unknown. `item_key`: `(n,)` uint64; `item_row`: `(n,)` int32 into the model's items, -1
    where it does not know the item. The skills of row `r` are `skill_ptr[r]:skill_ptr[r + 1]` of `skill_key`,
    `skill_row`.
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

    def taken(self, at: NDArray[np.int64]) -> "Rows":
        """Rows `at` `(m,)`, in that order and as often as they are named."""
        lengths = np.diff(self.skill_ptr)[at]
        ptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        place = np.arange(ptr[-1]) - np.repeat(ptr[:-1], lengths) + np.repeat(self.skill_ptr[at], lengths)
        return Rows(
            t=self.t[at],
            y=self.y[at],
            seconds=self.seconds[at],
            item_key=self.item_key[at],
            item_row=self.item_row[at],
            skill_ptr=ptr,
            skill_key=self.skill_key[place],
            skill_row=self.skill_row[place],
        )


def stacked(parts: Sequence[Rows]) -> Rows:
    """All rows of all parts, one after the other."""
    ptr = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(p.skill_ptr) for p in parts]))]).astype(np.int64)
    names = ("t", "y", "seconds", "item_key", "item_row", "skill_key", "skill_row")
    return Rows(skill_ptr=ptr, **{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


@dataclass(frozen=True, slots=True)
class PackedRows:
    """A few rows in one piece of memory, which costs less to make than the arrays; `n_skills` over all of them.

    `content`: t, y, seconds, item keys, skill pointers, skill keys, rows of items and of skills, as in `Rows`.
    """

    content: bytes
    n: int
    n_skills: int

    def __len__(self) -> int:
        return self.n

    @property
    def item_row(self) -> NDArray[np.int32]:
        """As in `Rows`."""
        return np.frombuffer(self.content, np.int32, self.n, 40 * self.n + 8 + 8 * self.n_skills)

    def arrays(self) -> Rows:
        """The same rows as arrays."""
        content, n, m, at = self.content, self.n, self.n_skills, 40 * self.n + 8
        return Rows(
            t=np.frombuffer(content, np.float64, n),
            y=np.frombuffer(content, np.float64, n, 8 * n),
            seconds=np.frombuffer(content, np.float64, n, 16 * n),
            item_key=np.frombuffer(content, np.uint64, n, 24 * n),
            item_row=self.item_row,
            skill_ptr=np.frombuffer(content, np.int64, n + 1, 32 * n),
            skill_key=np.frombuffer(content, np.uint64, m, at),
            skill_row=np.frombuffer(content, np.int32, m, at + 4 * n + 8 * m),
        )


AnyRows = Rows | PackedRows


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The items and skills a model knows: keys `(n,)` uint64 ascending.

    `longest_s`: `(n_items,)` float64, the longest believable seconds; `timed`: `(n_items,)` whether any time was known;
    `answered`: `(n_items,)` int8, 1 where it was ever answered, -1 where it was met often and never was (a film, not a
    quiz), 0 where too little is known.
    """

    item_keys: NDArray[np.uint64]
    skill_keys: NDArray[np.uint64]
    longest_s: NDArray[np.float64]
    timed: NDArray[np.bool_]
    answered: NDArray[np.int8]

    def item_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of these items, -1 for the unknown."""
        return _rows_in(self.item_keys, keys)

    def skill_rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Rows of these skills, -1 for the unknown."""
        return _rows_in(self.skill_keys, keys)

    def item_row(self, key: int) -> int:
        """The row of one item, -1 where it is unknown."""
        return _row_in(self.item_keys, key)

    def skill_row(self, key: int) -> int:
        """The row of one skill, -1 where it is unknown."""
        return _row_in(self.skill_keys, key)

    def clip(self, seconds: float, item_row: int) -> float:
        """Believable seconds, NaN where there is no time."""
        if not 0 < seconds < math.inf:
            return _NAN
        longest = LONGEST_S if item_row < 0 else float(self.longest_s[item_row])
        return min(max(seconds, SHORTEST_S), longest)

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


def rows_of(events: Sequence[Interaction], skills_of: Mapping[str, tuple[str, ...]], vocabulary: Vocabulary) -> AnyRows:
    """The rows of one learner's events, which are in sequence and of `TAUGHT_KINDS`.

    An event's own skills count before those of its resource; each skill once, in the order of their ids.
    """
    return _rows(
        [minutes_of(microseconds(e.at)) for e in events],
        [_NAN if e.outcome is None else e.outcome for e in events],
        [_NAN if e.duration_s is None else e.duration_s for e in events],
        [e.item_id or e.resource_id or "" for e in events],
        [e.skills if e.skills is not None else skills_of.get(e.resource_id or "", ()) for e in events],
        vocabulary,
    )


def asked_rows(asked: Iterable[tuple[str, Sequence[str]]], now_us: int, vocabulary: Vocabulary) -> AnyRows:
    """Rows to ask about at one moment: pairs of an item (or resource) id and its skills."""
    pairs = list(asked)
    nothing = [_NAN] * len(pairs)
    items, skills = [x for x, _ in pairs], [s for _, s in pairs]
    return _rows([minutes_of(now_us)] * len(pairs), nothing, nothing, items, skills, vocabulary)


def _rows(
    t: list[float],
    y: list[float],
    seconds: list[float],
    items: list[str],
    skills: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
) -> AnyRows:
    keys = [[skill_key(s) for s in (row if len(row) < 2 else sorted(set(row)))] for row in skills]
    if len(t) > _FEW:
        return rows_from(
            t=np.array(t, np.float64),
            y=np.array(y, np.float64),
            seconds=np.array(seconds, np.float64),
            item_key=np.array([item_key(x) for x in items], np.uint64),
            skill_ptr=np.cumsum([0, *map(len, keys)], dtype=np.int64),
            skill_key=np.array([k for row in keys for k in row], np.uint64),
            vocabulary=vocabulary,
        )
    return _packed(t, y, seconds, [item_key(x) for x in items], keys, vocabulary)


def _packed(
    t: list[float],
    y: list[float],
    seconds: list[float],
    items: list[int],
    skills: list[list[int]],
    vocabulary: Vocabulary,
) -> PackedRows:
    """What `rows_from` gives, number by number: for a few rows that is ten times as fast."""
    flat = [key for row in skills for key in row]
    n, m = len(t), len(flat)
    ptr = [0, *accumulate(map(len, skills))]
    item_rows = [vocabulary.item_row(key) for key in items]
    y = [float(c_float(x).value >= SUCCESS) if x == x else x for x in y]
    seconds = [vocabulary.clip(c_float(x).value, row) for x, row in zip(seconds, item_rows, strict=True)]
    skill_rows = [vocabulary.skill_row(key) for key in flat]
    content = _layout(n, m).pack(*t, *y, *seconds, *items, *ptr, *flat, *item_rows, *skill_rows)
    return PackedRows(content, n, m)


@lru_cache(maxsize=1_024)
def _layout(n: int, m: int) -> Struct:
    """t, y, seconds, item keys, skill pointers, skill keys, then the rows of items and of skills."""
    return Struct(f"={n}d{n}d{n}d{n}Q{n + 1}q{m}Q{n}i{m}i")


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
    """Rows with what the vocabulary knows of them; an outcome of .5 or more is a success, not-a-number is none.

    Outcomes and seconds are read in single precision, which is how the log keeps them.
    """
    item_row = vocabulary.item_rows(item_key)
    with np.errstate(over="ignore"):
        y, seconds = (x.astype(np.float32).astype(np.float64) for x in (y, seconds))
    return Rows(
        t=t,
        y=np.where(np.isnan(y), np.nan, (y >= SUCCESS).astype(np.float64)),
        seconds=vocabulary.clipped(seconds, item_row),
        item_key=item_key,
        item_row=item_row,
        skill_ptr=skill_ptr,
        skill_key=skill_key,
        skill_row=vocabulary.skill_rows(skill_key),
    )


def minutes_of(at_us: int) -> float:
    """Minutes since 1970, NaN without a clock."""
    return float("nan") if at_us == NO_TIME else at_us / MINUTE_US


def _row_in(known: NDArray[np.uint64], key: int) -> int:
    place = int(known.searchsorted(np.uint64(key)))
    return place if place < len(known) and int(known[place]) == key else -1


def _rows_in(known: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    if not len(known):
        return np.full(len(keys), -1, np.int32)
    place = known.searchsorted(keys)
    place[place == len(known)] = 0
    return np.where(known[place] == keys, place, -1).astype(np.int32)
