"""What the rules of one combination of scopes come to, merged: masks, demands, quotas, bands and limits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.domain.rule import Rule
from engine.rules.matching import Contents, Mask
from engine.rules.scope import counting
from engine.rules.times import FOREVER, due_us
from engine.rules.values import due_of, lift_of, named_of, quotas_of

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
_UTC = ZoneInfo("UTC")
# What bars every option, pinned ones too, and what bars only what the engine chooses itself.
BARRING, STEERING = ("hide", "only"), ("freeze_path",)
# Resources of which is kept, for each plan, which rules speak of them.
MOST_KEPT = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A resource that rules put into the slate; `row` is -1 where the catalogue does not know it.

    It is `pinned`, or else assigned; `due` is the first date it is due by. `since_us`: what was taken up from then on
    counts as done, by rule that assigned it.
    """

    resource_id: str
    row: int
    rules: tuple[Rule, ...]
    pinned: bool
    hard: bool
    due: str | None
    since_us: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A rule with the rows it counts for: `(n_resources,)`."""

    rule: Rule
    mask: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rules a learner is under, ready to be applied; everything `(n_resources,)` goes by row of the catalogue.

    `allowed` is what hard `bars` leave, `forbidden` what of them bars every option, pinned ones too; `out`
    `(n_bars, n_words)` the bits of what each takes out. `bands` and `lifts` say for which rows each rule counts,
    `lifted` the same of lifts as bits, `lift` their sum in units of the scores' scale. `limits` are minutes by `day`,
    `week`, `ceiling` and `floor`, `quotas` counts by side and format, `firsts` rules on what comes first. `under` keeps
    which rules speak of a row, `lift_under` what the lifts among some rules come to, as far as a proof asked.
    """

    contents: Contents
    rules: tuple[Rule, ...]
    allowed: Mask
    forbidden: Mask
    bars: tuple[Rule, ...]
    out: Words
    avoided: tuple[Part, ...]
    frozen: tuple[Rule, ...]
    demands: tuple[Demand, ...]
    bands: tuple[Part, ...]
    lifts: tuple[Part, ...]
    lifted: Words
    lift: Floats | None
    limits: Mapping[str, Sequence[tuple[Rule, float]]]
    quotas: Mapping[tuple[str, str], Sequence[tuple[Rule, int]]]
    firsts: tuple[Rule, ...]
    waived: Mask | None
    mastery: Mapping[str, tuple[Rule, float]]
    under: dict[int, frozenset[str]] = field(default_factory=dict, repr=False, compare=False)
    lift_under: dict[frozenset[str], float] = field(default_factory=dict, repr=False, compare=False)
    _lifting: dict[int, tuple[tuple[Rule, float], ...]] = field(default_factory=dict, repr=False, compare=False)

    def lifting(self, row: int) -> tuple[tuple[Rule, float], ...]:
        """The boosts and demotions that count for a row, each with its share of the scores' scale, asked once."""
        if row not in self._lifting:
            if len(self._lifting) >= MOST_KEPT:
                self._lifting.clear()
            counting_here = (part.rule for part in self.lifts if part.mask[row])
            self._lifting[row] = tuple((rule, lift_of(rule)) for rule in counting_here)
        return self._lifting[row]

    @property
    def of_the_moment(self) -> bool:
        """Whether what they come to depends on a learner's chances, mastery, day or path, and not on rows alone."""
        return bool(self.bands or self.limits or self.firsts or self.frozen)

    @property
    def reorders(self) -> bool:
        """Whether the slate may be another than the best by score: nothing may then be drawn among near-ties."""
        soft = any(r.strength == "soft" and r.verb not in ("boost", "demote") for r in self.rules)
        return bool(self.firsts or self.quotas or self.demands or soft)


