"""Which hard rules cannot all hold: a smallest set, of which any one may be given up."""

from dataclasses import dataclass
from itertools import combinations

from engine.collaborators.feasible import Left, other_size_holds, verdict_on
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Spec

_PAIRS_OF = 12
Rules = tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """The indexes of hard rules that cannot all hold; without any one of them the others can.

    Empty where the sizes alone are impossible. `proved`: that the others can was found for each of them; else fewer may
    be enough, and there was no time to find out. `sized`: in groups of another size they can hold.
    """

    rules: tuple[int, ...]
    proved: bool
    sized: bool = False


def conflict_of(roster: Roster, spec: Spec, left: Left) -> Conflict:
    """The conflict of rules known not to hold together: one rule, else two, else what cannot be made smaller."""
    search = _Conflicts(roster, spec, left)
    rules = search.smallest()
    proved = all(search.can_hold(tuple(other for other in rules if other is not rule)) for rule in rules)
    sized = bool(rules) and other_size_holds(roster, rules, left)
    return Conflict(tuple(rule.index for rule in rules), proved, sized)


class _Conflicts:
    """What was found out of sets of hard rules, each asked about once."""

    def __init__(self, roster: Roster, spec: Spec, left: Left) -> None:
        self.roster, self.spec, self.left = roster, spec, left
        self.hard = tuple(rule for rule in spec.rules if rule.hard)
        # Of each set whether it can hold; None where that was not decided.
        self.known: dict[Rules, bool | None] = {self.hard: False}

    def smallest(self) -> Rules:
        for size in (0, 1, 2) if len(self.hard) <= _PAIRS_OF else (0, 1):
            for rules in combinations(self.hard, size):
                if self._asked(rules) is False:
                    return rules
        needed = self.hard
        for rule in self.hard:
            without = tuple(other for other in needed if other is not rule)
            if self._asked(without) is False:
                needed = without
        return needed

    def can_hold(self, rules: Rules) -> bool:
        """Whether these are known to hold together, because they or more of them were found to."""
        return any(held and set(rules) <= set(more) for more, held in self.known.items())

    def _asked(self, rules: Rules) -> bool | None:
        if rules not in self.known:
            verdict = verdict_on(self.roster, Spec(self.spec.size, rules), self.left, first=True)
            self.known[rules] = True if verdict.kept else None if verdict.possible else False
        return self.known[rules]
