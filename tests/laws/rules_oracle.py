"""What a slate under rules must be, written apart from the engine: loops over the definitions of docs/rules.md."""

import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

from engine.domain.resource import Resource
from engine.domain.rule import Rule

REACH = {"tenant": 0, "class_id": 1, "group_id": 2, "learner_id": 3}


@dataclass(kw_only=True)
class Case:
    """One learner at one moment, by ids; `chances` and `minutes` lack what is not known."""

    rules: list[Rule]
    resources: list[Resource]
    learner_id: str
    class_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    now: datetime
    zone: ZoneInfo
    candidates: set[str]
    offered: set[str]
    history: list[tuple[str, datetime]]
    scores: dict[str, float]
    scale: float
    chances: dict[str, float]
    minutes: dict[str, float]
    mastery: dict[str, float]
    today: float
    week: float
    frozen: set[str] | None
    unready: set[str]
    k: int


@dataclass
class Expected:
    slate: list[tuple[str, str]]
    held: dict[str, bool]
    taken_out: dict[str, int]
    conflict_size: int
    in_force: list[Rule] = field(default_factory=list)


def moment(text, zone, *, end):
    if len(text) == 10:
        day = date.fromisoformat(text) + timedelta(days=1 if end else 0)
        return datetime(day.year, day.month, day.day, tzinfo=zone)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=zone)


def is_in_force(rule, case):
    named = {"class_id": case.class_ids, "group_id": case.group_ids, "learner_id": (case.learner_id,)}
    for kind, ids in named.items():
        wanted = getattr(rule.scope, kind)
        if wanted is not None and wanted not in ids:
            return False
    if rule.starts and case.now < moment(rule.starts, case.zone, end=False):
        return False
    return not (rule.until and case.now >= moment(rule.until, case.zone, end=True))


def matches(rule, resource):
    for kind, carried in (
        ("resources", [resource.resource_id]), ("formats", [resource.format]), ("skills", resource.skills),
        ("tags", resource.tags),
    ):  # fmt: skip
        names = getattr(rule.what, kind)
        if names and not set(names) & set(carried):
            return False
    return True


def reach(rule):
    scope = rule.scope
    return 3 if scope.learner_id else 2 if scope.group_id else 1 if scope.class_id else 0


def winners(rules):
    """Of rules that answer one question those that count."""
    hard = [r for r in rules if r.strength == "hard"] or list(rules)
    narrowest = max((reach(r) for r in hard), default=0)
    return [r for r in hard if reach(r) == narrowest]


