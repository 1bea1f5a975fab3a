"""Whether a rule held in a finished slate, from its definition alone: resource by resource, without compiled masks."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from engine.domain.resource import Resource
from engine.domain.rule import Rule
from engine.rules.admission import Admission, done
from engine.rules.matching import Mask, fits
from engine.rules.outcome import Placed, Ranked, Situation
from engine.rules.plan import MOST_KEPT, Plan
from engine.rules.scope import counting
from engine.rules.values import band_of, lift_of, named_of, quotas_of

_CLOSE = 1e-9
_OF_MINUTES = ("cap_minutes", "pace_bounds")
Answer = TypeVar("Answer")


class Shown(msgspec.Struct, frozen=True):
    """One option as it is shown: the resource, its row, chance, minutes, what rules added, and who put it there.

    `under` are the ids of the rules in force that speak of the resource.
    """

    resource: Resource
    row: int
    under: frozenset[str]
    p: float
    minutes: float
    added: float
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A finished slate, the rules in force, and what could have been shown instead.

    `speaking` are the ids of the rules that speak of any option, `of_all` of those that speak of every one. `unlifted`
    are those of an option to whose score less or more was added than rules ask for.
    """

    slate: tuple[Shown, ...]
    rules: tuple[Rule, ...]
    situation: Situation
    admission: Admission
    ranked: Ranked
    withheld: Mask | None
    k: int
    limits: Mapping[tuple[str, str], list[tuple[Rule, float]]]
    quotas: Mapping[tuple[str, str], list[tuple[Rule, int]]]
    speaking: frozenset[str] = frozenset()
    of_all: frozenset[str] | None = None
    unlifted: frozenset[str] = frozenset()

    @property
    def chosen(self) -> list[Shown]:
        """What the engine chose, without pinned and assigned work."""
        return [s for s in self.slate if s.status == "recommended"]

    def left_out(self, rows: Iterable[int]) -> Iterator[Shown]:
        """Of these rows the candidates that are not shown, though no hard rule bars them."""
        shown = {s.row for s in self.slate}
        for row in rows:
            place = int(self.admission.rows.searchsorted(row))
            if place == len(self.admission.rows) or self.admission.rows[place] != row or row in shown:
                continue
            option = _shown(self.admission, self.ranked, place, "recommended")
            waits = self.withheld is not None and bool(self.withheld[place])
            if self.admission.candidates[row] and not waits and all(_may(r, option, self) for r in self.rules):
                yield option

    def n(self, format_: str) -> int:
        """How many of a format are shown."""
        return sum(s.resource.format == format_ for s in self.slate)


def finished(
    slate: Sequence[Placed], admission: Admission, ranked: Ranked, situation: Situation, withheld: Mask | None, k: int
) -> Finished:
    """The finished slate as the proof sees it."""
    rules = admission.plan.rules
    shown = tuple([_shown(admission, ranked, p.position, p.status) for p in slate])
    under = [s.under for s in shown]
    return Finished(
        slate=shown,
        rules=rules,
        situation=situation,
        admission=admission,
        ranked=ranked,
        withheld=withheld,
        k=k,
        limits=_standing(
            ((r.verb, limit), r, m) for r in rules if r.verb in _OF_MINUTES for limit, m in named_of(r).items()
        ),
        quotas=_standing((asked, r, n) for r in rules if r.verb == "formats" for asked, n in quotas_of(r).items()),
        speaking=frozenset().union(*under),
        of_all=under[0].intersection(*under[1:]) if under else None,
        unlifted=frozenset().union(*[s.under for s in shown if not _is_lifted(s, admission.plan, ranked.scale)]),
    )


def _standing(
    answers: Iterable[tuple[tuple[str, str], Rule, Answer]],
) -> dict[tuple[str, str], list[tuple[Rule, Answer]]]:
    """By question the answers that count."""
    asked: dict[tuple[str, str], list[tuple[Rule, Answer]]] = {}
    for question, rule, answer in answers:
        asked.setdefault(question, []).append((rule, answer))
    return {question: counting(found) for question, found in asked.items()}


