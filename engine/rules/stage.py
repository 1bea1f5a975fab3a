"""The last stage: nothing leaves without passing it, and it says of each rule what it did and whether it held."""

from collections.abc import Sequence

import numpy as np

from engine.domain.rule import Rule
from engine.rules.admission import Admission
from engine.rules.bars import Bars, bars_of
from engine.rules.conflicts import smallest_conflict
from engine.rules.filling import Line, filled, head, line_of, quotas_of
from engine.rules.matching import Mask
from engine.rules.meeting import fallback, meeting_of, with_wishes
from engine.rules.outcome import Outcome, Placed, Ranked, Situation
from engine.rules.plan import Demand
from engine.rules.told import Told, verdicts_of
from engine.rules.words import listed


def decided(admission: Admission, ranked: Ranked, situation: Situation, *, k: int, bars: Bars | None = None) -> Outcome:
    """The slate of at most `k` under the rules, whatever made the order; `bars` where they are known already.

    Pinned work comes first, then assigned work, then what must come first, then the best of the rest, within quotas.
    Where hard rules cannot all hold, only pinned and assigned work is shown that none of them forbids.
    """
    formats = admission.plan.contents.format_index[admission.rows].astype(np.int64)
    bars = bars or bars_of(admission, ranked, situation)
    possible = [d for d in admission.wanted if not bars.for_all[admission.position(d.row)]]
    quotas = quotas_of(admission, bars, possible, formats)
    conflict = meeting_of(admission, bars, quotas, formats, k).conflict()
    line = line_of(admission, ranked, bars, situation)
    if conflict:
        shown = fallback(admission, bars, quotas.most, formats, k)
        chosen = [admission.position(d.row) for d in shown]
    else:
        wishes = any(not d.hard for d in possible)
        if wishes:
            quotas = quotas_of(admission, bars, [d for d in possible if d.hard], formats)
        shown = with_wishes(admission, bars, quotas, formats, k)
        if wishes:
            quotas = quotas_of(admission, bars, shown, formats)
        chosen = filled([admission.position(d.row) for d in shown], line, bars, quotas, formats, k)
    slate = _slate(chosen, shown, line, _unruled(ranked, bars, k))
    nothing = () if slate or conflict else _nothing_left(admission, bars)
    rows = admission.rows[np.array(chosen, np.int64)]
    told = Told(
        admission=admission,
        ranked=ranked,
        situation=situation,
        bars=bars,
        slate=slate,
        rows=rows,
        conflict=tuple(conflict or nothing),
        lifted=tuple([rule.rule_id for row in rows.tolist() for rule, _ in admission.plan.lifting(row)]),
        k=k,
    )
    return Outcome(
        slate=slate,
        verdicts=verdicts_of(told),
        conflict=tuple(r.rule_id for r in conflict or nothing),
        message=_message(admission, conflict, nothing, bool(slate)),
    )


def _unruled(ranked: Ranked, bars: Bars, k: int) -> set[int]:
    """What the order alone would show of what may be shown."""
    return set(head(ranked.order, bars, set(), k))


def _slate(chosen: list[int], demands: Sequence[Demand], line: Line, unruled: set[int]) -> tuple[Placed, ...]:
    slate = []
    for slot, position in enumerate(chosen):
        moved = position not in unruled
        if slot < len(demands):
            demand = demands[slot]
            assigned = any(r.verb == "assign" for r in demand.rules)
            slate.append(
                Placed(
                    position=position, origin="teacher", status="assigned" if assigned else "required",
                    due=demand.due if assigned else None, rule_ids=tuple(r.rule_id for r in demand.rules), moved=moved,
                )
            )  # fmt: skip
        else:
            by_rule = moved or bool(line.wished[position])
            slate.append(Placed(position=position, origin="rule" if by_rule else "model", moved=moved))
    return tuple(slate)


def _nothing_left(admission: Admission, bars: Bars) -> tuple[Rule, ...]:
    """The smallest set of rules that together take out every candidate; empty where it is not for rules alone."""
    plan, candidates = admission.plan, np.flatnonzero(admission.candidates)
    by_id = {r.rule_id: r for r in plan.rules}
    outs: dict[str, Mask] = {}
    for rule, words in zip(plan.bars, plan.out, strict=True):
        outs[rule.rule_id] = np.unpackbits(words.view(np.uint8), count=len(plan.contents)).astype(bool)[candidates]
    for x_id, mask in bars.hard.items():
        full = np.zeros(len(plan.contents), bool)
        full[admission.rows] = mask
        outs[x_id] = outs[x_id] | full[candidates] if x_id in outs else full[candidates]
    if not len(candidates) or not outs:
        return ()
    # Candidates that the same rules take out are one.
    patterns = np.unique(np.array([*outs.values()]), axis=1)
    place = {x_id: k for k, x_id in enumerate(outs)}

    def leaves_some(rules: Sequence[Rule]) -> bool:
        taken = patterns[[place[r.rule_id] for r in rules]]
        return bool((~taken.any(axis=0)).any()) if rules else True

    return smallest_conflict([by_id[x_id] for x_id in outs], leaves_some)


def _message(admission: Admission, conflict: Sequence[Rule], nothing: Sequence[Rule], shown: bool) -> str | None:
    if not conflict and not nothing:
        return None
    titles = _titles(admission, (*conflict, *nothing))
    if conflict:
        so = "Only what none of them forbids is shown" if shown else "Nothing is shown"
        return f"These rules cannot all hold: {listed(conflict, titles)}. {so}; end one of them or make it soft."
    return f"The rules leave nothing to show just now: {listed(nothing, titles)}."


def _titles(admission: Admission, rules: Sequence[Rule]) -> dict[str, str]:
    contents = admission.plan.contents
    named = (x_id for rule in rules for x_id in rule.what.resources)
    return {x_id: contents.title(row) for x_id in named if (row := contents.resource_map.row(x_id)) >= 0}
