"""How often a grouping breaks each rule, by group, and what that comes to: the definitions the solver is held to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.reading import COLUMN_VERBS, codes_of, friends_of, locked_in, pairs_of, shares_of
from engine.collaborators.roster import Roster, numbers_of
from engine.collaborators.spec import Rule, Spec

# What is finer than whole breaks decides between groupings that break as many: so much of the least break, all balances
# together where groups are as uneven as chance makes them, and all other rules together at most.
BALANCE_SHARE, OTHER_SHARE = 0.5, 0.25
# A mean on the edge of the tolerance is within it.
CLOSE = 1e-9
Groups = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Count:
    """How a rule fares: `broken` of `of`, where; `finer` in about [0, 1]; `means` and `spread` where it balances.

    `finer` of a balance is the mean square of the distances of group means, 1 where it is what chance makes it.
    `by_group`: one count for each group; a pair kept apart from one another counts in both its groups. `spread`: the
    standard deviation of the group means; `reach`: how far a mean may be from the class's; in the column's own unit.
    """

    rule: Rule
    broken: int
    of: int
    by_group: tuple[int, ...]
    finer: float = 0.0
    means: tuple[float | None, ...] = ()
    mean: float | None = None
    spread: float | None = None
    reach: float = 0.0


def counts_of(roster: Roster, spec: Spec, groups: Groups, n_groups: int) -> list[Count]:
    """How each rule fares in a grouping, `(n_learners,)` of group numbers from 0."""
    return [count_of(rule, roster, groups, n_groups) for rule in spec.rules]


def count_of(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    """How one rule fares."""
    if rule.verb == "balance":
        return _balance(rule, roster, groups, n_groups)
    if rule.verb in COLUMN_VERBS:
        return _column(rule, roster, groups, n_groups)
    others: dict[str, Callable[[Rule, Roster, Groups, int], Count]] = {"friends": _friends, "lock": _lock}
    return others.get(rule.verb, _pairs)(rule, roster, groups, n_groups)


def objective_of(counts: Sequence[Count], spec: Spec) -> float:
    """What is to be small: weights times breaks of soft rules, and of every rule what is finer than whole breaks."""
    return weighted_broken(counts) + sum(share_of(count.rule, spec) * count.finer for count in counts)


def weighted_broken(counts: Sequence[Count]) -> float:
    """Weights times breaks of soft rules."""
    return float(sum(count.rule.weight * count.broken for count in counts if not count.rule.hard))


def hard_broken(counts: Sequence[Count]) -> int:
    """How often hard rules are broken."""
    return sum(count.broken for count in counts if count.rule.hard)


def share_of(rule: Rule, spec: Spec) -> float:
    """What a `finer` of 1 counts: a share of the least weight of a soft rule.

    Balances are never quite even, so theirs is a share of the least of all, also of rules that count after the others.
    """
    if rule.verb == "balance":
        return BALANCE_SHARE / sum(other.verb == "balance" for other in spec.rules) * least_weight(spec)
    alike = tuple(other for other in spec.rules if other.after == rule.after)
    return OTHER_SHARE / sum(other.verb != "balance" for other in alike) * least_weight(Spec(spec.size, alike))


def unit_of(rule: Rule, roster: Roster, n_groups: int) -> float:
    """What one pair, group or meeting is of a rule's `finer`; 0 where it has none, or none that is counted."""
    if rule.verb == "at_least_one":
        return 1.0 / n_groups
    if rule.verb == "avoid_repeat":
        return 1.0 / max(sum(pairs_of(rule, roster).values()), 1)
    if rule.verb not in ("distribute", "cluster"):
        return 0.0
    alike = alike_in(*codes_of(rule, roster)) if rule.verb == "cluster" else 0
    return 1.0 / (room_of(len(roster), n_groups) + alike)


def alike_in(codes: NDArray[np.int32], n_values: int) -> int:
    """The pairs of one value in the class."""
    return sum(comb(int(total), 2) for total in np.bincount(codes[codes >= 0], minlength=n_values))


def least_weight(spec: Spec) -> float:
    """The least weight of a soft rule; 1 where there is none."""
    return min((rule.weight for rule in spec.rules if not rule.hard), default=1.0)


