"""Invented classes with rules of every verb, and what groupings cost by a second, plain reading of the rules."""

from itertools import combinations

import numpy as np

from engine.collaborators.roster import Roster
from engine.collaborators.spec import Met, Rule, Size, Spec

VERBS = (
    "keep_apart", "keep_together", "balance", "distribute", "cluster", "no_one_alone", "at_least_one", "friends",
    "avoid_repeat", "lock",
)  # fmt: skip


def classroom(rng, n):
    """Columns of each kind, with holes; some learners name friends who left."""
    ids = tuple(f"l{i:03d}" for i in range(n))

    def some(values):
        return tuple(str(v) for v in rng.choice(values, n))

    return Roster(
        ids,
        {
            "gender": some(["f", "m", "m", ""]),
            "major": some(["x", "y", "z", "w", ""]),
            "can_code": some(["y", "n", "n", ""]),
            "gpa": tuple("" if rng.random() < 0.1 else f"{rng.normal(3, 0.5):.2f}" for _ in range(n)),
            "friends": tuple(";".join(rng.choice([*ids, "gone"], int(rng.integers(0, 3)))) for _ in range(n)),
            "best_friend": some([*ids, ""]),
        },
    )


def rule(rng, roster, index, verb, *, hard=None, n_groups=3):
    """One rule about this class."""
    n = len(roster)
    few = [roster.learner_ids[i] for i in rng.choice(n, min(n, int(rng.integers(2, 4))), replace=False)]
    about = {
        "keep_apart": {"learners": tuple(few)},
        "keep_together": {"learners": tuple(few)},
        "lock": {"learners": tuple(few[:1]), "group": int(rng.integers(1, n_groups + 1))},
        "balance": {"by": ("gpa",), "tolerance": float(rng.choice([0.5, 1.0]))},
        "distribute": {"by": ("major",), "values": (() if rng.random() < 0.6 else ("x", "y"))},
        "cluster": {"by": ("major",)},
        "no_one_alone": {"by": ("gender",), "values": (("f",) if rng.random() < 0.7 else ())},
        "at_least_one": {"by": ("can_code",), "values": ("y",)},
        "friends": {"by": ("friends", "best_friend")},
        "avoid_repeat": {"past": past(rng, roster, n_groups)},
    }[verb]
    own = verb in ("keep_apart", "keep_together", "lock")
    strength = own if hard is None else hard
    return Rule(index=index, verb=verb, hard=strength, weight=float(rng.choice([1.0, 2.0, 0.5])), **about)


def past(rng, roster, n_groups):
    rounds = range(int(rng.integers(1, 3)))
    return tuple(Met(str(r), str(rng.integers(n_groups)), learner) for r in rounds for learner in roster.learner_ids)


