"""Whether hard rules can all hold for what they demand, and what of it is shown where they cannot."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.domain.rule import Rule
from engine.rules.admission import Admission
from engine.rules.bars import Bars
from engine.rules.conflicts import smallest_conflict
from engine.rules.filling import Quota, Quotas, room_for
from engine.rules.outcome import Ints
from engine.rules.plan import BARRING, Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What hard rules demand: each demand with the number of its format and the rules that bar it.

    `bounds`: rule, side, number of the format and count, of hard quotas, a minimum as far as there is so much.
    """

    demands: tuple[Demand, ...]
    formats: tuple[int, ...]
    barred_by: tuple[tuple[Rule, ...], ...]
    bounds: tuple[tuple[Rule, str, int, int], ...]
    k: int

    def can_hold(self, rules: Sequence[Rule]) -> bool:
        """Whether a slate of `k` could keep all of these: monotone, fewer of them can always hold too."""
        ids = {r.rule_id for r in rules}
        counts: dict[int, int] = {}
        for demand, number, barred_by in zip(self.demands, self.formats, self.barred_by, strict=True):
            if any(r.rule_id in ids and r.strength == "hard" for r in demand.rules):
                if any(r.rule_id in ids for r in barred_by):
                    return False
                counts[number] = counts.get(number, 0) + 1
        least: dict[int, int] = {}
        most: dict[int, int] = {}
        for rule, side, number, n in self.bounds:
            if rule.rule_id in ids and side == "min":
                least[number] = max(least.get(number, 0), n)
            elif rule.rule_id in ids:
                most[number] = min(most.get(number, n), n)
        full = any(max(counts.get(f, 0), least.get(f, 0)) > n for f, n in most.items())
        return not full and sum(counts.values()) <= self.k

    def conflict(self) -> tuple[Rule, ...]:
        """The smallest set of rules that cannot all hold; empty where all can."""
        known = [r for d in self.demands for r in d.rules if r.strength == "hard"]
        known += [rule for rule, *_ in self.bounds]
        known += [rule for barred_by in self.barred_by for rule in barred_by]
        return smallest_conflict([*{r.rule_id: r for r in known}.values()], self.can_hold) if known else ()


def meeting_of(admission: Admission, bars: Bars, quotas: Quotas, formats: Ints, k: int) -> Meeting:
    """What hard rules demand of the slate."""
    plan = admission.plan
    demands = tuple(d for d in admission.wanted if d.hard)
    positions = [admission.position(d.row) for d in demands]
    bounds = []
    for (side, name), answers in plan.quotas.items():
        for rule, n in answers:
            if rule.strength == "hard" and name in plan.contents.formats:
                number = plan.contents.formats.index(name)
                bounds.append((rule, side, number, min(n, quotas.least[number]) if side == "min" else n))
    return Meeting(
        demands=demands,
        formats=tuple(int(formats[p]) for p in positions),
        barred_by=tuple(barring(admission, bars, p) for p in positions),
        bounds=tuple(bounds),
        k=k,
    )


def barring(admission: Admission, bars: Bars, position: int) -> tuple[Rule, ...]:
    """The hard rules that bar even pinned work at this position."""
    if not bars.for_all[position]:
        return ()
    plan, row = admission.plan, int(admission.rows[position])
    bits = plan.out.view(np.uint8)[:, row >> 3] & np.uint8(0x80 >> (row & 7))
    found = [rule for rule, bit in zip(plan.bars, bits, strict=True) if bit and rule.verb in BARRING]
    limits = {r.rule_id: r for name, answers in plan.limits.items() if name != "floor" for r, _ in answers}
    over = [rule for x_id, rule in limits.items() if x_id in bars.hard and bars.hard[x_id][position]]
    return (*found, *over)


def fallback(admission: Admission, bars: Bars, most: Quota, formats: Ints, k: int) -> list[Demand]:
    """Of pinned and assigned work what no hard rule forbids, in order, as far as there is room."""
    shown: list[Demand] = []
    counts: dict[int, int] = {}
    for demand in admission.wanted:
        position = admission.position(demand.row)
        number = int(formats[position])
        if len(shown) < k and not bars.for_all[position] and counts.get(number, 0) < most.get(number, k):
            shown.append(demand)
            counts[number] = counts.get(number, 0) + 1
    return shown


def with_wishes(admission: Admission, bars: Bars, quotas: Quotas, formats: Ints, k: int) -> list[Demand]:
    """All hard demands, and the soft ones that leave everything hard its place, in the order of their slots."""
    shown = [d for d in admission.wanted if d.hard]
    counts = Counter(int(formats[admission.position(d.row)]) for d in shown)
    for demand in admission.wanted:
        position = admission.position(demand.row)
        if demand.hard or bars.for_all[position] or len(shown) >= k:
            continue
        number = int(formats[position])
        full, needed = room_for(counts, quotas.least, quotas.most, k - len(shown))
        if number not in full and (needed is None or number in needed):
            shown.append(demand)
            counts[number] += 1
    return shown
