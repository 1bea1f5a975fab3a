"""What a teacher's hand on proposed groups says: which pairs they part, and which they put together."""

from collections.abc import Iterable
from datetime import datetime
from itertools import combinations

from engine.domain.grouping import Grouping

# A change counts half after so many days, and pairs that weigh less than this are not worth a rule.
# A pair that is put together once weighs less than one repeat does.
_HALF_LIFE_DAYS, _LEAST, _MOST_PAIRS, _HEAVIEST, _ONCE = 60.0, 0.1, 20, 2.0, 0.5
Pair = tuple[str, str]


def learned(groupings: Iterable[Grouping], now: datetime) -> dict[Pair, float]:
    """Pairs by how much the teacher wants them together, below zero apart; the weightiest twenty, at most two each.

    Who is moved leaves several and joins several: each of these pairs gets its share of the move.
    """
    weight: dict[Pair, float] = {}
    for grouping in groupings:
        if not grouping.proposed:
            continue
        before, after = _pairs(grouping.proposed), _pairs([g.learner_ids for g in grouping.groups])
        placed = {x for group in grouping.proposed for x in group} & {x for g in grouping.groups for x in g.learner_ids}
        age = max((now - grouping.at).total_seconds() / 86_400.0, 0.0)
        for changed, sign in ((before - after, -1.0), (after - before, 1.0)):
            ours = {pair for pair in changed if placed.issuperset(pair)}
            for pair in ours:
                alike = max(sum(x in other for other in ours) for x in pair)
                weight[pair] = weight.get(pair, 0.0) + sign * _ONCE * 0.5 ** (age / _HALF_LIFE_DAYS) / alike
    heavy = {pair: w for pair, w in weight.items() if abs(w) >= _LEAST}
    ranked = sorted(heavy, key=lambda pair: (-abs(heavy[pair]), pair))[:_MOST_PAIRS]
    return {pair: max(min(heavy[pair], _HEAVIEST), -_HEAVIEST) for pair in ranked}


def _pairs(groups: Iterable[Iterable[str]]) -> set[Pair]:
    return {(a, b) for group in groups for a, b in combinations(sorted(set(group)), 2)}
