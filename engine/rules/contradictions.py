"""Hard rules about resources that cannot all hold for one learner, as the fewest rules that contradict each other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from engine.domain.rule import Rule
from engine.rules.conflicts import smallest_conflict
from engine.rules.matching import Contents, Mask
from engine.rules.plan import BARRING, STEERING, Plan
from engine.rules.values import band_of


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What kind of contradiction it is, and the fewest rules that make it."""

    kind: str
    rules: tuple[Rule, ...]


def contradictions(plan: Plan) -> list[Contradiction]:
    """All that is wrong with the hard rules of a plan: what stands against each demand, minimum, band and limit."""
    found = [
        *_barred_demands(plan), *_too_many_of_a_format(plan), *_bounds_that_cross(plan), *_bands_that_miss(plan),
        *_two_truths(plan), *_nothing_left(plan),
    ]  # fmt: skip
    return list(dict.fromkeys(found))


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


def _too_many_of_a_format(plan: Plan) -> Iterator[Contradiction]:
    """More pinned than a format may have, or more asked for than it may have."""
    contents = plan.contents
    for (side, name), answers in plan.quotas.items():
        hard = [(r, n) for r, n in answers if r.strength == "hard"]
        if side != "max" or not hard:
            continue
        for (least, n), (most, high) in ((a, b) for a in plan.quotas.get(("min", name), ()) for b in hard):
            if least.strength == "hard" and n > high:
                yield _of("least_above_most", least, most)
        pins = [
            (d.row, r) for d in plan.demands for r in d.rules if r.verb == "pin" and r.strength == "hard" and d.row >= 0
        ]
        own = [(row, r) for row, r in pins if _format(contents, row) == name]
        most, high = min(hard, key=lambda a: (a[1], a[0].rule_id))

        def fits(rules: Sequence[Rule], own: Sequence[tuple[int, Rule]] = own, high: int = high) -> bool:
            ids = {r.rule_id for r in rules}
            return len({row for row, r in own if r.rule_id in ids}) <= high

        pinned = smallest_conflict([*{r.rule_id: r for _, r in own}.values()], fits)
        if pinned:
            yield _of("more_pinned_than_allowed", *pinned, most)


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


def _nothing_left(plan: Plan) -> Iterator[Contradiction]:
    """Rules that together leave no resource, or none of what another rule asks for."""
    outs, there = _bars(plan), np.array([r is not None for r in plan.contents.resources], bool)
    bars = [r for r in plan.bars if r.verb in (*BARRING, *STEERING)]
    if not there.any():
        return
    covering = _covering(bars, outs, there)
    if covering:
        yield _of("nothing_left", *covering)
    for rule, mask in _asked_for(plan):
        covering = _covering(bars, outs, mask & there)
        if (mask & there).any() and covering:
            yield _of("nothing_left_of_it", rule, *covering)


def _asked_for(plan: Plan) -> Iterable[tuple[Rule, Mask]]:
    """The rows that minimums and what comes first ask for."""
    for (side, name), answers in plan.quotas.items():
        mask = np.zeros(len(plan.contents), bool)
        mask[plan.contents.rows("formats", [name])] = True
        yield from ((r, mask) for r, n in answers if side == "min" and n > 0 and r.strength == "hard")
    for rule in plan.firsts:
        if rule.strength == "hard":
            yield rule, plan.contents.mask(rule.what)


def _covering(bars: Sequence[Rule], outs: dict[str, Mask], wanted: Mask) -> tuple[Rule, ...]:
    """The fewest rules that leave out all of these rows; none where some row is left."""
    patterns = np.unique(np.array([outs[r.rule_id][wanted] for r in bars]).reshape(len(bars), -1), axis=1)
    place = {r.rule_id: k for k, r in enumerate(bars)}
    return smallest_conflict(bars, _leaves_some(patterns, place)) if bars else ()


def _leaves_some(patterns: Mask, place: dict[str, int]) -> Callable[[Sequence[Rule]], bool]:
    def leaves(rules: Sequence[Rule]) -> bool:
        taken = patterns[[place[r.rule_id] for r in rules]]
        return bool((~taken.any(axis=0)).any()) if len(rules) else True

    return leaves
