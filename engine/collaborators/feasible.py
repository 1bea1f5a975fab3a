"""Whether hard rules can all hold: a grouping that keeps them, or the proof that there is none."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.collaborators import exact
from engine.collaborators.bounds import least_broken
from engine.collaborators.counts import Groups
from engine.collaborators.kernels import Annealing, Prepared, anneal, enumerated
from engine.collaborators.problem import Problem, problem_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Size, Spec, layouts_of
from engine.collaborators.start import start_of

# A pair too many of one value, and a group's distance from the mean in standard deviations, show the way downhill.
_PAIR_GUIDE, _MEAN_GUIDE = 0.15, 0.3
_PLACES = 20_000
_RUNS = ((2_000, 100), (10_000, 400))
_LONG_RUN = (500_000, 20_000)
# The program leaves some of the time for a long search where it comes to no end.
_LARGE, _PROGRAM_SHARE = 60_000, 0.8
Left = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Kept:
    """A grouping that keeps every hard rule, and the layout it is in."""

    layout: Layout
    groups: Groups


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of hard rules: the groupings found, one for a layout, and the layouts not proved impossible."""

    kept: tuple[Kept, ...]
    possible: tuple[Layout, ...]


def verdict_on(roster: Roster, spec: Spec, left: Left, *, seed: int = 0, first: bool = False) -> Verdict:
    """A grouping for each layout in which hard rules can be kept without much ado, or only the first.

    Where there is none, each layout is decided by a program, as long as there are seconds `left`.
    """
    hard = Spec(spec.size, tuple(rule for rule in spec.rules if rule.hard))
    kept: list[Kept] = []
    possible: list[Layout] = []
    for layout in layouts_of(spec.size, len(roster)):
        groups, known = _sought(roster, hard, layout, seed)
        if groups is not None:
            kept.append(Kept(layout, groups))
        if not known:
            possible.append(layout)
        if kept and (first or left() <= 0):
            return Verdict(tuple(kept), tuple(possible))
    if not kept:
        return _decided(roster, hard, possible, left, seed)
    return Verdict(tuple(kept), tuple(possible))


def other_size_holds(roster: Roster, rules: tuple[Rule, ...], left: Left) -> bool:
    """Whether groups of some other size are soon found to keep these hard rules; not finding any proves nothing."""
    n = len(roster)
    for n_groups in sorted({k for k in (1, 2, 3, n // 6, n // 4, n // 3, n // 2, n) if 1 <= k <= n}):
        layout = Layout(n_groups, n // n_groups, -(-n // n_groups))
        if left() <= 0:
            return False
        if _sought(roster, Spec(Size(1), rules), layout, seed=0)[0] is not None:
            return True
    return False


def _sought(roster: Roster, spec: Spec, layout: Layout, seed: int) -> tuple[Groups | None, bool]:
    """A grouping or None, and whether it is proved that there is none."""
    if any(least_broken(rule, roster, layout) for rule in spec.rules):
        return None, True
    problem = guided(problem_of(roster, spec, layout))
    if _contradicts(problem):
        return None, True
    prepared, rng = Prepared(problem), np.random.default_rng([seed, layout.n_groups])
    for steps in _RUNS:
        if (groups := _annealed(prepared, rng, steps)) is not None:
            return groups, False
    found, seen = enumerated(prepared, _PLACES)
    return (None if found is None else found.groups), seen and found is None


def _decided(roster: Roster, spec: Spec, layouts: list[Layout], left: Left, seed: int) -> Verdict:
    """The first grouping a program finds, or a long search where it comes to no end; what is impossible is left out."""
    possible = []
    for layout in layouts:
        told = None
        if exact.size_of(roster, spec, layout) <= _LARGE and left() > 0:
            told = exact.solved(roster, spec, layout, exact.Limits(left() * _PROGRAM_SHARE))
        if told is not None and told.impossible:
            continue
        groups = told.groups if told is not None else None
        if groups is None:
            prepared = Prepared(guided(problem_of(roster, spec, layout)))
            groups = _annealed(prepared, np.random.default_rng([seed, layout.n_groups, 1]), _LONG_RUN)
        if groups is not None:
            return Verdict((Kept(layout, groups),), tuple(layouts))
        possible.append(layout)
    return Verdict((), tuple(possible))


def guided(problem: Problem) -> Problem:
    """The same problem where what is finer than a break counts as much as it helps to find a way."""
    columns, numbers = problem.columns, problem.numbers
    spread = np.array([np.nanstd(v) if np.isfinite(v).any() else 0.0 for v in numbers.value])
    return replace(
        problem,
        columns=replace(columns, finer=np.where(columns.kind >= 3, 0.0, _PAIR_GUIDE)),
        numbers=replace(numbers, finer=np.divide(_MEAN_GUIDE, spread**2, out=np.zeros(len(spread)), where=spread > 0)),
    )


def _annealed(prepared: Prepared, rng: np.random.Generator, steps: tuple[int, int]) -> Groups | None:
    start = start_of(prepared.problem, rng)
    if start is None:
        return None
    few, each = steps
    how = Annealing(
        seed=int(rng.integers(2**63)),
        steps=few + each * prepared.problem.n,
        hot=1.0,
        cold=0.05,
        penalty=1.0,
        until_kept=True,
    )
    found = anneal(prepared, start, how)
    return found.groups if found.hard < 0.5 else None


def _contradicts(problem: Problem) -> bool:
    """A unit that is too large, holds two to be kept apart, or is locked into no group; locks that overfill one."""
    filled = np.zeros(problem.layout.n_groups)
    for first, last in zip(problem.unit_ptr[:-1], problem.unit_ptr[1:], strict=True):
        members = problem.unit_member[first:last]
        if len(members) > problem.layout.high or (len(members) > 1 and _apart_within(problem, members.tolist())):
            return True
        if len(problem.place_hard):
            cost = problem.place_hard[members].sum(0)
            if cost.min() > 0:
                return True
            if cost.max() > 0:
                filled[int(cost.argmin())] += len(members)
    return bool((filled > problem.layout.high).any())


def _apart_within(problem: Problem, members: list[int]) -> bool:
    ties, within = problem.ties, set(members)
    return any(
        int(ties.to[at]) in within and ties.hard[at] > 0
        for i in members
        for at in range(int(ties.ptr[i]), int(ties.ptr[i + 1]))
    )
