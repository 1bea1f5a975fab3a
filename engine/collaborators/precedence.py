"""Rules that count after all others: weighed so that they choose only among what serves the others equally."""

from dataclasses import replace

from engine.collaborators.counts import BALANCE_SHARE, OTHER_SHARE, share_of, unit_of
from engine.collaborators.reading import pairs_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Spec, layouts_of

# All of them together come to so much of the least step of the others; and weigh no less than so much of the heaviest
# rule, where numbers end: in very large classes they then count less than a break, though not less than what is finer.
_WITHIN, _LEAST = 0.9, 1e-6


def in_order(spec: Spec, roster: Roster) -> Spec:
    """The specification with its rules of `after` weighed down, in their proportions to one another.

    All of them broken together then cost less than one break of another soft rule, and less than one pair of what is
    finer there. Where no other rule is soft they stay as they are. Even means are never quite even: what is finer of a
    balance counts after all.
    """
    first = [rule for rule in spec.rules if not rule.after]
    last = [rule for rule in spec.rules if rule.after]
    layouts = layouts_of(spec.size, len(roster))
    breaks = [rule.weight for rule in first if not rule.hard]
    if not last or not breaks or not layouts:
        return replace(spec, rules=tuple(replace(rule, after=False) for rule in spec.rules))
    steps = [share_of(rule, spec) * unit_of(rule, roster, at.n_groups) for at in layouts for rule in first]
    least = min(rule.weight for rule in last)
    most = max(_most(last, roster, layout) for layout in layouts) + least * (
        OTHER_SHARE + BALANCE_SHARE * layouts[0].high
    )
    down = _WITHIN * min([*breaks, *(step for step in steps if step)]) / most
    if down * least < _LEAST * max(breaks):
        down = max(_WITHIN * min(breaks) / most / 2, _LEAST * max(breaks) / least)
    return replace(
        spec, rules=tuple(replace(r, weight=r.weight * min(down, 1.0)) if r.after else r for r in spec.rules)
    )


def _most(rules: list[Rule], roster: Roster, layout: Layout) -> float:
    """What these rules cost at most, all together."""
    room = len(roster) * (layout.high - 1) / 2
    several = [(rule, len(pairs_of(rule, roster))) for rule in rules]
    return sum(rule.weight * (n if rule.verb == "keep_together" else min(n, room)) for rule, n in several)
