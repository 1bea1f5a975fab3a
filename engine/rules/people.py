"""Rules about who works with whom, as plain pairs, locks and limits for whoever forms groups or suggests peers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from zoneinfo import ZoneInfo

from engine.domain.rule import Rule
from engine.rules.conflicts import smallest_conflict
from engine.rules.scope import Who, counting, speaks_to
from engine.rules.times import window
from engine.rules.values import size_of
from engine.rules.verbs import VERBS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two learners, the smaller id first, who are to be kept apart or together, and the rules that say so."""

    learners: tuple[str, str]
    hard: bool
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A learner who stays in a group."""

    learner_id: str
    group_id: str
    hard: bool
    rule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Of these learners a group has two or more, or none; with nobody named, no group has just one member."""

    learners: tuple[str, ...]
    hard: bool
    rule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A bound that counts, and the rules it comes from."""

    low: int
    high: int
    hard: bool
    rule_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The rules about people that count among the learners of a roster.

    `helping`: by learner, how often they may help in a week. `approval`: learners whose contact with peers waits for a
    teacher, with the rules that say so. `conflict`: the smallest set of hard rules that no groups can keep; where there
    is one, keeping apart goes before all else.
    """

    apart: tuple[Pair, ...]
    together: tuple[Pair, ...]
    locks: tuple[Lock, ...]
    company: tuple[Company, ...]
    size: Limit | None
    helping: Mapping[str, Limit]
    approval: Mapping[str, tuple[str, ...]]
    conflict: tuple[str, ...]

    def may_meet(self, one: str, other: str) -> bool:
        """Whether no hard rule keeps two learners apart."""
        pair = (min(one, other), max(one, other))
        return not any(p.hard and p.learners == pair for p in self.apart)


def people_of(rules: Iterable[Rule], roster: Sequence[Who], *, now_us: int, zone: ZoneInfo) -> People:
    """The rules about people in force among these learners, each with the groups they are in.

    A rule counts where its scope holds one of the learners it names; where it names none, for all that its scope holds.
    """
    known = counted_among(rules, roster, now_us=now_us, zone=zone)
    locks = [lock for r in known if r.verb == "lock" for lock in locks_of(r, roster)]
    return People(
        apart=_pairs(known, "keep_apart", roster),
        together=_pairs(known, "keep_together", roster),
        locks=tuple(locks),
        company=tuple(
            Company(learners=_named(r, roster) if r.what.learners else (), hard=r.strength == "hard", rule_id=r.rule_id)
            for r in known
            if r.verb == "no_one_alone"
        ),
        size=_limit([(r, size_of(r)) for r in known if r.verb == "group_size"]),
        helping=_helping(known, roster),
        approval=_approval(known, roster),
        conflict=tuple(r.rule_id for r in smallest_conflict(binding(known), can_group(roster))),
    )


def counted_among(rules: Iterable[Rule], roster: Sequence[Who], *, now_us: int, zone: ZoneInfo) -> list[Rule]:
    """The rules about people in force that concern somebody of a roster, by id."""
    return sorted((r for r in rules if VERBS[r.verb].people and _counts(r, roster, now_us, zone)), key=_by_id)


def can_group(roster: Sequence[Who]) -> Callable[[Sequence[Rule]], bool]:
    """Whether rules can be kept together by some groups of these learners: monotone.

    Kept together, also by way of others, means one group; locked means the group it is locked in. Such a unit must not
    hold two who are to be apart, nor be locked in two groups, nor be larger than a group may be.
    """

    def can(rules: Sequence[Rule]) -> bool:
        sizes = [size_of(r) for r in rules if r.verb == "group_size"]
        most = min((high for _, high in sizes), default=len(roster) + 1)
        if any(low > most for low, _ in sizes):
            return False
        units = _units(rules, roster)
        if any(sum(not is_group for is_group, _ in unit) > most for unit in units):
            return False
        if any(sum(is_group for is_group, _ in unit) > 1 for unit in units):
            return False
        unit_of = {name: number for number, unit in enumerate(units) for is_group, name in unit if not is_group}
        apart = (pair for r in rules if r.verb == "keep_apart" for pair in combinations(_named(r, roster), 2))
        return not any(a in unit_of and unit_of[a] == unit_of.get(b) for a, b in apart)

    return can