def spec(rng, roster, n_rules, *, size=None, p_hard=0.3):
    size = size or (Size(3) if rng.random() < 0.6 else Size(2, 4))
    n_groups = max(len(roster) // 3, 1)
    return Spec(
        size,
        tuple(
            rule(rng, roster, i, str(rng.choice(VERBS)), hard=bool(rng.random() < p_hard), n_groups=n_groups)
            for i in range(n_rules)
        ),
    )


def breaks(one, roster, groups, n_groups):
    """How often a grouping breaks a rule, and the finer part, read off the words of docs/groups.md."""
    about = {"keep_apart": _pairs, "keep_together": _pairs, "avoid_repeat": _pairs, "lock": _lock, "friends": _friends}
    return about.get(one.verb, _by_column)(one, roster, groups, n_groups)


def _pairs(one, roster, groups, n_groups):
    row = roster.rows()
    together = {}
    if one.verb == "avoid_repeat":
        for a, b in combinations(one.past, 2):
            if (a.round, a.group) == (b.round, b.group) and {a.learner_id, b.learner_id} <= set(row):
                pair = frozenset((row[a.learner_id], row[b.learner_id]))
                together[pair] = together.get(pair, 0) + 1
    else:
        together = {frozenset((row[a], row[b])): 1 for a, b in combinations(one.learners, 2)}
    same = {pair for pair in together if len({groups[i] for i in pair}) == 1}
    hit = set(together) - same if one.verb == "keep_together" else same
    return len(hit), sum(together[pair] - 1 for pair in hit) / max(sum(together.values()), 1)


def _lock(one, roster, groups, n_groups):
    return sum(groups[roster.rows()[learner]] + 1 != one.group for learner in one.learners), 0.0


def _friends(one, roster, groups, n_groups):
    row, n = roster.rows(), len(roster)
    named = [{row.get(f) for c in one.by for f in roster.columns[c][i].split(";")} - {None, i} for i in range(n)]
    return sum(bool(named[i]) and not any(groups[j] == groups[i] for j in named[i]) for i in range(n)), 0.0


def _by_column(one, roster, groups, n_groups):
    n, texts = len(roster), roster.columns[one.by[0]]
    told = [[texts[i] for i in range(n) if groups[i] == g and texts[i]] for g in range(n_groups)]
    values = sorted(set(texts) - {""})
    share = -(-n // n_groups)
    room = max(n_groups * share * (share - 1) // 2, 1)
    return {
        "balance": _balance, "at_least_one": _at_least_one, "no_one_alone": _alone, "cluster": _cluster,
        "distribute": _spread if one.values else _distribute,
    }[one.verb](one, told, values, (n, room, texts))  # fmt: skip


def _balance(one, told, values, about):
    n, _, texts = about
    known = [float(t) for t in texts if t]
    if not known:
        return 0, 0.0
    mean, sd = float(np.mean(known)), float(np.std(known))
    off = [abs(np.mean([float(t) for t in group]) - mean) if group else 0.0 for group in told]
    finer = float(np.mean(np.square(off))) / sd**2 * n / len(told) if sd else 0.0
    return sum(o > one.tolerance * sd + 1e-9 for o in off), finer


def _at_least_one(one, told, values, about):
    none = [not set(group) & set(one.values) for group in told]
    return sum(x and bool(group) for x, group in zip(none, told, strict=True)), sum(none) / len(told)


def _alone(one, told, values, about):
    parts = [set(one.values)] if one.values else [{v} for v in values]
    return sum(any(sum(v in part for v in group) == 1 for part in parts) for group in told), 0.0


def _cluster(one, told, values, about):
    differ = sum(a != b for group in told for a, b in combinations(group, 2))
    alike = sum(a == b for a, b in combinations(filter(None, about[2]), 2))
    return sum(len(set(group)) > 1 for group in told), (differ + alike - _same(told)) / (about[1] + alike)


def _same(told):
    return sum(a == b for group in told for a, b in combinations(group, 2))


def _distribute(one, told, values, about):
    return sum(len(set(group)) < min(len(group), len(values)) for group in told), _same(told) / about[1]


def _spread(one, told, values, about):
    told = [[v for v in group if v in one.values] for group in told]
    total = {v: about[2].count(v) for v in values if v in one.values}
    uneven = [any(not total[v] // len(told) <= g.count(v) <= -(-total[v] // len(told)) for v in total) for g in told]
    return sum(uneven), _same(told) / about[1]


def plain_cost(roster, told, groups, n_groups):
    """How often hard rules are broken, and the objective."""
    least = min((one.weight for one in told.rules if not one.hard), default=1.0)
    balances = sum(one.verb == "balance" for one in told.rules)
    hard, soft = 0, 0.0
    for one in told.rules:
        broken, finer = breaks(one, roster, groups, n_groups)
        hard += broken * one.hard
        soft += one.weight * (not one.hard) * broken
        soft += least * finer * (0.5 / balances if one.verb == "balance" else 0.25 / (len(told.rules) - balances))
    return hard, soft


def groupings(n, n_groups, low, high, *, alike=True):
    """Every way to fill the groups."""

    def fill(groups):
        if len(groups) == n:
            if all(low <= groups.count(g) <= high for g in range(n_groups)):
                yield groups
            return
        for g in range(min(n_groups, max(groups, default=-1) + 2) if alike else n_groups):
            if groups.count(g) < high:
                yield from fill([*groups, g])

    return fill([])
