"""What a learner took up so far, as arrays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.domain.id_map import IdMap
from engine.domain.interaction import ENGAGED_KINDS, Interaction

NO_TIME = int(np.iinfo(np.int64).min)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What is compared by what it says; everything else only by whether it is the very same object.
_PLAIN = (int, float, str, tuple, frozenset)
Made = TypeVar("Made")
# About what a small thing takes with what it was made of, and each name in it: bytes.
_BARE, _NAME = 1_000, 64


def microseconds(at: datetime | None) -> int:
    """Whole microseconds since 1970, exactly; `NO_TIME` where there is no time."""
    return NO_TIME if at is None else (at - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class History:
    """A learner's engaged events in their own sequence.

    `resource_index`: `(n,)` int32, rows of the catalogue. `at_us`: `(n,)` int64, microseconds since 1970 in UTC,
    `NO_TIME` where the log has no clock.
    """

    resource_index: NDArray[np.int32]
    at_us: NDArray[np.int64]
    _seen: NDArray[np.int32] | None = field(default=None, init=False, repr=False, compare=False)
    _steps: tuple[NDArray[np.int64], NDArray[np.int64]] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    _kept: dict[str, tuple[tuple[object, ...], object, int]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def empty(cls) -> "History":
        """Nothing yet."""
        return cls(np.empty(0, np.int32), np.empty(0, np.int64))

    @property
    def n_bytes(self) -> int:
        """About how much memory it takes with all that is kept of it."""
        own = 4 * (self.resource_index.nbytes + self.at_us.nbytes)
        return _BARE + own + sum([n_bytes for _, _, n_bytes in self._kept.values()])

    @property
    def seen(self) -> NDArray[np.int32]:
        """The distinct resources, ascending."""
        # Asked for several times in each decision, and a history stays at hand between them.
        if self._seen is None:
            self._look_through()
        assert self._seen is not None
        return self._seen

    @property
    def first_steps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct resources in the order of first engagement, and when that was: `(n,)` both."""
        if self._steps is None:
            self._look_through()
        assert self._steps is not None
        return self._steps

    def _look_through(self) -> None:
        """Find the distinct resources and their first engagements, of which mostly both are asked for."""
        seen, first = np.unique(self.resource_index, return_index=True)
        first.sort()
        object.__setattr__(self, "_seen", seen)
        object.__setattr__(self, "_steps", (self.resource_index[first].astype(np.int64), self.at_us[first]))

    def kept(
        self,
        name: str,
        made_of: tuple[object, ...],
        make: Callable[[], Made],
        is_small: Callable[[Made], bool] = lambda _: True,
    ) -> Made:
        """What was made last of this history under a name, where it was made of the same things; else it is made.

        Numbers and names are the same where they are equal, all else where it is the same object. What is made must
        follow from the history and these things alone, and be written to by nobody. There is one thing to a name; what
        is not `is_small` is not kept.
        """
        found = self.recalled(name, made_of)
        if found is not None:
            return found  # type: ignore[return-value]
        made = make()
        if is_small(made):
            self.keep(name, made_of, made)
        return made

    def recalled(self, name: str, made_of: tuple[object, ...]) -> object | None:
        """What is kept under this name, where it was made of the same things; None where it would have to be made."""
        found = self._kept.get(name)
        return found[1] if found is not None and _are_same(found[0], made_of) else None

    def keep(self, name: str, made_of: tuple[object, ...], made: object) -> None:
        """Keep what was made of these things, in the place of what was kept under this name; see `kept`.

        What is large says its `n_bytes`.
        """
        named = sum([len(one) for one in made_of if isinstance(one, tuple)])
        self._kept[name] = (made_of, made, _BARE + _NAME * named + getattr(made, "n_bytes", 0))

    def forget(self, name: str) -> None:
        """Keep nothing under this name."""
        self._kept.pop(name, None)


def _are_same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    return len(some) == len(others) and all(map(_is_same, some, others))


def _is_same(one: object, other: object) -> bool:
    return one is other or (isinstance(one, _PLAIN) and one == other)


def history_of(interactions: Iterable[Interaction], resource_map: IdMap) -> History:
    """The history of one learner from their interactions in any order; voided and foreign events drop out."""
    events = list(interactions)
    voided = {e.voids for e in events if e.kind == "voided"}
    rows = sorted(
        (
            (microseconds(e.at), e.order or 0, e.event_id, row)
            for e in events
            if e.kind in ENGAGED_KINDS and e.event_id not in voided and e.resource_id is not None
            for row in (resource_map.row(e.resource_id),)
            if row >= 0
        ),
    )
    return History(
        np.array([r[3] for r in rows], dtype=np.int32),
        np.array([r[0] for r in rows], dtype=np.int64),
    )