class Oracle:
    def __init__(self, case):
        self.case = case
        self.by_id = {r.resource_id: r for r in case.resources}
        self.rules = sorted((r for r in case.rules if is_in_force(r, case)), key=lambda r: r.rule_id)

    def of(self, *verbs):
        return [r for r in self.rules if r.verb in verbs]

    # What single rules say of single resources.

    def left(self, rule, resource_id):
        """Whether a limit of minutes lets a resource pass."""
        for name, minutes in rule.value.items():
            if name == "floor":
                continue
            rivals = [r for r in self.of(rule.verb) if name in r.value]
            if rule not in winners(rivals):
                continue
            left = minutes - (self.case.today if name == "day" else self.case.week)
            if left <= 0 or self.case.minutes.get(resource_id, 0.0) > left:
                return False
        return True

    def keeps(self, rule, resource_id, *, put):
        """Whether a rule, taken as hard, lets a resource be shown: one that was `put` in, or one that was chosen."""
        resource = self.by_id[resource_id]
        if rule.verb == "hide":
            return not matches(rule, resource)
        if rule.verb == "only":
            return matches(rule, resource)
        if rule.verb in ("cap_minutes", "pace_bounds"):
            return self.left(rule, resource_id)
        if put:
            return True
        if rule.verb == "freeze_path":
            what = rule.what
            if what.skills or what.resources or what.formats or what.tags:
                return matches(rule, resource)
            return self.case.frozen is not None and resource_id in self.case.frozen
        if rule.verb == "success_band" and matches(rule, resource) and resource_id in self.case.chances:
            rivals = [r for r in self.of("success_band") if matches(r, resource)]
            return rule not in winners(rivals) or rule.value[0] <= self.case.chances[resource_id] <= rule.value[1]
        return True

    def waits(self, resource_id):
        waived = any(matches(r, self.by_id[resource_id]) for r in self.of("waive_prerequisite"))
        return resource_id in self.case.unready and not waived

    def may(self, resource_id, *, put):
        hard = (r for r in self.rules if r.strength == "hard")
        return all(self.keeps(r, resource_id, put=put) for r in hard) and (put or not self.waits(resource_id))

    def broken_wishes(self, resource_id):
        return sum(not self.keeps(r, resource_id, put=False) for r in self.rules if r.strength == "soft")

    def lift(self, resource_id):
        own = winners([r for r in self.of("boost", "demote") if matches(r, self.by_id[resource_id])])
        return sum(abs(math.log(r.value)) * (1 if r.verb == "boost" else -1) for r in own)

    def open_skills(self, *strengths):
        return {
            s for r in self.of("require_first") if r.strength in strengths for s in r.what.skills if self.is_open(s)
        }

    def is_open(self, skill):
        told = winners([r for r in self.of("set_mastery") if skill in r.what.skills])
        if told:
            last = sorted(told, key=lambda r: (r.updated_at or "", r.rule_id))[-1]
            return last.value < 0.85
        return not self.case.mastery.get(skill, 0.0) >= 0.85

    def quotas(self, side, *, hard_only):
        found = {}
        for name in {r.format for r in self.case.resources}:
            own = winners([r for r in self.of("formats") if name in (r.value.get(side) or {})])
            if own and (own[0].strength == "hard" or not hard_only):
                found[name] = (max if side == "min" else min)(r.value[side][name] for r in own)
        return found

    # What is demanded.

    def is_done(self, rule, resource_id):
        if rule.verb == "pin":
            return False
        since = [moment(t, self.case.zone, end=False) for t in (rule.starts, rule.created_at) if t]
        return any(x == resource_id and all(at >= s for s in since) for x, at in self.case.history)

    def demands(self):
        """Resource ids in the order of their slots, with the rules that still ask for them."""
        asking = {}
        for rule in self.of("pin", "assign"):
            for nth, x in enumerate(rule.what.resources):
                asking.setdefault(x, []).append((rule, nth))
        left = {}
        for x, both in asking.items():
            rules = [r for r, _ in both]
            undone = [r for r in rules if not self.is_done(r, x)]
            if undone and x in self.case.offered:
                dues = [r.value["due"] for r in rules if r.value]
                key = (
                    all(r.strength == "soft" for r in rules), all(r.verb == "assign" for r in rules),
                    -max(reach(r) for r in rules), min(dues, default="9999-12-31"), min(r.rule_id for r in rules),
                    min(nth for _, nth in both), x,
                )  # fmt: skip
                left[x] = (key, undone)
        return {x: rules for x, (_, rules) in sorted(left.items(), key=lambda item: item[1][0])}

    def is_hard(self, rules):
        return any(r.strength == "hard" for r in rules)

    # The slate.

    def free(self):
        """What may be chosen, best first."""
        allowed = [x for x in self.case.candidates if self.may(x, put=False)]
        return sorted(allowed, key=lambda x: (-(self.case.scores[x] + self.case.scale * self.lift(x)), x))

    def available(self, put):
        """The formats of all that may be chosen and of what is put in beside."""
        free = self.free()
        return [self.by_id[x].format for x in free + [x for x in put if self.may(x, put=True) and x not in free]]

    def expected(self):
        demands = self.demands()
        conflict = self.smallest_conflict(demands)
        slate = self.fallback(demands) if conflict else self.full(demands)
        put = {x: "assigned" if any(r.verb == "assign" for r in rules) else "required" for x, rules in demands.items()}
        n_put = sum(x in demands for x in slate)
        assert all(x in demands for x in slate[:n_put])
        told = [(x, put.get(x, "recommended")) for x in slate]
        if not slate and not conflict:
            conflict = self.smallest_emptying()
        held = {r.rule_id: self.holds(r, told) for r in self.rules}
        return Expected(told, held, self.taken_out(), conflict, self.rules)

    def fallback(self, demands):
        most, slate = self.quotas("max", hard_only=True), []
        for x in demands:
            format_ = self.by_id[x].format
            full = sum(self.by_id[s].format == format_ for s in slate) >= most.get(format_, 99)
            if len(slate) < self.case.k and self.may(x, put=True) and not full:
                slate.append(x)
        return slate

    def full(self, demands):
        k = self.case.k
        most = self.quotas("max", hard_only=True)
        slate = [x for x, rules in demands.items() if self.is_hard(rules)]
        least = self.as_far_as_there_is("min", self.available(slate), hard_only=True)
        for x, rules in demands.items():
            wished_for = not self.is_hard(rules) and self.may(x, put=True) and len(slate) < k
            if wished_for and self.fits_in(x, slate, least, most, k - len(slate)):
                slate.append(x)
        there = self.available(slate)
        least = self.as_far_as_there_is("min", there, hard_only=True)
        most_wished = self.quotas("max", hard_only=False)
        wished = self.as_far_as_there_is("min", there, hard_only=False)
        wished = {f: min(n, most_wished.get(f, 99)) for f, n in wished.items()}
        hard_first = self.open_skills("hard")
        first = self.open_skills("hard", "soft")

        def rank(x):
            skills = set(self.by_id[x].skills)
            return (not skills & hard_first, not skills & first, self.broken_wishes(x))

        queue = [x for x in sorted(self.free(), key=rank) if x not in slate]
        while len(slate) < k:
            room = k - len(slate)
            fitting = [x for x in queue if self.fits_in(x, slate, least, most, room)]
            better = [x for x in fitting if self.fits_in(x, slate, wished, most_wished, room)]
            if not fitting:
                break
            take = fitting[0]
            if better and rank(better[0])[0] <= rank(take)[0]:
                take = better[0]
            queue.remove(take)
            slate.append(take)
        return slate

    def as_far_as_there_is(self, side, there, *, hard_only):
        return {f: min(n, there.count(f)) for f, n in self.quotas(side, hard_only=hard_only).items()}

    def counts(self, slate):
        found = {}
        for x in slate:
            found[self.by_id[x].format] = found.get(self.by_id[x].format, 0) + 1
        return found

    def fits_in(self, x, slate, least, most, room):
        counts, format_ = self.counts(slate), self.by_id[x].format
        if counts.get(format_, 0) >= most.get(format_, 99):
            return False
        owed = {f: n - counts.get(f, 0) for f, n in least.items() if n > counts.get(f, 0)}
        return format_ in owed or sum(owed.values()) < room

    # Conflicts, by trying everything.

    def smallest_conflict(self, demands):
        """How many rules the smallest conflict has, 0 where there is none."""
        hard = [r for r in self.rules if r.strength == "hard"]
        if self.can_hold(hard, demands):
            return 0
        for size in range(1, len(hard) + 1):
            if any(not self.can_hold(few, demands) for few in combinations(hard, size)):
                return size
        raise AssertionError

    def can_hold(self, rules, demands):
        wanted = [x for x, own in demands.items() if any(r in rules and r.strength == "hard" for r in own)]
        if len(wanted) > self.case.k:
            return False
        if not all(self.keeps(r, x, put=True) for r in rules for x in wanted):
            return False
        there, counts = self.available(demands), self.counts(wanted)
        for format_ in {r.format for r in self.case.resources}:
            most = [r.value["max"][format_] for r in self.quota_rules("max", format_) if r in rules]
            least = [r.value["min"][format_] for r in self.quota_rules("min", format_) if r in rules]
            enough = min(max(least, default=0), there.count(format_))
            if most and max(counts.get(format_, 0), enough) > min(most):
                return False
        return True

    def quota_rules(self, side, format_):
        own = winners([r for r in self.of("formats") if format_ in (r.value.get(side) or {})])
        return [r for r in own if r.strength == "hard"]

    def smallest_emptying(self):
        hard = [r for r in self.rules if r.strength == "hard"]
        scored = {
            x for x in self.case.candidates if all(self.keeps(r, x, put=False) for r in hard if self.is_static(r))
        }
        scored |= set(self.demands())

        def leaves(rules, x):
            return all(self.keeps(r, x, put=False) for r in rules if self.is_static(r) or x in scored)

        if not self.case.candidates or any(leaves(hard, x) for x in self.case.candidates):
            return 0
        for size in range(1, len(hard) + 1):
            for few in combinations(hard, size):
                if not any(leaves(few, x) for x in self.case.candidates):
                    return size
        raise AssertionError

    def is_static(self, rule):
        named = rule.what.skills or rule.what.resources
        return rule.verb in ("hide", "only") or (rule.verb == "freeze_path" and bool(named))

    def taken_out(self):
        """How many candidates each hard rule takes out: what is barred by name is not looked at more closely."""
        hard = [r for r in self.rules if r.strength == "hard"]
        static = [r for r in hard if self.is_static(r)]
        looked_at = [x for x in self.case.candidates if all(self.keeps(r, x, put=False) for r in static)]
        return {
            r.rule_id: sum(
                not self.keeps(r, x, put=False) for x in (self.case.candidates if r in static else looked_at)
            )
            for r in hard
        }

    # Whether a rule held.

    def holds(self, rule, slate):
        chosen = [x for x, status in slate if status == "recommended"]
        shown = [x for x, _ in slate]
        if rule.verb in ("pin", "assign"):
            n_put = len(slate) - len(chosen)
            first = all(status != "recommended" for _, status in slate[:n_put])
            return first and all(x in shown or self.is_done(rule, x) for x in rule.what.resources)
        if rule.verb in ("hide", "only", "cap_minutes", "pace_bounds"):
            return all(self.keeps(rule, x, put=True) for x in shown)
        if rule.verb in ("freeze_path", "success_band"):
            return all(self.keeps(rule, x, put=False) for x in chosen)
        if rule.verb == "require_first":
            return self.came_first(rule, chosen, shown)
        if rule.verb == "formats":
            return self.quotas_hold(rule, chosen, shown)
        return True

    def fills_quota(self, x, shown):
        format_ = self.by_id[x].format
        return self.counts(shown)[format_] <= self.quotas("min", hard_only=True).get(format_, 0)

    def is_full(self, format_, shown):
        most = self.quotas("max", hard_only=True)
        return format_ in most and self.counts(shown).get(format_, 0) >= most[format_]

    def came_first(self, rule, chosen, shown):
        if not any(self.is_open(s) for s in rule.what.skills):
            return True
        skills = self.open_skills(*(("hard",) if rule.strength == "hard" else ("hard", "soft")))
        on = [bool(skills & set(self.by_id[x].skills)) for x in chosen]
        if any(later and not earlier for earlier, later in pairwise(on)):
            return False
        others = [x for x, first in zip(chosen, on, strict=True) if not first and not self.fills_quota(x, shown)]
        waiting = [x for x in self.free() if x not in shown and skills & set(self.by_id[x].skills)]
        return not others or all(self.is_full(self.by_id[x].format, shown) for x in waiting)

    def quotas_hold(self, rule, chosen, shown):
        counts = self.counts(shown)
        for side, named in rule.value.items():
            for format_, n in named.items():
                if rule not in winners([r for r in self.of("formats") if format_ in (r.value.get(side) or {})]):
                    continue
                count = counts.get(format_, 0)
                if side == "max" and count > n:
                    return False
                room = len(shown) < self.case.k or not all(self.fills_quota(x, shown) for x in chosen)
                left = any(x not in shown and self.by_id[x].format == format_ for x in self.free())
                if side == "min" and count < n and room and left:
                    return False
        return True
