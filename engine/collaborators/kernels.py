"""The door to the compiled search for groups; without a compiler the same is said, slowly, by its twin."""

import ctypes
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.problem import Problem

SOURCE = Path(__file__).with_name("kernels.c")
Groups = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Annealing:
    """How to search: so many steps while the warmth falls from `hot` to `cold`, in the unit of the costs.

    `penalty`: what breaking a hard rule costs meanwhile. `until_kept`: stop at the first grouping that breaks none.
    """

    seed: int
    steps: int
    hot: float
    cold: float
    penalty: float
    until_kept: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A grouping, `(n,)` group numbers from 0, how often it breaks hard rules, and its soft cost without constants.

    `proved`: there is no better one.
    """

    groups: Groups
    hard: float
    soft: float
    proved: bool = False


class _CProblem(ctypes.Structure):
    _fields_ = [
        *[
            (name, ctypes.c_int64)
            for name in ("n", "k", "low", "high", "n_units", "n_columns", "n_numbers", "n_friends", "has_places")
        ],
        *[(f"array_{at}", ctypes.c_void_p) for at in range(30)],
    ]


class Prepared:
    """A problem in the shape the kernels read; the arrays live as long as this does."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        columns, numbers, ties, friends = problem.columns, problem.numbers, problem.ties, problem.friends
        self.arrays = [
            np.ascontiguousarray(array)
            for array in (
                problem.unit_ptr, problem.unit_member, problem.unit_fixed,
                columns.kind, columns.n_values, columns.value_base, columns.code, columns.fewest, columns.most,
                columns.hard, columns.weight, columns.finer,
                numbers.value, numbers.mean, numbers.tolerance, numbers.hard, numbers.weight, numbers.finer,
                ties.ptr, ties.to, ties.hard, ties.weight,
                friends.ptr, friends.to, friends.named_ptr, friends.named_to, friends.hard, friends.weight,
                problem.place_hard, problem.place_weight,
            )
        ]  # fmt: skip
        layout = problem.layout
        self.c = _CProblem(
            problem.n, layout.n_groups, layout.low, layout.high, len(problem.unit_fixed),
            len(columns.kind), len(numbers.mean), len(friends.hard), len(problem.place_hard) > 0,
            *[int(array.ctypes.data) for array in self.arrays],
        )  # fmt: skip


def source_hash() -> str:
    """Twelve digits that name the compiled library of this very source."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]


@cache
def library() -> Any:
    """The compiled kernels, or None where nobody compiled this source."""
    path = SOURCE.with_name(f"_kernels-{source_hash()}.so")
    if not path.exists():
        return None
    loaded = ctypes.CDLL(str(path))
    pointer, number, integer, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int, ctypes.c_double
    loaded.groups_anneal.argtypes = [pointer, pointer, ctypes.c_uint64, number, real, real, real, integer, pointer]
    loaded.groups_enumerate.argtypes = [pointer, pointer, number, integer, pointer]
    loaded.groups_cost.argtypes = [pointer, pointer, pointer]
    return loaded


def anneal(prepared: Prepared, start: Groups, how: Annealing) -> Found:
    """The best grouping met on a search that begins with `start`, which keeps sizes, units and hard locks.

    Raises:
        MemoryError: the machine has none left.
    """
    groups, cost = np.array(start, np.int32), np.zeros(2)
    if library() is None:
        from engine.collaborators import twin

        return Found(*twin.anneal(prepared.problem, groups.tolist(), how))
    _check(
        library().groups_anneal(
            ctypes.addressof(prepared.c), groups.ctypes.data, how.seed, how.steps, how.hot, how.cold, how.penalty,
            how.until_kept, cost.ctypes.data,
        )
    )  # fmt: skip
    return Found(groups, float(cost[0]), float(cost[1]))


def enumerated(prepared: Prepared, limit: int) -> tuple[Found | None, bool]:
    """The best grouping of all that breaks no hard rule, and whether all were seen before `limit` places were tried.

    Raises:
        MemoryError: the machine has none left.
    """
    problem = prepared.problem
    if library() is None:
        from engine.collaborators import twin

        told, found, soft = twin.enumerated(problem, limit)
        return (None if found is None else Found(found, 0.0, soft, proved=told != 2)), told != 2
    groups, cost = np.zeros(problem.n, np.int32), np.zeros(2)
    told = library().groups_enumerate(
        ctypes.addressof(prepared.c), groups.ctypes.data, limit, problem.alike, cost.ctypes.data
    )
    _check(told)
    return (None if cost[0] else Found(groups, 0.0, float(cost[1]), proved=told != 2)), told != 2


def cost_of(prepared: Prepared, groups: Groups) -> tuple[float, float]:
    """How often a grouping breaks hard rules, and its soft cost without constants."""
    cost, groups = np.zeros(2), np.ascontiguousarray(groups, np.int32)
    if library() is None:
        from engine.collaborators import twin

        return twin.cost_of(prepared.problem, groups.tolist())
    _check(library().groups_cost(ctypes.addressof(prepared.c), groups.ctypes.data, cost.ctypes.data))
    return float(cost[0]), float(cost[1])


def _check(failed: int) -> None:
    if failed < 0:
        raise MemoryError("not enough memory for the groups of a class")
