"""What each rule did to a decision, in words, beside the proof that it held."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.domain.decision import RuleHeld
from engine.domain.rule import Rule
from engine.rules.admission import Admission
from engine.rules.bars import Bars
from engine.rules.filling import open_skills
from engine.rules.matching import Mask, Rows
from engine.rules.outcome import Placed, Ranked, Situation
from engine.rules.proof import finished, holds
from engine.rules.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the words are made of: all that the stage knew, and the finished slate with its `rows` of the catalogue.

    `lifted` are the ids of the boosts and demotions on each option of it.
    """

    admission: Admission
    ranked: Ranked
    situation: Situation
    bars: Bars
    slate: tuple[Placed, ...]
    rows: Rows
    conflict: tuple[Rule, ...]
    lifted: tuple[str, ...]
    k: int

    @property
    def positions(self) -> list[int]:
        """The positions shown."""
        return [p.position for p in self.slate]

    def taken_out(self, rule: Rule) -> int:
        """How many candidates a rule takes out by itself."""
        mask = self.bars.hard.get(rule.rule_id)
        n = int(np.count_nonzero(mask & self.admission.own)) if mask is not None else 0
        return n + self.admission.taken_out.get(rule.rule_id, 0)

    def avoided(self, rule: Rule) -> tuple[int, int]:
        """How many candidates a soft rule would rather not show, and how many of the slate are such."""
        mask = self.bars.soft.get(rule.rule_id)
        if mask is None:
            return 0, 0
        return int(np.count_nonzero(mask & self.admission.own)), int(mask[self.positions].sum())

    def shown(self, mask: Mask) -> int:
        """How many of the slate lie in a mask over the catalogue."""
        return sum(mask[self.rows].tolist())


def verdicts_of(told: Told) -> tuple[RuleHeld, ...]:
    """One verdict for each rule that touched the decision, or that did not hold."""
    proof = finished(told.slate, told.admission, told.ranked, told.situation, told.bars.withheld, told.k)
    found = []
    for rule in told.admission.plan.rules:
        held, effect = holds(rule, proof), _EFFECTS[rule.verb](rule, told)
        stands_in_the_way = rule in told.conflict
        if effect or not held or stands_in_the_way:
            else_ = "could not be kept" if not held else "cannot hold beside the others"
            found.append(RuleHeld(rule_id=rule.rule_id, held=held, effect=effect or else_, verb=rule.verb))
    return tuple(found)


def _of_bar(rule: Rule, told: Told) -> str:
    if rule.strength == "soft":
        return _of_wish(rule, told)
    n = told.taken_out(rule)
    return f"took out {counted(n, 'resource')}" if n else ""


def _of_wish(rule: Rule, told: Told) -> str:
    n, shown = told.avoided(rule)
    if not n and not shown:
        return ""
    return f"put {counted(n, 'resource')} last" + (f"; {shown} of them shown for want of others" if shown else "")


def _of_band(rule: Rule, told: Told) -> str:
    mask = next((part.mask for part in told.admission.plan.bands if part.rule is rule), None)
    said = _of_bar(rule, told)
    if mask is None:
        return said
    unknown = int((mask[told.rows] & np.isnan(told.ranked.p[told.positions])).sum()) if told.slate else 0
    told_so = f"of {unknown} shown the chance of success is not known" if unknown else ""
    return "; ".join(words for words in (said, told_so) if words)


def _of_limit(rule: Rule, told: Told) -> str:
    said = _of_bar(rule, told)
    if not said:
        return ""
    lefts = [
        f"{max(minutes - told.situation.spent(name), 0):.0f} minutes left {'today' if name == 'day' else 'this week'}"
        for name, answers in told.admission.plan.limits.items()
        for own, minutes in answers
        if own is rule and name != "floor"
    ]
    return f"{said}; {' and '.join(lefts)}"


def _of_demand(rule: Rule, told: Told) -> str:
    contents, absent = told.admission.plan.contents, {d.resource_id for d in told.admission.absent}
    put = [contents.title(int(told.admission.rows[p.position])) for p in told.slate if rule.rule_id in p.rule_ids]
    mine = {d.resource_id for d in told.admission.wanted if rule in d.rules}
    left_out = len(mine) - len(put)
    gone = len(absent.intersection(rule.what.resources))
    words = [
        ("assigned: " if rule.verb == "assign" else "put in first: ") + ", ".join(f"“{t}”" for t in put) if put else "",
        f"{counted(left_out, 'resource')} could not be shown" if left_out else "",
        f"{counted(gone, 'resource')} not on offer now" if gone else "",
    ]
    return "; ".join(w for w in words if w)


def _of_first(rule: Rule, told: Told) -> str:
    names = sorted(open_skills(told.admission, told.situation).intersection(rule.what.skills))
    if not names:
        return ""
    contents = told.admission.plan.contents
    mask = np.zeros(len(contents), bool)
    mask[contents.rows("skills", names)] = True
    n = told.shown(mask)
    return f"put first {n} of {len(told.slate)}" if n else f"nothing is left on {', '.join(names)}"


def _of_lift(rule: Rule, told: Told) -> str:
    n = told.admission.lifted.get(rule.rule_id, 0)
    if not n:
        return ""
    way = "raised" if rule.verb == "boost" else "lowered"
    return f"{way} {counted(n, 'resource')}, {told.lifted.count(rule.rule_id)} of them shown"


def _of_quotas(rule: Rule, told: Told) -> str:
    contents = told.admission.plan.contents
    shown = [contents.formats[number] for number in contents.format_index[told.rows]]
    parts = [
        f"{shown.count(name)} {name} of at {'least' if side == 'min' else 'most'} {n}"
        for (side, name), answers in told.admission.plan.quotas.items()
        for own, n in answers
        if own is rule
    ]
    return ", ".join(parts)


def _of_waiver(rule: Rule, told: Told) -> str:
    if told.ranked.unready is None or told.admission.plan.waived is None:
        return ""
    mask = told.admission.plan.contents.mask(rule.what)[told.admission.rows]
    n = int(np.count_nonzero(mask & told.ranked.unready))
    return f"let in {counted(n, 'resource')} that would wait" if n else ""


def _of_mastery(rule: Rule, told: Told) -> str:
    names = [skill for skill, (own, _) in told.admission.plan.mastery.items() if own is rule]
    return f"counts {', '.join(sorted(names))} as known to {float(str(rule.value)):.0%}" if names else ""


_EFFECTS: dict[str, Callable[[Rule, Told], str]] = {
    "pin": _of_demand,
    "assign": _of_demand,
    "hide": _of_bar,
    "only": _of_bar,
    "freeze_path": _of_bar,
    "require_first": _of_first,
    "waive_prerequisite": _of_waiver,
    "boost": _of_lift,
    "demote": _of_lift,
    "success_band": _of_band,
    "cap_minutes": _of_limit,
    "pace_bounds": _of_limit,
    "formats": _of_quotas,
    "set_mastery": _of_mastery,
}
