"""What each rule reads off a roster: codes of values, numbers, pairs, friends."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.roster import Roster, listed_in
from engine.collaborators.spec import Rule

COLUMN_VERBS = ("distribute", "cluster", "no_one_alone", "at_least_one")
PAIR_VERBS = ("keep_apart", "keep_together", "avoid_repeat")


def codes_of(rule: Rule, roster: Roster) -> tuple[NDArray[np.int32], int]:
    """What each learner is to the rule, `(n_learners,)`, -1 for nothing, and how many codes there are.

    `no_one_alone` and `at_least_one` take their values for one: 0 is any of them; `at_least_one` has 1 for other known
    values. Otherwise one code for each value, in their order as text.
    """
    column = roster.columns[rule.by[0]]
    if rule.verb == "at_least_one":
        return np.array([-1 if not v else 0 if v in rule.values else 1 for v in column], np.int32), 2
    if rule.verb == "no_one_alone" and rule.values:
        return np.array([0 if v in rule.values else -1 for v in column], np.int32), 1
    known = sorted(set(column) - {""})
    if rule.values:
        known = [value for value in known if value in rule.values]
    code = {value: at for at, value in enumerate(known)}
    return np.array([code.get(value, -1) for value in column], np.int32), len(known)


def shares_of(codes: NDArray[np.int32], n_values: int, n_groups: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The fewest and the most of each value a group has when it is spread evenly, `(n_values,)` each."""
    totals = np.bincount(codes[codes >= 0], minlength=n_values)
    return (totals // n_groups).astype(np.int32), (-(-totals // n_groups)).astype(np.int32)


def pairs_of(rule: Rule, roster: Roster) -> dict[tuple[int, int], int]:
    """The pairs of rows a rule is about, the smaller row first, and how often they have met before (else 1)."""
    rows = roster.rows()
    if rule.verb != "avoid_repeat":
        return dict.fromkeys(_pairs(rows[learner] for learner in rule.learners if learner in rows), 1)
    groups: dict[tuple[str, str], set[int]] = {}
    for met in rule.past:
        if met.learner_id in rows:
            groups.setdefault((met.round, met.group), set()).add(rows[met.learner_id])
    return dict(sorted(Counter(pair for members in groups.values() for pair in _pairs(members)).items()))


def _pairs(rows: Iterable[int]) -> Iterable[tuple[int, int]]:
    return combinations(sorted(set(rows)), 2)


def friends_of(rule: Rule, roster: Roster) -> list[list[int]]:
    """The rows of the friends each learner named who are in the roster; nobody is their own friend."""
    rows = roster.rows()
    named: list[set[int]] = [set() for _ in range(len(roster))]
    for column in rule.by:
        for i, cell in enumerate(roster.columns[column]):
            named[i] |= {rows[one] for one in (cell.strip(), *listed_in(cell)) if one in rows} - {i}
    return [sorted(friends) for friends in named]


def locked_in(rule: Rule, roster: Roster) -> list[int]:
    """The rows a lock holds."""
    rows = roster.rows()
    return sorted(rows[learner] for learner in rule.learners if learner in rows)