def locks_of(rule: Rule, roster: Sequence[Who]) -> list[Lock]:
    """Who a lock keeps where: in the group of its scope, else where they sit now, in its class if it is for one."""
    named = _named(rule, roster)
    group = rule.scope.group_id
    found = []
    for who in roster:
        if who.learner_id in named:
            groups = [group] if group is not None and rule.what.learners else _sits_in(rule, who)
            found += [(who.learner_id, g) for g in groups if group is None or g == group]
    hard = rule.strength == "hard"
    return [Lock(learner_id=x, group_id=g, hard=hard, rule_id=rule.rule_id) for x, g in found]


def _sits_in(rule: Rule, who: Who) -> list[str]:
    """The groups somebody is in now, as far as a lock speaks of them."""
    if not who.places or rule.scope.group_id is not None:
        return sorted(who.group_ids)
    mine = rule.scope.class_id
    return sorted({group for class_id, group in who.places if mine in (None, class_id)})


def _by_id(rule: Rule) -> str:
    return rule.rule_id


def binding(rules: Sequence[Rule]) -> list[Rule]:
    """The hard rules that groups have to keep; of sizes those that count."""
    sizes = [r for r, _ in counting((r, r) for r in rules if r.verb == "group_size")]
    others = [r for r in rules if r.verb in ("keep_apart", "keep_together", "lock")]
    return [r for r in (*others, *sizes) if r.strength == "hard"]


def _counts(rule: Rule, roster: Sequence[Who], now_us: int, zone: ZoneInfo) -> bool:
    begins, ends = window(rule, zone)
    if not begins <= now_us < ends:
        return False
    named = set(rule.what.learners)
    return any(speaks_to(rule, who) and (not named or who.learner_id in named) for who in roster) or (
        rule.verb == "lock" and rule.scope.group_id is not None and any(who.learner_id in named for who in roster)
    )


def _named(rule: Rule, roster: Sequence[Who]) -> tuple[str, ...]:
    """Learners of the roster that a rule names, or else all in its scope; by id."""
    if rule.what.learners:
        there = {who.learner_id for who in roster}
        return tuple(sorted(there.intersection(rule.what.learners)))
    return tuple(sorted(who.learner_id for who in roster if speaks_to(rule, who)))


def _pairs(rules: Iterable[Rule], verb: str, roster: Sequence[Who]) -> tuple[Pair, ...]:
    saying: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        for one, other in combinations(_named(rule, roster), 2) if rule.verb == verb else ():
            saying.setdefault((one, other), []).append(rule)
    return tuple(
        Pair(learners=pair, hard=any(r.strength == "hard" for r in own), rule_ids=tuple(r.rule_id for r in own))
        for pair, own in sorted(saying.items())
    )


def _limit(answers: Sequence[tuple[Rule, tuple[int, int]]]) -> Limit | None:
    """The narrowest bounds that count; equals hold together, and where they cannot, the smaller upper one rules."""
    count = counting(answers)
    if not count:
        return None
    high = min(high for _, (_, high) in count)
    return Limit(
        low=min(max(low for _, (low, _) in count), high),
        high=high,
        hard=count[0][0].strength == "hard",
        rule_ids=tuple(r.rule_id for r, _ in count),
    )


def _helping(rules: Sequence[Rule], roster: Sequence[Who]) -> dict[str, Limit]:
    found = {}
    limits = [r for r in rules if r.verb == "helper_limit"]
    for who in roster:
        own = [r for r in limits if speaks_to(r, who) and (not r.what.learners or who.learner_id in r.what.learners)]
        limit = _limit([(r, (0, int(str(r.value)))) for r in own])
        if limit is not None:
            found[who.learner_id] = limit
    return found


def _approval(rules: Sequence[Rule], roster: Sequence[Who]) -> dict[str, tuple[str, ...]]:
    asking = [r for r in rules if r.verb == "approve_contact"]
    found = {}
    for who in roster:
        own = [r.rule_id for r in asking if who.learner_id in _named(r, roster)]
        if own:
            found[who.learner_id] = tuple(own)
    return found


def _units(rules: Iterable[Rule], roster: Sequence[Who]) -> list[set[tuple[bool, str]]]:
    """Who is bound to one group, with that group where there is one: sets of (is it a group, id)."""
    units: list[set[tuple[bool, str]]] = []
    for rule in rules:
        if rule.verb == "keep_together":
            bound = [{(False, x) for x in _named(rule, roster)}]
        elif rule.verb == "lock":
            bound = [{(False, lock.learner_id), (True, lock.group_id)} for lock in locks_of(rule, roster)]
        else:
            continue
        for together in bound:
            touched = [u for u in units if u & together]
            units = [u for u in units if not u & together] + [together.union(*touched)]
    return units
