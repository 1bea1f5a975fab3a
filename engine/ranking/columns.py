"""The columns of the learned ranker in compiled code; `engine.ranking.features` says the same in numpy."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library
from engine.ranking.neighbours import N_LAST, Neighbours, Work

# How the sums of a model are told: as they are, as steps, or as logarithms beside the best and the usual.
EASE, AFTER, ALIKE = range(3)
# The compiled form counts places in two bytes.
MOST_AT_ONCE = 65_535

Values = NDArray[np.float64]


class _CReading(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_void_p) for name in ("starts", "neighbour", "weight")],
        ("half_life", ctypes.c_double),
        *[(name, ctypes.c_int64) for name in ("unit", "kind")],
    ]


class _CRanking(ctypes.Structure):
    _fields_ = [
        *[
            (name, ctypes.c_int64)
            for name in ("n_resources", "n_models", "n_formats", "n_shared", "n_by_day", "n_columns", "n_last")
        ],
        *[(name, ctypes.c_void_p) for name in ("models", "formats")],
    ]


class Compiled:
    """Some arrays in the shape the kernels read, at the address `at`; they live as long as this does."""

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self.arrays = arrays
        self._c = (ctypes.c_void_p * len(arrays))(*map(address, arrays))
        self.at = ctypes.addressof(self._c)


class Columns:
    """What makes the columns of a bundle: its models, each with its half-life in days, unit and kind, and formats.

    `formats`: `(n_resources,)` int64 below `n_formats`; `n_shared` columns are alike for a cohort.
    """

    def __init__(
        self, models: Sequence[tuple[Neighbours, float, bool, int]], formats: NDArray[np.int64], n_formats: int,
        *, n_shared: int, n_by_day: int, n_columns: int,
    ) -> None:  # fmt: skip
        readings = [_CReading(*m.places, half_life, unit, kind) for m, half_life, unit, kind in models]
        self._kept = (models, formats, (_CReading * len(readings))(*readings))
        self._c = _CRanking(
            len(formats), len(readings), n_formats, n_shared, n_by_day, n_columns, N_LAST,
            ctypes.addressof(self._kept[2]), address(formats),
        )  # fmt: skip
        self._at, self._n_columns = ctypes.addressof(self._c), n_columns

    def of(
        self, cohort: Compiled, work: Work, rows: NDArray[np.int64], *, factors: Values | None, by_day: Values | None
    ) -> NDArray[np.float32]:
        """`(len(rows), n_columns)` for rows the bundle knows, at most `MOST_AT_ONCE`.

        `cohort` holds its columns, votes ever, of three days and of a week, the median age, the recent, the shares of
        formats and what was offered of them. `factors` `(n_resources,)` and `by_day` `(n_terms, n_resources)` are None
        where nothing was said.

        Raises:
            MemoryError: the machine has none left.
        """
        out = np.empty((len(rows), self._n_columns), np.float32)
        who = (ctypes.c_int64 * 5)(
            address(work.rows),
            address(work.days),
            len(work.rows),
            0 if factors is None else address(factors),
            0 if by_day is None else address(by_day),
        )
        if library().ranker_columns(self._at, cohort.at, who, address(rows), len(rows), address(out)):
            raise MemoryError("not enough memory to look at candidates closely")
        return out
