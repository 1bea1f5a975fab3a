"""All rules of a tenant over a catalogue, compiled once per change; the plan of a learner is looked up in it."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.domain.rule import Rule
from engine.rules.matching import Contents, Mask
from engine.rules.plan import Plan, plan_of
from engine.rules.scope import Who
from engine.rules.times import FOREVER, window
from engine.rules.verbs import VERBS

_UTC = ZoneInfo("UTC")
# Combinations of scopes that are kept ready; a class shares one, unless a learner has a rule of their own.
_MOST_PLANS = 512


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules by id with their windows, the bits of the rows each speaks of, and the moments at which any begins or
    ends: between two of them nothing changes, so a plan made once holds.
    """

    contents: Contents
    rules: tuple[Rule, ...]
    windows: Mapping[str, tuple[int, int]]
    bits: Mapping[str, NDArray[np.uint8]]
    by_scope: Mapping[tuple[str, str], tuple[Rule, ...]]
    turns: tuple[int, ...]
    zone: ZoneInfo
    since_us: Mapping[str, int]
    plans: dict[tuple[object, ...], Plan] = field(default_factory=dict)

    def plan(self, who: Who, now_us: int) -> Plan:
        """What the rules come to for this learner at this moment."""
        scopes = tuple(key for key in who.keys if key in self.by_scope)
        place = (bisect_right(self.turns, now_us), *scopes)
        found = self.plans.get(place)
        if found is None:
            if len(self.plans) >= _MOST_PLANS:
                self.plans.clear()
            rules = self.in_force(who, now_us)
            masks = {r.rule_id: self._mask(r) for r in rules}
            found = self.plans[place] = plan_of(rules, masks, self.contents, self.since_us)
        return found

    def in_force(self, who: Who, now_us: int) -> tuple[Rule, ...]:
        """The rules that this learner is under at this moment, by id."""
        own = (r for key in who.keys for r in self.by_scope.get(key, ()))
        return tuple(sorted((r for r in own if self._is_in_force(r, now_us)), key=lambda r: r.rule_id))

    def _is_in_force(self, rule: Rule, now_us: int) -> bool:
        begins, ends = self.windows[rule.rule_id]
        return begins <= now_us < ends

    def _mask(self, rule: Rule) -> Mask:
        unpacked = np.unpackbits(self.bits[rule.rule_id], count=len(self.contents))
        mask: Mask = unpacked.astype(bool)
        return mask


def book_of(rules: Iterable[Rule], contents: Contents, *, zone: ZoneInfo = _UTC) -> RuleBook:
    """The book of rules about resources; those about people are for `engine.rules.people`.

    Of several versions of one rule the last given counts.
    """
    known = {r.rule_id: r for r in rules if not VERBS[r.verb].people}
    windows = {x_id: window(r, zone) for x_id, r in known.items()}
    by_scope: dict[tuple[str, str], list[Rule]] = {}
    for x_id in sorted(known):
        by_scope.setdefault(known[x_id].scope.key, []).append(known[x_id])
    turns = {t for ends in windows.values() for t in ends} - {NO_TIME, FOREVER}
    return RuleBook(
        contents=contents,
        rules=tuple(known[x_id] for x_id in sorted(known)),
        windows=windows,
        bits={x_id: np.packbits(contents.mask(r.what)) for x_id, r in known.items()},
        by_scope={key: tuple(own) for key, own in by_scope.items()},
        turns=tuple(sorted(turns)),
        zone=zone,
        since_us={x_id: _since(r, windows[x_id][0], zone) for x_id, r in known.items()},
    )


def _since(rule: Rule, begins: int, zone: ZoneInfo) -> int:
    """From when on work counts as done for a rule: from its beginning, and not before it was written."""
    written = window(Rule(rule_id="", verb="", starts=rule.created_at), zone)[0]
    return max(begins, written)
