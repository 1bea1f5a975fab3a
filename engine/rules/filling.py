"""Filling the slots of a slate: what rules put in, then the best of the rest within the quotas."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.rules.admission import Admission
from engine.rules.bars import Bars
from engine.rules.matching import Mask
from engine.rules.outcome import Ints, Ranked, Situation
from engine.rules.plan import Demand

Quota = Mapping[int, int]
# Mostly the next one stands near the head of the line; the rest is only looked at where it does not.
_SOON = 64
# More than soft rules could ever be.
_TIER = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Counts by format number: what hard rules ask for, and what all do."""

    least: Quota
    most: Quota
    least_wished: Quota
    most_wished: Quota


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Positions in order, best first after rules had their say; with quotas, first ones or wishes only the free.

    `first` are those a hard rule puts first, `(n,)` over the rows, `wished` those any rule puts first.
    """

    order: Ints
    first: Mask
    wished: Mask


def open_skills(admission: Admission, situation: Situation, *, strength: str | None = None) -> set[str]:
    """The skills that come first and are not mastered yet; what a teacher set counts over what is estimated."""
    found = set()
    for rule in admission.plan.firsts:
        for skill in rule.what.skills if strength in (None, rule.strength) else ():
            told = admission.plan.mastery.get(skill)
            known = told[1] if told else situation.mastery.get(skill, np.nan)
            if not known >= situation.mastered_from:
                found.add(skill)
    return found


def line_of(admission: Admission, ranked: Ranked, bars: Bars, situation: Situation) -> Line:
    """Who stands in line for the slots that are left."""
    n = len(admission.rows)
    if not admission.plan.firsts and not bars.soft:
        nobody = np.zeros(n, bool)
        # Without quotas only the head of the line is looked at: it is not worth clearing it all.
        order = ranked.order[~bars.for_chosen[ranked.order]] if admission.plan.quotas else ranked.order
        return Line(order=order, first=nobody, wished=nobody)
    first, wished = (
        _on(admission, open_skills(admission, situation, strength=strength)) for strength in ("hard", None)
    )
    # One small number for each row: a stable sort of them is a sort by radix.
    rank = np.full(n, 2 * _TIER, np.uint16)
    rank[wished] = _TIER
    rank[first] = 0
    for mask in bars.soft.values():
        rank += mask
    order = ranked.order[~bars.for_chosen[ranked.order]]
    return Line(order=order[np.argsort(rank[order], kind="stable")], first=first, wished=wished)


def quotas_of(admission: Admission, bars: Bars, placed: list[Demand], formats: Ints) -> Quotas:
    """What is asked for of each format, as far as there is so much of it, with what is `placed` on its own account."""
    plan = admission.plan
    sides: dict[tuple[str, bool], dict[int, int]] = {(s, h): {} for s in ("min", "max") for h in (True, False)}
    for (side, name), answers in plan.quotas.items():
        if name in plan.contents.formats:
            number, hard = plan.contents.formats.index(name), answers[0][0].strength == "hard"
            bound = (max if side == "min" else min)(n for _, n in answers)
            sides[side, False][number] = bound
            if hard:
                sides[side, True][number] = bound
    if sides["min", False]:
        there = np.bincount(formats[~bars.for_chosen], minlength=len(plan.contents.formats))
        for demand in placed:
            position = admission.position(demand.row)
            there[formats[position]] += bool(bars.for_chosen[position])
        for hard in (True, False):
            sides["min", hard] = {f: min(n, int(there[f])) for f, n in sides["min", hard].items()}
        most = sides["max", False]
        sides["min", False] = {f: min(n, most.get(f, n)) for f, n in sides["min", False].items()}
    return Quotas(
        least=sides["min", True], most=sides["max", True],
        least_wished=sides["min", False], most_wished=sides["max", False],
    )  # fmt: skip


def filled(chosen: list[int], line: Line, bars: Bars, quotas: Quotas, formats: Ints, k: int) -> list[int]:
    """Positions for all `k` slots: those `chosen` already, then out of the line."""
    slate = list(chosen)
    if not quotas.most_wished and not quotas.least_wished:
        return slate + head(line.order, bars, set(slate), k - len(slate))
    order = line.order
    of_order, free = formats[order], ~np.isin(order, slate)
    hard, all_of_them = (quotas.least, quotas.most), (quotas.least_wished, quotas.most_wished)
    while len(slate) < k:
        counts = Counter(formats[slate].tolist())
        best = _next(of_order, free, [hard], counts, k - len(slate))
        wished = _next(of_order, free, [hard, all_of_them], counts, k - len(slate))
        if best is None:
            break
        if wished is not None and (line.first[order[wished]] or not line.first[order[best]]):
            best = wished
        slate.append(int(order[best]))
        free[best] = False
    return slate


def room_for(counts: Mapping[int, int], least: Quota, most: Quota, slots: int) -> tuple[list[int], list[int] | None]:
    """Which formats are full, and, where all slots left are needed, the only ones that may come; None for any."""
    full = [f for f, n in most.items() if counts.get(f, 0) >= n]
    needs = {f: n - counts.get(f, 0) for f, n in least.items() if n > counts.get(f, 0)}
    return full, list(needs) if sum(needs.values()) >= slots else None


def _next(
    formats: Ints, free: Mask, quotas: Sequence[tuple[Quota, Quota]], counts: Mapping[int, int], slots: int
) -> int | None:
    """The first that is free in the line whose format all of these quotas, least and most, have room for."""
    rooms = [room_for(counts, least, most, slots) for least, most in quotas]
    for part in (slice(_SOON), slice(None)):
        ok, own = free[part].copy(), formats[part]
        for full, needed in rooms:
            for number in full:
                ok &= own != number
            if needed is not None:
                ok &= np.isin(own, needed)
        place = int(np.argmax(ok)) if len(ok) else 0
        if len(ok) and ok[place]:
            return place
    return None


def head(order: Ints, bars: Bars, taken: set[int], n: int) -> list[int]:
    """The first `n` that are free."""
    for part in (order[:_SOON], order):
        free = [p for p in part[~bars.for_chosen[part]].tolist() if p not in taken] if n > 0 else []
        if len(free) >= n:
            break
    return free[: max(n, 0)]


def _on(admission: Admission, skills: set[str]) -> NDArray[np.bool_]:
    """Which rows teach one of the skills."""
    contents = admission.plan.contents
    own = np.zeros(len(contents), bool)
    own[contents.rows("skills", sorted(skills))] = True
    return own[admission.rows]
