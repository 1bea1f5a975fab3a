"""Every way to part a small class into groups, for when there are few enough to look at them all."""

from math import lgamma, log

import numpy as np

from engine.collaborators.counts import Groups
from engine.collaborators.problem import Problem
from engine.collaborators.spec import Layout

# Each unit is a step deeper into the walk, and a grouping is about so many steps.
_UNITS, _STEPS = 200, 3


def every_way(problem: Problem, *, places: int) -> list[Groups] | None:
    """All groupings with whole units, their sizes kept and hard locks too; other rules are not looked at.

    Groups that no lock names are alike: of groupings that differ in their numbers alone there is one. None where more
    than `places` steps would be needed to see them all.
    """
    free = int((problem.unit_fixed == 0).sum())
    if len(problem.unit_fixed) > _UNITS or about_many(free, problem.layout) > log(places / _STEPS + 1):
        return None
    ways = _Ways(problem, places)
    ways.place(0, problem.n)
    return ways.found if ways.places >= 0 else None


def about_many(n: int, layout: Layout) -> float:
    """The logarithm of about how many groupings there are, of groups that differ in nothing but their number."""
    k, share = layout.n_groups, n / layout.n_groups
    return lgamma(n + 1) - k * lgamma(share + 1) - lgamma(k + 1)


class _Ways:
    """A walk over the units, the largest first, that puts each wherever there is room."""

    def __init__(self, problem: Problem, places: int) -> None:
        self.layout, self.places = problem.layout, places
        self.units = [
            problem.unit_member[first:last].tolist()
            for first, last in zip(problem.unit_ptr[:-1], problem.unit_ptr[1:], strict=True)
        ]
        self.barred, self.named = _locks_of(problem)
        self.filled, self.groups = [0] * self.layout.n_groups, np.zeros(problem.n, np.int32)
        self.found: list[Groups] = []

    def place(self, u: int, left: int) -> None:
        """Put unit `u` and all after it, `left` learners, in every way."""
        if u == len(self.units):
            self.found.append(self.groups.copy())
            return
        members = self.units[u]
        for g in self._open(members):
            self.places -= 1
            if self.places < 0:
                return
            self.filled[g] += len(members)
            self.groups[members] = g
            if sum(max(self.layout.low - size, 0) for size in self.filled) <= left - len(members):
                self.place(u + 1, left - len(members))
            self.filled[g] -= len(members)

    def _open(self, members: list[int]) -> list[int]:
        """The groups that may take these; of empty ones that are alike the first."""
        found, empty = list[int](), False
        for g, size in enumerate(self.filled):
            if size + len(members) > self.layout.high or (len(self.barred) and self.barred[members, g].any()):
                continue
            if size == 0 and g not in self.named:
                if empty:
                    continue
                empty = True
            found.append(g)
        return found


def _locks_of(problem: Problem) -> tuple["np.ndarray[tuple[int, ...], np.dtype[np.bool_]]", set[int]]:
    """Which learner may not be in which group, and the groups that are not like any other."""
    if not len(problem.place_hard):
        return np.empty(0, np.bool_), set()
    cost = problem.place_hard + problem.place_weight
    named = (cost < cost.max(1, keepdims=True)).any(0)
    return problem.place_hard > 0, {int(g) for g in np.flatnonzero(named)}
