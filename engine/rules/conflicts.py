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


def conflict_with(rule: Rule, others: Sequence[Rule], feasible: Feasible) -> tuple[Rule, ...]:
    """The smallest conflict that a rule makes with others that can hold together without it; empty where it makes none.

    Where the others quarrel already, those that come first by id are taken to hold.
    """
    holding: list[Rule] = []
    for other in sorted(others, key=lambda r: r.rule_id):
        if other is not rule and feasible([*holding, other]):
            holding.append(other)
    if not feasible([rule]):
        return (rule,)
    conflict = smallest_conflict(holding, lambda some: feasible([*some, rule]))
    return tuple(sorted((*conflict, rule), key=lambda r: r.rule_id)) if conflict else ()


def _irreducible(rules: list[Rule], feasible: Feasible) -> list[Rule]:
    """Leave out one after the other whatever the conflict does not need."""
    needed = list(rules)
    for rule in rules:
        without = [r for r in needed if r is not rule]
        if not feasible(without):
            needed = without
    return needed
