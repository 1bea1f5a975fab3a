"""A class, its rules and the number of groups as the arrays the kernels read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.counts import alike_in, class_of, share_of, unit_of
from engine.collaborators.reading import (
    COLUMN_VERBS,
    PAIR_VERBS,
    codes_of,
    friends_of,
    locked_in,
    pairs_of,
    shares_of,
)
from engine.collaborators.roster import Roster, numbers_of
from engine.collaborators.spec import Layout, Rule, Spec

DISTRIBUTE, SPREAD, CLUSTER, NOT_ALONE, AT_LEAST_ONE = range(5)
_KINDS = {"distribute": DISTRIBUTE, "cluster": CLUSTER, "no_one_alone": NOT_ALONE, "at_least_one": AT_LEAST_ONE}
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Longs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rules over values, `(n_columns,)` each; `code` `(n_columns, n)`; `value_base` `(n_columns + 1,)`.

    `fewest` and `most` lie at `value_base[column] + value`. `hard` is 1 where a break is one of a hard rule, `weight`
    what a break of a soft one costs, `finer` what a pair (or a group without any) costs.
    """

    kind: Ints
    n_values: Ints
    value_base: Longs
    code: Ints
    fewest: Ints
    most: Ints
    hard: Floats
    weight: Floats
    finer: Floats


@dataclass(frozen=True, slots=True)
class Numbers:
    """Rules over numbers, `(n_numbers,)` each; `value` `(n_numbers, n)`, NaN where unknown; `tolerance` in its unit."""

    value: Floats
    mean: Floats
    tolerance: Floats
    hard: Floats
    weight: Floats
    finer: Floats


