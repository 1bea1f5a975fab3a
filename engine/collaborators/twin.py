"""The search for groups in Python: the compiled one's oracle, and its stand-in where nothing was compiled."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.problem import Problem
from engine.collaborators.twin_state import CLOSE, State, mixed

if TYPE_CHECKING:
    from engine.collaborators.kernels import Annealing

_TRIES = 8
Move = tuple[int, int, list[int], list[int]]


def cost_of(problem: Problem, groups: list[int]) -> tuple[float, float]:
    """How often a grouping breaks hard rules, and its soft cost without constants."""
    state = _filled(problem, groups)
    return state.hard, state.soft


def anneal(problem: Problem, groups: list[int], how: "Annealing") -> tuple[NDArray[np.int32], float, float]:
    """The best grouping met, how often it breaks hard rules, its soft cost."""
    state, draws = _filled(problem, groups), mixed(how.seed)
    best_hard, best_soft, warmth = state.hard, state.soft, how.hot
    cooling = math.pow(how.cold / how.hot, 1.0 / max(how.steps, 1))
    for step in range(how.steps):
        if how.until_kept and best_hard < 0.5:
            break
        warmth = warmth * cooling if step else warmth
        move = _chosen(state, draws)
        if move is None:
            continue
        hard, soft = state.hard, state.soft
        _exchange(state, move)
        worse = (state.hard - hard) * how.penalty + state.soft - soft
        if worse > 0 and (next(draws) >> 11) * 2.0**-53 >= math.exp(-worse / warmth):
            a, b, go, come = move
            _exchange(state, (b, a, go, come))
            state.hard, state.soft = hard, soft
        elif state.hard < best_hard - 0.5 or (state.hard < best_hard + 0.5 and state.soft < best_soft - CLOSE):
            best_hard, best_soft, groups = state.hard, state.soft, state.group[:]
    return np.array(groups, np.int32), best_hard, best_soft


def enumerated(problem: Problem, limit: int) -> tuple[int, NDArray[np.int32] | None, float]:
    """1 found, 0 there is none, 2 given up; the best grouping that breaks no hard rule, and its soft cost."""
    search = _Search(problem, limit)
    search.fill(0, 0, problem.n)
    groups = None if search.best is None else np.array(search.best, np.int32)
    return 2 if search.left <= 0 else int(groups is not None), groups, search.best_soft


class _Search:
    """Every grouping that keeps the sizes, one after the other."""

    def __init__(self, problem: Problem, limit: int) -> None:
        self.state, self.left = State(problem), limit
        self.best: list[int] | None = None
        self.best_soft = 0.0

    def fill(self, u: int, opened: int, unplaced: int) -> None:
        """Place the unit `u` and those after it; `opened` groups have somebody, `unplaced` learners wait."""
        s, layout = self.state, self.state.p.layout
        if u == s.n_units:
            if s.hard < 0.5 and (self.best is None or s.soft < self.best_soft - CLOSE):
                self.best, self.best_soft = s.group[:], s.soft
            return
        size = len(s.units[u])
        for g in range(opened + 1 if s.p.alike and opened < s.k else s.k):
            if self.left <= 0:
                return
            self.left -= 1
            if s.size[g] + size > layout.high:
                continue
            kept = s.hard, s.soft, s.forbidden
            s.carry(u, -1, g)
            s.count(u, g, 1)
            s.refresh(g)
            lacking = sum(max(layout.low - there, 0) for there in s.size)
            if s.forbidden < 0.5 and lacking <= unplaced - size:
                self.fill(u + 1, opened + (g == opened), unplaced - size)
            s.carry(u, g, -1)
            s.count(u, g, -1)
            s.refresh(g)
            s.hard, s.soft, s.forbidden = kept


def _filled(problem: Problem, groups: list[int]) -> State:
    state = State(problem)
    for u, members in enumerate(state.units):
        state.carry(u, -1, groups[members[0]])
        state.count(u, groups[members[0]], 1)
    for g in range(state.k):
        state.refresh(g)
    return state


def _chosen(state: State, draws: Iterator[int]) -> Move | None:
    """What goes from one group to another, and what comes back for it; None where that cannot be."""

    def below(n: int) -> int:
        return (next(draws) >> 33) % n

    fixed, layout = state.p.unit_fixed, state.p.layout
    u = below(state.n_units)
    if fixed[u]:
        return None
    a = state.unit_group[u]
    if layout.low < layout.high and below(4) == 0:
        b, size = below(state.k), len(state.units[u])
        fits = b != a and state.size[a] - size >= layout.low and state.size[b] + size <= layout.high
        return (a, b, [u], []) if fits else None
    v = below(state.n_units)
    b = state.unit_group[v]
    if fixed[v] or b == a:
        return None
    if len(state.units[v]) > len(state.units[u]):
        u, v, a, b = v, u, b, a
    size, come = len(state.units[u]), [v]
    filled = len(state.units[v])
    for _ in range(_TRIES):
        if filled >= size:
            break
        w = state.listed[b][below(len(state.listed[b]))]
        if not fixed[w] and filled + len(state.units[w]) <= size and w not in come:
            come.append(w)
            filled += len(state.units[w])
    left, right = state.size[a] - size + filled, state.size[b] + size - filled
    fits = filled == size or (layout.low <= left <= layout.high and layout.low <= right <= layout.high)
    return (a, b, [u], come) if fits else None


def _exchange(state: State, move: Move) -> None:
    a, b, go, come = move
    for u in go:
        state.carry(u, a, b)
    for u in come:
        state.carry(u, b, a)
    moved = [(i, a, b) for u in go for i in state.units[u]] + [(i, b, a) for u in come for i in state.units[u]]
    one_for_one = len(moved) == 2 and len(come) == 1
    for r, code in enumerate(state.code):
        if one_for_one and code[moved[0][0]] == code[moved[1][0]]:
            continue
        for i, start, to in moved:
            state.tally(r, i, start, -1)
            state.tally(r, i, to, 1)
        state.refresh_column(r, a)
        state.refresh_column(r, b)
    for r in range(len(state.number)):
        for i, start, to in moved:
            state.weigh(r, i, start, -1)
            state.weigh(r, i, to, 1)
        state.refresh_number(r, a)
        state.refresh_number(r, b)
