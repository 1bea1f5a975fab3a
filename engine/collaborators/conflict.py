"""Which hard rules cannot all hold: a smallest set, of which any one may be given up."""

from dataclasses import dataclass
from itertools import combinations

from engine.collaborators.feasible import Left, verdict_on
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Spec

_PAIRS_OF = 12


@dataclass(frozen=True, slots=True)
class Conflict:
    """The indexes of hard rules that cannot all hold; without any one of them the others can.

    Empty where the sizes alone are impossible. `proved`: nothing was left undecided.
    """

    rules: tuple[int, ...]
    proved: bool


def conflict_of(roster: Roster, spec: Spec, left: Left) -> Conflict:
    """The conflict of rules known not to hold together: one rule, else two, else what cannot be made smaller."""
    hard = [rule for rule in spec.rules if rule.hard]
    proved, known = True, {tuple(hard): True}

    def impossible(rules: tuple[Rule, ...]) -> bool:
        nonlocal proved
        if rules in known:
            return known[rules]
        verdict = verdict_on(roster, Spec(spec.size, rules), left, first=True)
        proved &= bool(verdict.kept) or not verdict.possible
        known[rules] = not verdict.kept and not verdict.possible
        return known[rules]

    for size in (0, 1, 2) if len(hard) <= _PAIRS_OF else (0, 1):
        for rules in combinations(hard, size):
            if impossible(rules):
                return Conflict(tuple(rule.index for rule in rules), proved)
    needed = list(hard)
    for rule in hard:
        without = [other for other in needed if other is not rule]
        if impossible(tuple(without)):
            needed = without
    return Conflict(tuple(rule.index for rule in needed), proved)