@dataclass(frozen=True, slots=True)
class Ties:
    """Who is better apart: of learner `i` the others are `to[ptr[i]:ptr[i + 1]]`, at a cost when in one group.

    Costs are below zero where two are better together.
    """

    ptr: Longs
    to: Ints
    hard: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class Friends:
    """Whom each learner named, who named them: `(n_friends, n)` lists end to end; `hard`, `weight` `(n_friends,)`."""

    ptr: Longs
    to: Ints
    named_ptr: Longs
    named_to: Ints
    hard: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything a search needs. Units are learners who move as one: `unit_member[unit_ptr[u]:unit_ptr[u + 1]]`.

    `place_hard`, `place_weight`: `(n, k)` what a learner costs in a group, `(0,)` where no rule locks. `constant`: what
    pairs that are better together cost while none of them is.
    """

    n: int
    layout: Layout
    unit_ptr: Longs
    unit_member: Ints
    unit_fixed: NDArray[np.uint8]
    columns: Columns
    numbers: Numbers
    ties: Ties
    friends: Friends
    place_hard: Floats
    place_weight: Floats
    constant: float

    @property
    def alike(self) -> bool:
        """Groups differ in nothing but their number."""
        return not len(self.place_hard)


def problem_of(roster: Roster, spec: Spec, layout: Layout) -> Problem:
    """The arrays of a specification for one layout."""
    rules = spec.rules
    place_hard, place_weight = _places([r for r in rules if r.verb == "lock"], roster, layout)
    units = _units([r for r in rules if r.verb == "keep_together" and r.hard], roster)
    members = np.array([i for unit in units for i in unit], np.int32)
    fixed = [bool(len(place_hard)) and bool(place_hard[unit].any()) for unit in units]
    ties, constant = _ties([r for r in rules if r.verb in PAIR_VERBS], roster, spec)
    for rule in rules:
        if rule.verb == "cluster":
            alike = alike_in(*codes_of(rule, roster))
            constant += share_of(rule, spec) * alike * unit_of(rule, roster, layout.n_groups)
    return Problem(
        n=len(roster),
        layout=layout,
        unit_ptr=np.cumsum([0, *map(len, units)], dtype=np.int64),
        unit_member=members,
        unit_fixed=np.array(fixed, np.uint8),
        columns=_columns([r for r in rules if r.verb in COLUMN_VERBS], roster, layout, spec),
        numbers=_numbers([r for r in rules if r.verb == "balance"], roster, layout, spec),
        ties=ties,
        friends=_friends([r for r in rules if r.verb == "friends"], roster),
        place_hard=place_hard,
        place_weight=place_weight,
        constant=constant,
    )


def _units(rules: Sequence[Rule], roster: Roster) -> list[list[int]]:
    """Learners joined by hard keep_together rules, the larger units first."""
    parent = list(range(len(roster)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for rule in rules:
        for i, j in pairs_of(rule, roster):
            parent[root(j)] = root(i)
    units: dict[int, list[int]] = {}
    for i in range(len(roster)):
        units.setdefault(root(i), []).append(i)
    return sorted(units.values(), key=lambda unit: (-len(unit), unit))


def _strengths(rules: Sequence[Rule]) -> tuple[Floats, Floats]:
    hard = np.array([float(rule.hard) for rule in rules])
    return hard, np.array([0.0 if rule.hard else rule.weight for rule in rules])


def _columns(rules: Sequence[Rule], roster: Roster, layout: Layout, spec: Spec) -> Columns:
    read = [codes_of(rule, roster) for rule in rules]
    shares = [shares_of(codes, n_values, layout.n_groups) for codes, n_values in read]
    spread = [rule.verb == "distribute" and bool(rule.values) for rule in rules]
    hard, weight = _strengths(rules)
    finer = [share_of(r, spec) * unit_of(r, roster, layout.n_groups) for r in rules]
    return Columns(
        kind=np.array([SPREAD if s else _KINDS[r.verb] for r, s in zip(rules, spread, strict=True)], np.int32),
        n_values=np.array([n_values for _, n_values in read], np.int32),
        value_base=np.cumsum([0, *(n_values for _, n_values in read)], dtype=np.int64),
        code=np.array([codes for codes, _ in read], np.int32).reshape(len(rules), len(roster)),
        fewest=np.concatenate([np.empty(0, np.int32), *(few for few, _ in shares)]),
        most=np.concatenate([np.empty(0, np.int32), *(most for _, most in shares)]),
        hard=hard,
        weight=weight,
        finer=np.array(finer, np.float64),
    )


def _numbers(rules: Sequence[Rule], roster: Roster, layout: Layout, spec: Spec) -> Numbers:
    values = [numbers_of(roster, rule.by[0]) for rule in rules]
    about = [class_of(value) for value in values]
    hard, weight = _strengths(rules)
    # Without any spread in the class every mean is the class's own.
    finer = [
        share_of(rule, spec) * len(roster) / (layout.n_groups * sd) ** 2 if sd else 0.0
        for rule, (_, sd) in zip(rules, about, strict=True)
    ]
    return Numbers(
        value=np.array(values, np.float64).reshape(len(rules), len(roster)),
        mean=np.array([mean for mean, _ in about], np.float64),
        tolerance=np.array([rule.tolerance * sd for rule, (_, sd) in zip(rules, about, strict=True)], np.float64),
        hard=hard,
        weight=weight,
        finer=np.array(finer, np.float64),
    )


def _ties(rules: Sequence[Rule], roster: Roster, spec: Spec) -> tuple[Ties, float]:
    cost: dict[tuple[int, int], list[float]] = {}
    constant = 0.0
    for rule in rules:
        pairs = pairs_of(rule, roster)
        if rule.verb == "keep_together":
            if rule.hard:  # they are one unit
                continue
            constant += rule.weight * len(pairs)
        extra = share_of(rule, spec) * unit_of(rule, roster, 1)
        for pair, times in pairs.items():
            both = cost.setdefault(pair, [0.0, 0.0])
            both[0] += float(rule.hard)
            both[1] += 0.0 if rule.hard else rule.weight * (-1 if rule.verb == "keep_together" else 1)
            both[1] += extra * (times - 1)
    ends = sorted([(i, j, *c) for (i, j), c in cost.items()] + [(j, i, *c) for (i, j), c in cost.items()])
    ptr = np.searchsorted([end[0] for end in ends], np.arange(len(roster) + 1)).astype(np.int64)
    to = np.array([end[1] for end in ends], np.int32)
    return Ties(
        ptr, to, np.array([e[2] for e in ends], np.float64), np.array([e[3] for e in ends], np.float64)
    ), constant


def _friends(rules: Sequence[Rule], roster: Roster) -> Friends:
    out: list[list[int]] = []
    back: list[list[int]] = []
    for rule in rules:
        friends = friends_of(rule, roster)
        named: list[list[int]] = [[] for _ in friends]
        for i, own in enumerate(friends):
            for j in own:
                named[j].append(i)
        out += friends
        back += named
    return Friends(*_end_to_end(out), *_end_to_end(back), *_strengths(rules))


def _end_to_end(lists: Sequence[Sequence[int]]) -> tuple[Longs, Ints]:
    ptr = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return ptr, np.array([one for several in lists for one in several], np.int32)


def _places(rules: Sequence[Rule], roster: Roster, layout: Layout) -> tuple[Floats, Floats]:
    if not rules:
        return np.empty(0), np.empty(0)
    hard, weight = np.zeros((2, len(roster), layout.n_groups))
    for rule in rules:
        cost = np.full(layout.n_groups, 1.0)
        cost[rule.group - 1 : rule.group] = 0.0
        rows = locked_in(rule, roster)
        (hard if rule.hard else weight)[rows] += cost * (1.0 if rule.hard else rule.weight)
    return hard, weight