def room_of(n: int, n_groups: int) -> int:
    """The pairs within groups, of which same or different values are a share."""
    return max(n_groups * comb(-(-n // n_groups), 2), 1)


def class_of(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation of the known numbers; (0, 0) where none is."""
    known = numbers[~np.isnan(numbers)]
    return (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)


def _balance(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    numbers = numbers_of(roster, rule.by[0])
    known = ~np.isnan(numbers)
    mean, sd = class_of(numbers)
    n_known = np.bincount(groups[known], minlength=n_groups)
    sums = np.bincount(groups[known], weights=numbers[known], minlength=n_groups)
    means = np.divide(sums, n_known, out=np.full(n_groups, np.nan), where=n_known > 0)
    off = np.nan_to_num(means - mean)
    broken = np.abs(off) > rule.tolerance * sd + CLOSE
    told = means[n_known > 0]
    return Count(
        rule,
        int(broken.sum()),
        n_groups,
        tuple(int(b) for b in broken),
        finer=float((off**2).sum() / sd**2) * len(roster) / n_groups**2 if sd else 0.0,
        means=tuple(None if np.isnan(m) else float(m) for m in means),
        mean=mean if known.any() else None,
        spread=float(told.std()) if len(told) else None,
        reach=rule.tolerance * sd,
    )


def _column(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    codes, n_values = codes_of(rule, roster)
    table = np.zeros((n_groups, max(n_values, 1)), np.int64)
    np.add.at(table, (groups[codes >= 0], codes[codes >= 0]), 1)
    known, distinct = table.sum(1), (table > 0).sum(1)
    same, room = (table * (table - 1) // 2).sum(1), room_of(len(roster), n_groups)
    finer = 0.0
    if rule.verb == "distribute":
        few, most = shares_of(codes, n_values, n_groups)
        uneven = ((table[:, :n_values] < few) | (table[:, :n_values] > most)).any(1)
        broken = uneven if rule.values else distinct < np.minimum(known, n_values)
        finer = float(same.sum()) / room
    elif rule.verb == "cluster":
        alike = alike_in(codes, n_values)
        differ = int((known * (known - 1) // 2 - same).sum())
        broken, finer = distinct > 1, (differ + alike - int(same.sum())) / (room + alike)
    elif rule.verb == "no_one_alone":
        broken = (table == 1).any(1)
    else:
        broken, finer = (table[:, 0] == 0) & (known > 0), float((table[:, 0] == 0).mean())
    return Count(rule, int(broken.sum()), n_groups, tuple(int(b) for b in np.asarray(broken)), finer=finer)


def _pairs(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    pairs = pairs_of(rule, roster)
    by_group = [0] * n_groups
    broken = extra = 0
    for (i, j), times in pairs.items():
        if (groups[i] == groups[j]) == (rule.verb == "keep_together"):
            continue
        broken += 1
        extra += times - 1
        for g in {int(groups[i]), int(groups[j])}:
            by_group[g] += 1
    return Count(rule, broken, len(pairs), tuple(by_group), finer=extra / max(sum(pairs.values()), 1))


def _friends(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    friends = friends_of(rule, roster)
    left = [i for i, named in enumerate(friends) if named and not (groups[named] == groups[i]).any()]
    by_group = np.bincount(groups[left], minlength=n_groups)
    return Count(rule, len(left), sum(bool(named) for named in friends), tuple(int(n) for n in by_group))


def _lock(rule: Rule, roster: Roster, groups: Groups, n_groups: int) -> Count:
    rows = locked_in(rule, roster)
    astray = groups[rows][groups[rows] != rule.group - 1]
    return Count(rule, len(astray), len(rows), tuple(int(n) for n in np.bincount(astray, minlength=n_groups)))


def numbered(groups: Groups, spec: Spec, n_groups: int) -> Groups:
    """The same grouping with its numbers in the order of first members, so that equal groupings are equal.

    A group that a lock names keeps its number; the others take the numbers that are left.
    """
    named = {rule.group - 1 for rule in spec.rules if rule.verb == "lock" and rule.learners}
    free = iter([g for g in range(n_groups) if g not in named])
    number = {g: g for g in named}
    for g in groups.tolist():
        if g not in number:
            number[g] = next(free)
    return np.array([number[g] for g in groups.tolist()], np.int32)


def parted(groups: Groups) -> bytes:
    """Who is with whom, whatever the numbers of the groups: equal where the parts are."""
    first: dict[int, int] = {}
    return np.array([first.setdefault(g, len(first)) for g in groups.tolist()], np.int32).tobytes()
