"""Outside ids and the rows they stand in."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]


class IdMap:
    """A frozen map between ids and rows; adding gives a new map in which old ids keep their rows."""

    __slots__ = ("_ids", "_rows")

    def __init__(self, ids: Iterable[str]) -> None:
        """Rows follow the order given; an id given twice keeps its first row."""
        self._ids = tuple(dict.fromkeys(ids))
        self._rows = {x_id: row for row, x_id in enumerate(self._ids)}

    def extended(self, ids: Iterable[str]) -> "IdMap":
        """A new map with the unknown ones of `ids` appended."""
        return IdMap((*self._ids, *ids))

    def row(self, x_id: str) -> int:
        """The row of an id, or -1 where it is unknown."""
        return self._rows.get(x_id, -1)

    def rows(self, ids: Sequence[str]) -> Rows:
        """Rows of many ids, -1 where unknown: `(len(ids),)` int32."""
        return np.fromiter((self._rows.get(x_id, -1) for x_id in ids), dtype=np.int32, count=len(ids))

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids in the order of their rows."""
        return self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __contains__(self, x_id: object) -> bool:
        return x_id in self._rows
