"""Hard rules about resources that cannot all hold for one learner, as the fewest rules that contradict each other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.domain.rule import Rule
from engine.rules.conflicts import conflict_with
from engine.rules.matching import Contents, Mask
from engine.rules.plan import BARRING, Plan
from engine.rules.values import band_of

Quota = Sequence[tuple[Rule, int]]
# Only hard rules of one of these circles can contradict each other.
CIRCLES = (
    {"hide", "only", "freeze_path", "pin", "assign", "require_first", "formats"},
    {"cap_minutes", "pace_bounds", "pin", "assign"},
    {"success_band"},
    {"set_mastery"},
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What kind of contradiction it is, and the fewest rules that make it."""

    kind: str
    rules: tuple[Rule, ...]


def may_contradict(rule: Rule, other: Rule) -> bool:
    """Whether two rules can be in each other's way at all."""
    both_hard = rule.strength == other.strength == "hard"
    return both_hard and any(rule.verb in circle and other.verb in circle for circle in CIRCLES)


def contradictions(rule: Rule, plan: Plan) -> list[Contradiction]:
    """All that a hard rule contradicts among the others of a plan."""
    if rule not in plan.rules:
        return []
    pairs = [
        *_barred_demands(plan), *_least_above_most(plan), *_bounds_that_cross(plan), *_bands_that_miss(plan),
        *_two_truths(plan),
    ]  # fmt: skip
    found = [one for one in pairs if rule in one.rules]
    return list(dict.fromkeys([*found, *_too_many_pinned(rule, plan), *_nothing_left(rule, plan)]))


def _of(kind: str, *rules: Rule) -> Contradiction:
    return Contradiction(kind, tuple(sorted({r.rule_id: r for r in rules}.values(), key=lambda r: r.rule_id)))


def _bars(plan: Plan) -> dict[str, Mask]:
    """By hard rule the rows it leaves out."""
    n = len(plan.contents)
    return {
        rule.rule_id: np.unpackbits(words.view(np.uint8), count=n).astype(bool)
        for rule, words in zip(plan.bars, plan.out, strict=True)
    }


def _barred_demands(plan: Plan) -> Iterator[Contradiction]:
    """What is pinned or assigned, and hidden, or longer than a day or a week may be."""
    outs = _bars(plan)
    for demand in plan.demands:
        for rule in (r for r in demand.rules if r.strength == "hard" and demand.row >= 0):
            for bar in plan.bars:
                if bar.verb in BARRING and outs[bar.rule_id][demand.row]:
                    yield _of("put_in_and_taken_out", rule, bar)
            resource = plan.contents.resources[demand.row]
            for limit, minutes in _hard_limits(plan):
                if resource is not None and resource.minutes is not None and resource.minutes > minutes:
                    yield _of("longer_than_allowed", rule, limit)


def _hard_limits(plan: Plan) -> list[tuple[Rule, float]]:
    answers = (a for name, own in plan.limits.items() if name != "floor" for a in own)
    return [(rule, minutes) for rule, minutes in answers if rule.strength == "hard"]


def _least_above_most(plan: Plan) -> Iterator[Contradiction]:
    """At least more of a format than at most."""
    for (side, name), answers in plan.quotas.items():
        for least, n in answers if side == "min" else ():
            for most, high in plan.quotas.get(("max", name), ()):
                if least.strength == most.strength == "hard" and n > high:
                    yield _of("least_above_most", least, most)