def holds(rule: Rule, proof: Finished) -> bool:
    """Whether a rule held."""
    return _PROOFS[rule.verb](rule, proof)


def _shown(admission: Admission, ranked: Ranked, position: int, status: str) -> Shown:
    row = int(admission.rows[position])
    resource = admission.plan.contents.resources[row]
    assert resource is not None
    added = 0.0 if ranked.added is None else float(ranked.added[position])
    under = _under(admission.plan, row, resource)
    return Shown(resource, row, under, float(ranked.p[position]), float(ranked.minutes[position]), added, status)


def _under(plan: Plan, row: int, resource: Resource) -> frozenset[str]:
    """The rules that speak of a resource, each by its definition: asked once, as neither changes under a plan."""
    if row not in plan.under:
        if len(plan.under) >= MOST_KEPT:
            plan.under.clear()
        plan.under[row] = frozenset(r.rule_id for r in plan.rules if fits(r.what, resource))
    return plan.under[row]


def _may(rule: Rule, option: Shown, proof: Finished) -> bool:
    """Whether a hard rule lets the engine choose this option."""
    if rule.strength == "soft":
        return True
    if rule.verb in ("hide", "only"):
        return (rule.rule_id in option.under) == (rule.verb == "only")
    if rule.verb == "freeze_path":
        return _on_path(rule, option, proof)
    if rule.verb == "success_band":
        return _inside(rule, option, proof)
    return rule.verb not in _OF_MINUTES or _in_time(rule, option, proof)


def _hidden(rule: Rule, proof: Finished) -> bool:
    return rule.rule_id not in proof.speaking


def _only(rule: Rule, proof: Finished) -> bool:
    return proof.of_all is None or rule.rule_id in proof.of_all


def _pinned(rule: Rule, proof: Finished) -> bool:
    """All that is named and not done stands before everything that was chosen."""
    shown = {s.resource.resource_id for s in proof.slate}
    put = [s.status != "recommended" for s in proof.slate]
    return {*rule.what.resources} - _done(rule, proof) <= shown and put == sorted(put, reverse=True)


def _done(rule: Rule, proof: Finished) -> set[str]:
    """Assigned work that was taken up since; pinned work is never done."""
    if rule.verb == "pin":
        return set()
    own = (d for d in proof.admission.plan.demands if rule in d.rules)
    return {d.resource_id for d in own if done(d, rule, proof.admission.history)}


def _first(rule: Rule, proof: Finished) -> bool:
    """What is on the skills comes first, and others only where nothing more on them may be shown, or for a quota."""
    if not any(_is_open(s, proof) for s in rule.what.skills):
        return True
    as_strong = [r for r in proof.rules if r.verb == "require_first" and rule.strength in ("soft", r.strength)]
    skills = {s for r in as_strong for s in r.what.skills if _is_open(s, proof)}
    on = [any(x in skills for x in s.resource.skills) for s in proof.chosen]
    if on != sorted(on, reverse=True):
        return False
    if all(_fills_a_quota(s, proof) for s, first in zip(proof.chosen, on, strict=True) if not first):
        return True
    by_skill = proof.admission.plan.contents.by_kind["skills"]
    rows = sorted({int(row) for skill in skills for row in by_skill.get(skill, ())})
    return all(_is_full(s.resource.format, proof) for s in proof.left_out(rows))


def _is_open(skill: str, proof: Finished) -> bool:
    set_by = counting((r, r) for r in proof.rules if r.verb == "set_mastery" and skill in r.what.skills)
    if set_by:
        last = max((r for r, _ in set_by), key=lambda r: (r.updated_at or "", r.rule_id))
        return float(str(last.value)) < proof.situation.mastered_from
    known = proof.situation.mastery.get(skill, math.nan)
    return math.isnan(known) or known < proof.situation.mastered_from


def _quota(side: str, format_: str, proof: Finished) -> list[tuple[Rule, int]]:
    return proof.quotas.get((side, format_), [])


def _fills_a_quota(option: Shown, proof: Finished) -> bool:
    format_ = option.resource.format
    least = max((n for r, n in _quota("min", format_, proof) if r.strength == "hard"), default=0)
    return proof.n(format_) <= least


