"""What a grouping costs, kept up to date move by move: the compiled search's state, in Python, as its oracle."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.problem import AT_LEAST_ONE, CLUSTER, DISTRIBUTE, SPREAD, Problem

CLOSE = 1e-9
T = TypeVar("T")


class State:
    """Everybody in no group yet; `carry` and `count` bring units into groups, `refresh` weighs those up."""

    def __init__(self, problem: Problem) -> None:
        self.p = problem
        k, columns, friends = problem.layout.n_groups, problem.columns, problem.friends
        self.n, self.k, self.n_units = problem.n, k, len(problem.unit_fixed)
        self.units = [
            problem.unit_member[a:b].tolist() for a, b in zip(problem.unit_ptr[:-1], problem.unit_ptr[1:], strict=True)
        ]
        self.code = columns.code.tolist()
        self.number = problem.numbers.value.tolist()
        self.ties = _lists(
            problem.ties.ptr,
            list(zip(*(a.tolist() for a in (problem.ties.to, problem.ties.hard, problem.ties.weight)), strict=True)),
        )
        self.friends = _lists(friends.ptr, friends.to.tolist())
        self.named = _lists(friends.named_ptr, friends.named_to.tolist())
        self.hard = self.soft = self.forbidden = 0.0
        self.group, self.size = [-1] * self.n, [0] * k
        self.unit_group, self.unit_at = [-1] * self.n_units, [0] * self.n_units
        self.listed: list[list[int]] = [[] for _ in range(k)]
        self.count_ = [[[0] * int(v) for _ in range(k)] for v in columns.n_values]
        zero = [[0] * k for _ in self.code]
        self.known, self.distinct, self.single, self.same = ([row[:] for row in zero] for _ in range(4))
        self.column_cost = [[(0.0, 0.0)] * k for _ in self.code]
        self.sum = [[0.0] * k for _ in self.number]
        self.number_known = [[0] * k for _ in self.number]
        self.number_cost = [[(0.0, 0.0)] * k for _ in self.number]
        self.met = [[0] * self.n for _ in friends.hard]
        for r in range(len(self.met)):
            for i in range(self.n):
                if self.friends[r * self.n + i]:
                    self.hard += float(friends.hard[r])
                    self.soft += float(friends.weight[r])
        for g in range(k):
            self.refresh(g)

    def carry(self, u: int, start: int, to: int) -> None:
        """A unit goes from a group to another; -1 is nowhere."""
        for i in self.units[u]:
            self.group[i] = -1
            if start >= 0:
                self._tie(i, start, -1)
                self.size[start] -= 1
            if to >= 0:
                self._tie(i, to, 1)
                self.size[to] += 1
            self.group[i] = to
        if start >= 0:
            at, other = self.unit_at[u], self.listed[start].pop()
            if other != u:
                self.listed[start][at] = other
                self.unit_at[other] = at
        if to >= 0:
            self.unit_group[u], self.unit_at[u] = to, len(self.listed[to])
            self.listed[to].append(u)

    def count(self, u: int, g: int, sign: int) -> None:
        """A unit's values and numbers enter a group (1) or leave it (-1)."""
        for i in self.units[u]:
            for r in range(len(self.code)):
                self.tally(r, i, g, sign)
            for r in range(len(self.number)):
                self.weigh(r, i, g, sign)

    def tally(self, r: int, i: int, g: int, sign: int) -> None:
        """One learner's value enters a group or leaves it."""
        value = self.code[r][i]
        if value < 0:
            return
        count, before = self.count_[r][g], self.count_[r][g][value]
        self.known[r][g] += sign
        count[value] = after = before + sign
        self.same[r][g] += before if sign > 0 else -after
        self.distinct[r][g] += (after > 0) - (before > 0)
        self.single[r][g] += (after == 1) - (before == 1)

    def weigh(self, r: int, i: int, g: int, sign: int) -> None:
        """One learner's number enters a group or leaves it."""
        value = self.number[r][i]
        if value == value:  # not NaN
            self.sum[r][g] += sign * value
            self.number_known[r][g] += sign

    def refresh(self, g: int) -> None:
        """What a group's columns and numbers cost now."""
        for r in range(len(self.code)):
            self.refresh_column(r, g)
        for r in range(len(self.number)):
            self.refresh_number(r, g)

    def refresh_column(self, r: int, g: int) -> None:
        """What one column costs in one group."""
        columns = self.p.columns
        broken, finer = self._column(r, g)
        hard = broken * float(columns.hard[r])
        soft = broken * float(columns.weight[r]) + finer * float(columns.finer[r])
        self.hard += hard - self.column_cost[r][g][0]
        self.soft += soft - self.column_cost[r][g][1]
        self.column_cost[r][g] = (hard, soft)

    def refresh_number(self, r: int, g: int) -> None:
        """What one balance costs in one group."""
        numbers, known = self.p.numbers, self.number_known[r][g]
        off = self.sum[r][g] / known - float(numbers.mean[r]) if known else 0.0
        broken = abs(off) > float(numbers.tolerance[r]) + CLOSE
        hard = broken * float(numbers.hard[r])
        soft = broken * float(numbers.weight[r]) + off * off * float(numbers.finer[r])
        self.hard += hard - self.number_cost[r][g][0]
        self.soft += soft - self.number_cost[r][g][1]
        self.number_cost[r][g] = (hard, soft)

    def _column(self, r: int, g: int) -> tuple[bool, float]:
        kind, values = int(self.p.columns.kind[r]), int(self.p.columns.n_values[r])
        count, known, same = self.count_[r][g], self.known[r][g], self.same[r][g]
        if kind == DISTRIBUTE:
            return self.distinct[r][g] < min(known, values), same
        if kind == SPREAD:
            base = int(self.p.columns.value_base[r])
            few, most = self.p.columns.fewest[base:], self.p.columns.most[base:]
            return any(not few[v] <= count[v] <= most[v] for v in range(values)), same
        if kind == CLUSTER:
            return self.distinct[r][g] > 1, known * (known - 1) / 2 - 2.0 * same
        if kind == AT_LEAST_ONE:
            return count[0] == 0 and known > 0, float(count[0] == 0)
        return self.single[r][g] > 0, 0.0

    def _tie(self, i: int, g: int, sign: int) -> None:
        for j, hard, weight in self.ties[i]:
            if self.group[j] == g:
                self._charge(sign * hard, sign * weight, forbidden=True)
        if len(self.p.place_hard):
            self._charge(sign * float(self.p.place_hard[i, g]), sign * float(self.p.place_weight[i, g]), forbidden=True)
        for r, met in enumerate(self.met):
            own, before = r * self.n + i, met[i]
            met[i] += sign * sum(self.group[j] == g for j in self.friends[own])
            turned = ((met[i] == 0) - (before == 0)) if self.friends[own] else 0
            for j in self.named[own]:
                if self.group[j] == g:
                    turned -= met[j] == 0
                    met[j] += sign
                    turned += met[j] == 0
            self._charge(turned * float(self.p.friends.hard[r]), turned * float(self.p.friends.weight[r]))

    def _charge(self, hard: float, soft: float, *, forbidden: bool = False) -> None:
        self.hard += hard
        self.soft += soft
        self.forbidden += hard if forbidden else 0.0


def _lists(ptr: NDArray[np.int64], flat: list[T]) -> list[list[T]]:
    return [flat[a:b] for a, b in pairwise(ptr)]


def mixed(seed: int) -> Iterator[int]:
    """The 64-bit numbers of splitmix64."""
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) % 2**64
        z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)