def plan_of(rules: Sequence[Rule], masks: Mapping[str, Mask], contents: Contents, since_us: Mapping[str, int]) -> Plan:
    """The plan of rules that are in force for one learner; `masks` by rule id are rows each speaks of."""
    barring = [r for r in rules if r.verb in BARRING or (r.verb in STEERING and r.what.of_content)]
    taken_out = {r.rule_id: masks[r.rule_id] if r.verb == "hide" else ~masks[r.rule_id] for r in barring}
    bars = [r for r in barring if r.strength == "hard"]
    allowed, forbidden = np.ones(len(contents), bool), np.zeros(len(contents), bool)
    for rule in bars:
        allowed &= ~taken_out[rule.rule_id]
        if rule.verb in BARRING:
            forbidden |= taken_out[rule.rule_id]
    lifts = _counting_masks([r for r in rules if r.verb in ("boost", "demote")], masks)
    waiving = [masks[r.rule_id] for r in rules if r.verb == "waive_prerequisite"]
    return Plan(
        contents=contents,
        rules=tuple(rules),
        allowed=allowed,
        forbidden=forbidden,
        bars=tuple(bars),
        out=np.array([packed(taken_out[r.rule_id]) for r in bars], np.uint64).reshape(
            len(bars), -(-len(contents) // 64)
        ),
        avoided=tuple(Part(r, taken_out[r.rule_id]) for r in barring if r.strength == "soft"),
        frozen=tuple(r for r in rules if r.verb in STEERING and not r.what.of_content),
        demands=_demands(rules, contents, since_us),
        bands=_counting_masks([r for r in rules if r.verb == "success_band"], masks),
        lifts=lifts,
        lifted=_all_packed([part.mask for part in lifts], len(contents)),
        lift=_lift(lifts) if lifts else None,
        limits=_limits(rules),
        quotas=_by_question((r, quotas_of(r)) for r in rules if r.verb == "formats"),
        firsts=tuple(r for r in rules if r.verb == "require_first"),
        waived=np.logical_or.reduce(waiving) if waiving else None,
        mastery=_mastery(rules),
    )


def packed(mask: Mask) -> Words:
    """A mask as bits, sixty-four to a word."""
    bits = np.packbits(mask)
    return np.concatenate([bits, np.zeros(-len(bits) % 8, np.uint8)]).view(np.uint64)


def _all_packed(masks: Sequence[Mask], n: int) -> Words:
    return np.array([packed(m) for m in masks], np.uint64).reshape(len(masks), -(-n // 64))


def _counting_masks(rules: Sequence[Rule], masks: Mapping[str, Mask]) -> tuple[Part, ...]:
    """For each row the hard before the soft, the narrower before the wider; equals count together."""
    parts: list[Part] = []
    answered: Mask | None = None
    ranks = sorted({(r.strength == "hard", r.scope.level) for r in rules}, reverse=True)
    for hard, level in ranks:
        equals = [r for r in rules if (r.strength == "hard", r.scope.level) == (hard, level)]
        for rule in equals:
            own = masks[rule.rule_id]
            parts.append(Part(rule, own if answered is None else own & ~answered))
        together = np.logical_or.reduce([masks[r.rule_id] for r in equals])
        answered = together if answered is None else answered | together
    return tuple(p for p in parts if p.mask.any())


def _lift(lifts: Sequence[Part]) -> Floats:
    lift = np.zeros(len(lifts[0].mask))
    for part in lifts:
        lift[part.mask] += lift_of(part.rule)
    return lift


def _by_question(
    answers: Iterable[tuple[Rule, Mapping[tuple[str, str], int]]],
) -> dict[tuple[str, str], list[tuple[Rule, int]]]:
    asked: dict[tuple[str, str], list[tuple[Rule, int]]] = {}
    for rule, named in answers:
        for question, answer in named.items():
            asked.setdefault(question, []).append((rule, answer))
    return {question: counting(found) for question, found in asked.items()}


def _limits(rules: Iterable[Rule]) -> dict[str, list[tuple[Rule, float]]]:
    asked: dict[str, list[tuple[Rule, float]]] = {}
    for rule in rules:
        if rule.verb in ("cap_minutes", "pace_bounds"):
            for name, minutes in named_of(rule).items():
                asked.setdefault(name, []).append((rule, minutes))
    return {name: counting(found) for name, found in asked.items()}


def _mastery(rules: Iterable[Rule]) -> dict[str, tuple[Rule, float]]:
    """What a teacher set, by skill; among equals the one changed last, then by id."""
    asked: dict[str, list[tuple[Rule, float]]] = {}
    for rule in rules:
        for skill in rule.what.skills if rule.verb == "set_mastery" else ():
            asked.setdefault(skill, []).append((rule, float(str(rule.value))))
    return {
        skill: max(counting(found), key=lambda a: (a[0].updated_at or "", a[0].rule_id))
        for skill, found in asked.items()
    }


def _demands(rules: Iterable[Rule], contents: Contents, since_us: Mapping[str, int]) -> tuple[Demand, ...]:
    """Hard ones first, pinned before assigned, then the narrower, what is due first, and by id."""
    of: dict[str, list[Rule]] = {}
    place: dict[str, int] = {}
    for rule in rules:
        for nth, resource_id in enumerate(rule.what.resources if rule.verb in ("pin", "assign") else ()):
            of.setdefault(resource_id, []).append(rule)
            place[resource_id] = min(nth, place.get(resource_id, nth))
    found = [_demand(x_id, own, contents, since_us) for x_id, own in of.items()]
    return tuple(
        sorted(
            found,
            key=lambda d: (
                not d.hard, not d.pinned, -max(r.scope.level for r in d.rules), _moment(d.due),
                min(r.rule_id for r in d.rules), place[d.resource_id], d.resource_id,
            ),
        )
    )  # fmt: skip


def _moment(due: str | None) -> int:
    """Only to compare: dates of one school differ from those of UTC by the same hours."""
    return FOREVER if due is None else due_us(due, _UTC)


def _demand(resource_id: str, rules: list[Rule], contents: Contents, since_us: Mapping[str, int]) -> Demand:
    dues = [due for r in rules if (due := due_of(r)) is not None]
    return Demand(
        resource_id=resource_id,
        row=contents.resource_map.row(resource_id),
        rules=tuple(rules),
        pinned=any(r.verb == "pin" for r in rules),
        hard=any(r.strength == "hard" for r in rules),
        due=min(dues, key=_moment, default=None),
        since_us=tuple(since_us[r.rule_id] for r in rules),
    )