def _is_full(format_: str, proof: Finished) -> bool:
    most = [n for r, n in _quota("max", format_, proof) if r.strength == "hard"]
    return bool(most) and proof.n(format_) >= min(most)


def _quotas(rule: Rule, proof: Finished) -> bool:
    for (side, format_), n in quotas_of(rule).items():
        if not any(r is rule for r, _ in _quota(side, format_, proof)):
            continue
        shown = proof.n(format_)
        if side == "max" and shown > n:
            return False
        is_full = len(proof.slate) == proof.k and all(_fills_a_quota(s, proof) for s in proof.chosen)
        if side == "min" and shown < n and not is_full:
            rows = proof.admission.plan.contents.by_kind["formats"].get(format_, ())
            if any(True for _ in proof.left_out(int(row) for row in rows)):
                return False
    return True


def _waived(rule: Rule, proof: Finished) -> bool:
    if proof.withheld is None:
        return True
    resources = proof.admission.plan.contents.resources
    waiting = (resources[int(row)] for row in proof.admission.rows[proof.withheld])
    return not any(r is not None and fits(rule.what, r) for r in waiting)


def _frozen(rule: Rule, proof: Finished) -> bool:
    return all(_on_path(rule, s, proof) for s in proof.chosen)


def _on_path(rule: Rule, option: Shown, proof: Finished) -> bool:
    if rule.what.of_content:
        return rule.rule_id in option.under
    return option.row in (proof.situation.frozen or ())


def _lifted(rule: Rule, proof: Finished) -> bool:
    return rule.rule_id not in proof.unlifted


def _is_lifted(option: Shown, plan: Plan, scale: float) -> bool:
    """Whether what the rules on an option ask for was added to its score."""
    due = scale * _lift(option.under, plan)
    return not abs(option.added - due) > _CLOSE * max(abs(due), 1.0)


def _lift(under: frozenset[str], plan: Plan) -> float:
    """What the boosts and demotions among these rules come to, of which the same speak of many options."""
    if under not in plan.lift_under:
        if len(plan.lift_under) >= MOST_KEPT:
            plan.lift_under.clear()
        lifts = (r for r in plan.rules if r.verb in ("boost", "demote") and r.rule_id in under)
        plan.lift_under[under] = sum(lift for _, lift in counting((r, lift_of(r)) for r in lifts))
    return plan.lift_under[under]


def _banded(rule: Rule, proof: Finished) -> bool:
    return all(_inside(rule, s, proof) for s in proof.chosen)


def _inside(rule: Rule, option: Shown, proof: Finished) -> bool:
    """A chance that is not known passes, and so does what another band counts for."""
    if math.isnan(option.p) or rule.rule_id not in option.under:
        return True
    bands = ((r, r) for r in proof.rules if r.verb == "success_band" and r.rule_id in option.under)
    low, high = band_of(rule)
    return low <= option.p <= high or not any(r is rule for r, _ in counting(bands))


def _timed(rule: Rule, proof: Finished) -> bool:
    return all(_in_time(rule, s, proof) for s in proof.slate)


def _in_time(rule: Rule, option: Shown, proof: Finished) -> bool:
    for (verb, limit), answers in proof.limits.items():
        if verb != rule.verb or limit == "floor":
            continue
        spent = proof.situation.spent_today if limit == "day" else proof.situation.spent_this_week
        for own, minutes in answers:
            if own is rule and (minutes - spent <= 0 or option.minutes > minutes - spent):
                return False
    return True


def _always(_rule: Rule, _proof: Finished) -> bool:
    """What is set by the teacher is read from the rule itself, wherever mastery is asked."""
    return True


_PROOFS: dict[str, Callable[[Rule, Finished], bool]] = {
    "pin": _pinned,
    "assign": _pinned,
    "hide": _hidden,
    "only": _only,
    "require_first": _first,
    "waive_prerequisite": _waived,
    "freeze_path": _frozen,
    "boost": _lifted,
    "demote": _lifted,
    "success_band": _banded,
    "cap_minutes": _timed,
    "pace_bounds": _timed,
    "formats": _quotas,
    "set_mastery": _always,
}
