"""What hard rules take out, and what soft ones would rather not show, by this learner's chances, minutes and path."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.rules.admission import Admission
from engine.rules.matching import Mask
from engine.rules.outcome import Floats, Ranked, Situation
from engine.rules.values import band_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Masks over the rows, `(n,)`: `for_all` bars pinned and assigned work too, `for_chosen` what the engine chooses.

    `hard` and `soft`: by rule id what each bars or avoids. `withheld` are rows that wait for a prerequisite.
    """

    for_all: Mask
    for_chosen: Mask
    hard: Mapping[str, Mask]
    soft: Mapping[str, Mask]
    withheld: Mask | None


def bars_of(admission: Admission, ranked: Ranked, situation: Situation) -> Bars:
    """All that bars rows of an admission for this learner now."""
    plan, rows = admission.plan, admission.rows
    hard: dict[str, Mask] = {}
    soft = {part.rule.rule_id: part.mask[rows] for part in plan.avoided}
    for_all = plan.forbidden[rows] if admission.wanted or not admission.own.all() else np.zeros(len(rows), bool)
    for limit, answers in plan.limits.items():
        for rule, minutes in answers if limit != "floor" else ():
            over = over_minutes(ranked.minutes, minutes - situation.spent(limit))
            sort = hard if rule.strength == "hard" else soft
            sort[rule.rule_id] = sort[rule.rule_id] | over if rule.rule_id in sort else over
            for_all = for_all | over if rule.strength == "hard" else for_all
    for_chosen = for_all | ~admission.own
    steering = [(part.rule, outside(ranked.p, part.mask[rows], *band_of(part.rule))) for part in plan.bands]
    steering += [(rule, off_path(admission, situation)) for rule in plan.frozen]
    for rule, mask in steering:
        (hard if rule.strength == "hard" else soft)[rule.rule_id] = mask
        for_chosen = for_chosen | mask if rule.strength == "hard" else for_chosen
    withheld = ranked.unready
    if withheld is not None:
        withheld = withheld & ~plan.waived[rows] if plan.waived is not None else withheld
        for_chosen = for_chosen | withheld
    return Bars(for_all=for_all, for_chosen=for_chosen, hard=hard, soft=soft, withheld=withheld)


def over_minutes(minutes: Floats, left: float) -> Mask:
    """What does not fit by itself into the minutes left; what takes nobody knows how long fits while any are left."""
    return (minutes > left) | (left <= 0)


def outside(p: Floats, counts: Mask, low: float, high: float) -> Mask:
    """What a band counts for and whose chance of success is known to lie outside."""
    return counts & ((p < low) | (p > high))


def off_path(admission: Admission, situation: Situation) -> Mask:
    """What is not on the frozen path; everything where none is known."""
    kept = np.array(sorted(situation.frozen or ()), np.int32)
    return ~np.isin(admission.rows, kept)
