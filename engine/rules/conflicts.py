"""The smallest set of rules that cannot all hold."""

from collections.abc import Callable, Sequence
from itertools import combinations

from engine.domain.rule import Rule

# Up to so many rules every set is looked at, the small ones first.
EXHAUSTIVE = 12

Feasible = Callable[[Sequence[Rule]], bool]


def smallest_conflict(rules: Sequence[Rule], feasible: Feasible) -> tuple[Rule, ...]:
    """The rules of a set that cannot all hold and no fewer of which fail; empty where all can hold.

    `feasible` must be monotone: what some rules allow together, fewer of them allow too. Of up to `EXHAUSTIVE` rules
    it is a set of fewest, the first by id; of more it is irreducible.
    """
    ordered = sorted(rules, key=lambda r: r.rule_id)
    if feasible(ordered):
        return ()
    if len(ordered) > EXHAUSTIVE:
        ordered = _irreducible(ordered, feasible)
        if len(ordered) > EXHAUSTIVE:
            return tuple(ordered)
    for size in range(1, len(ordered)):
        for few in combinations(ordered, size):
            if not feasible(few):
                return few
    return tuple(ordered)


def _irreducible(rules: list[Rule], feasible: Feasible) -> list[Rule]:
    """Leave out one after the other whatever the conflict does not need."""
    needed = list(rules)
    for rule in rules:
        without = [r for r in needed if r is not rule]
        if not feasible(without):
            needed = without
    return needed
