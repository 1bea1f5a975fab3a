"""Many short lists of numbers in two arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spans:
    """Lists of numbers, one after the other: list `k` is `ptr[k]:ptr[k + 1]` of `values`, `lengths[k]` long."""

    ptr: Ints
    values: Ints
    lengths: Ints
    _places: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", (address(self.ptr), address(self.values)))

    def of(self, k: int) -> Ints:
        """One list."""
        return self.values[self.ptr[k] : self.ptr[k + 1]]

    def gathered(self, of: Ints) -> tuple[Ints, Ints]:
        """All numbers of these lists: whose they are, as places in `of`, and the numbers; `(n,)` both."""
        loaded = library()
        if loaded is None:
            return self.listed(of)
        of = np.ascontiguousarray(of, np.int64)
        place, values = np.empty((2, int(np.add.reduce(self.lengths[of]))), np.int64)
        loaded.gathered(*self._places, address(of), len(of), address(place), address(values))
        return place, values

    def listed(self, of: Ints) -> tuple[Ints, Ints]:
        """The same in numpy: the compiled form's oracle and stand-in."""
        lengths = self.lengths[of]
        ends = np.cumsum(lengths)
        place = np.repeat(np.arange(len(of)), lengths)
        return place, self.values[np.arange(len(place)) + (self.ptr[of] - ends + lengths)[place]]


def spans_of(lists: Sequence[Sequence[int] | Ints]) -> Spans:
    """These lists as spans."""
    lengths = np.array([len(one) for one in lists], np.int64)
    values = np.array([number for one in lists for number in one], np.int64)
    return Spans(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), values, lengths)
