"""How often a rule must be broken whatever the grouping: bounds by counting, one rule at a time."""

from collections.abc import Callable
from math import comb

import numpy as np

from engine.collaborators.counts import share_of, unit_of
from engine.collaborators.reading import codes_of, locked_in, pairs_of
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Rule, Spec


def bound_of(roster: Roster, spec: Spec, layout: Layout) -> float:
    """No grouping of this layout has a smaller objective."""
    broken = sum(rule.weight * least_broken(rule, roster, layout) for rule in spec.rules if not rule.hard)
    return float(broken) + least_finer(roster, spec, layout)


def least_finer(roster: Roster, spec: Spec, layout: Layout) -> float:
    """So much of the objective is finer than breaks in every grouping of this layout."""
    finer = {"cluster": _least_apart, "distribute": _least_alike}
    return float(sum(share_of(r, spec) * finer[r.verb](r, roster, layout) for r in spec.rules if r.verb in finer))


def least_broken(rule: Rule, roster: Roster, layout: Layout) -> int:
    """No grouping of this layout breaks the rule less often; 0 where counting says nothing."""
    verbs: dict[str, Callable[[Rule, Roster, Layout], int]] = {
        "keep_apart": _apart,
        "keep_together": _together,
        "lock": _lock,
        "distribute": _distribute,
        "cluster": _cluster,
        "no_one_alone": _alone,
        "at_least_one": _at_least_one,
        "avoid_repeat": _repeats,
    }
    return verbs[rule.verb](rule, roster, layout) if rule.verb in verbs else 0


def _apart(rule: Rule, roster: Roster, layout: Layout) -> int:
    """Spread as evenly as they can be, so many still share a group."""
    share, more = divmod(len(locked_in(rule, roster)), layout.n_groups)
    return more * comb(share + 1, 2) + (layout.n_groups - more) * comb(share, 2)


def _together(rule: Rule, roster: Roster, layout: Layout) -> int:
    full, rest = divmod(len(locked_in(rule, roster)), layout.high)
    return comb(full * layout.high + rest, 2) - full * comb(layout.high, 2) - comb(rest, 2)


def _lock(rule: Rule, roster: Roster, layout: Layout) -> int:
    held = len(locked_in(rule, roster))
    return held if rule.group > layout.n_groups else max(held - layout.high, 0)


def _distribute(rule: Rule, roster: Roster, layout: Layout) -> int:
    """So many groups without a repeat need as many different values, and no value serves one group twice."""
    if rule.values:
        return 0
    codes, n_values = codes_of(rule, roster)
    totals, unknown = np.bincount(codes[codes >= 0], minlength=n_values), int((codes < 0).sum())
    needed = min(layout.low, n_values)
    for whole in range(layout.n_groups, 0, -1):
        if int(np.minimum(totals, whole).sum()) + unknown >= whole * needed:
            return layout.n_groups - whole
    return layout.n_groups


def _cluster(rule: Rule, roster: Roster, layout: Layout) -> int:
    """Groups of one value, the remainders filled up with learners whose value is unknown."""
    codes, n_values = codes_of(rule, roster)
    totals, unknown = np.bincount(codes[codes >= 0], minlength=n_values), int((codes < 0).sum())
    pure = int((totals // layout.low).sum())
    for lacking in sorted((layout.low - totals % layout.low).tolist()):
        if lacking > unknown:
            break
        pure, unknown = pure + 1, unknown - lacking
    return max(layout.n_groups - pure - unknown // layout.low, 0)


def _least_apart(rule: Rule, roster: Roster, layout: Layout) -> float:
    """What is finer of a cluster at least: pairs of one value for which there is no room in one group.

    Where all values are known, the pairs there must be in groups that are of one value in none are of two.
    """
    codes, n_values = codes_of(rule, roster)
    totals: list[int] = np.bincount(codes[codes >= 0], minlength=n_values).tolist()
    together = sum(t // layout.high * comb(layout.high, 2) + comb(t % layout.high, 2) for t in totals)
    needed = 0 if (codes < 0).any() else _pairs_at_least(len(roster), layout)
    least = max(needed - together, 0) + sum(comb(t, 2) for t in totals) - together
    return least * unit_of(rule, roster, layout.n_groups)


def _least_alike(rule: Rule, roster: Roster, layout: Layout) -> float:
    """What is finer of a distribute at least: pairs there are where every value is spread evenly over the groups."""
    codes, n_values = codes_of(rule, roster)
    totals: list[int] = np.bincount(codes[codes >= 0], minlength=n_values).tolist()
    least = sum(_pairs_at_least(total, layout) for total in totals)
    return least * unit_of(rule, roster, layout.n_groups)


def _alone(rule: Rule, roster: Roster, layout: Layout) -> int:
    """A value only one learner has leaves them alone somewhere."""
    codes, n_values = codes_of(rule, roster)
    only = int((np.bincount(codes[codes >= 0], minlength=n_values) == 1).sum())
    return -(-only // layout.high)


def _at_least_one(rule: Rule, roster: Roster, layout: Layout) -> int:
    codes, _ = codes_of(rule, roster)
    return max(layout.n_groups - int((codes == 0).sum()) - int((codes < 0).sum()) // layout.low, 0)


def _repeats(rule: Rule, roster: Roster, layout: Layout) -> int:
    """Pairs there must be in groups as even as can be, less those who have not met."""
    needed = _pairs_at_least(len(roster), layout)
    return max(needed - (comb(len(roster), 2) - len(pairs_of(rule, roster))), 0)


def _pairs_at_least(n: int, layout: Layout) -> int:
    """The pairs in groups that are as even as can be."""
    share, more = divmod(n, layout.n_groups)
    return more * comb(share + 1, 2) + (layout.n_groups - more) * comb(share, 2)
