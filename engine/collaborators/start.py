"""A first grouping that keeps sizes, units and hard locks."""

import numpy as np

from engine.collaborators.counts import Groups
from engine.collaborators.problem import Problem

_TRIES = 30


def start_of(problem: Problem, rng: np.random.Generator) -> Groups | None:
    """Units put at random into the emptiest groups, the largest first; None where the sizes did not come out."""
    lengths = np.diff(problem.unit_ptr)
    for _ in range(_TRIES if lengths.max() > 1 or problem.unit_fixed.any() else 1):
        groups = _dealt(problem, lengths, rng)
        if groups is not None:
            return groups
    return None


def _dealt(
    problem: Problem, lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]", rng: np.random.Generator
) -> Groups | None:
    layout, groups = problem.layout, np.full(problem.n, -1, np.int32)
    filled = np.zeros(layout.n_groups, np.int64)
    for u in np.lexsort((rng.random(len(lengths)), -lengths, 1 - problem.unit_fixed.astype(np.int64))):
        members = problem.unit_member[problem.unit_ptr[u] : problem.unit_ptr[u + 1]]
        if problem.unit_fixed[u]:
            g = int(problem.place_hard[members].sum(0).argmin())
        else:
            g = int(np.lexsort((rng.random(layout.n_groups), filled))[0])
        filled[g] += lengths[u]
        groups[members] = g
    return groups if (filled >= layout.low).all() and (filled <= layout.high).all() else None