def _too_many_pinned(rule: Rule, plan: Plan) -> Iterator[Contradiction]:
    """More of a format are always shown than may be."""
    pins = [
        (d.row, r) for d in plan.demands for r in d.rules if r.verb == "pin" and r.strength == "hard" and d.row >= 0
    ]
    for (side, name), answers in plan.quotas.items():
        hard = [(r, n) for r, n in answers if r.strength == "hard"]
        own = [(row, r) for row, r in pins if _format(plan.contents, row) == name]
        if side != "max" or not hard or not own:
            continue

        def fits(some: Sequence[Rule], own: Sequence[tuple[int, Rule]] = own, most: Quota = hard) -> bool:
            ids = {r.rule_id for r in some}
            return len({row for row, r in own if r.rule_id in ids}) <= min(
                (n for r, n in most if r.rule_id in ids), default=len(own)
            )

        involved = {r.rule_id: r for r in (*(r for _, r in own), *(r for r, _ in hard))}
        if rule.rule_id in involved and (conflict := conflict_with(rule, [*involved.values()], fits)):
            yield _of("more_pinned_than_allowed", *conflict)


def _format(contents: Contents, row: int) -> str | None:
    resource = contents.resources[row]
    return resource.format if resource else None


def _bounds_that_cross(plan: Plan) -> Iterator[Contradiction]:
    """A pace of at least more minutes than a week may have."""
    for floor, least in plan.limits.get("floor", ()):
        for limit in ("ceiling", "week"):
            for rule, most in plan.limits.get(limit, ()):
                if floor.strength == rule.strength == "hard" and least > most:
                    yield _of("pace_above_limit", floor, rule)


def _bands_that_miss(plan: Plan) -> Iterator[Contradiction]:
    """Bands that both count for a resource and share no chance of success."""
    hard = [part for part in plan.bands if part.rule.strength == "hard"]
    for one, other in combinations(hard, 2):
        (low, high), (other_low, other_high) = band_of(one.rule), band_of(other.rule)
        if max(low, other_low) > min(high, other_high) and (one.mask & other.mask).any():
            yield _of("bands_apart", one.rule, other.rule)


def _two_truths(plan: Plan) -> Iterator[Contradiction]:
    """Rules of one reach and strength that set one skill to different values."""
    setting = [r for r in plan.rules if r.verb == "set_mastery"]
    for one, other in combinations(setting, 2):
        same = (one.strength, one.scope.level) == (other.strength, other.scope.level)
        if same and one.value != other.value and set(one.what.skills) & set(other.what.skills):
            yield _of("two_values", one, other)


def _nothing_left(rule: Rule, plan: Plan) -> Iterator[Contradiction]:
    """Rules that together leave no resource, or none of what another rule asks for."""
    outs, there = _bars(plan), plan.contents.there
    asked = [(None, there), *((r, mask & there) for r, mask in _asked_for(plan))]
    for asking, wanted in asked:
        known = [*plan.bars, asking] if asking is not None else [*plan.bars]
        if rule in known and wanted.any() and not (wanted & plan.allowed).any():
            conflict = conflict_with(rule, known, _leaves_some(outs, wanted, asking))
            if conflict and (asking is None or asking in conflict):
                yield _of("nothing_left" if asking is None else "nothing_left_of_it", *conflict)


def _asked_for(plan: Plan) -> Iterable[tuple[Rule, Mask]]:
    """The rows that minimums and what comes first ask for."""
    for (side, name), answers in plan.quotas.items():
        mask = np.zeros(len(plan.contents), bool)
        mask[plan.contents.rows("formats", [name])] = True
        yield from ((r, mask) for r, n in answers if side == "min" and n > 0 and r.strength == "hard")
    for rule in plan.firsts:
        if rule.strength == "hard":
            yield rule, plan.contents.mask(rule.what)


def _leaves_some(outs: dict[str, Mask], wanted: Mask, asking: Rule | None) -> Callable[[Sequence[Rule]], bool]:
    """Whether some rules leave any of the rows that one of them, or nobody in particular, asks for."""
    place = {x_id: k for k, x_id in enumerate(outs)}
    # Rows that the same rules leave out are one.
    patterns = np.unique(np.array([out[wanted] for out in outs.values()]), axis=1) if outs else None

    def leaves(some: Sequence[Rule]) -> bool:
        bars = [place[r.rule_id] for r in some if r.rule_id in place]
        if patterns is None or not bars or (asking is not None and asking not in some):
            return True
        return bool((~patterns[bars].any(axis=0)).any())

    return leaves
