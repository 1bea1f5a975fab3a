"""Who is under which rule, and which of several that give different answers to one question counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from engine.domain.rule import Rule
from engine.rules.times import window

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A learner with the classes and groups whose rules count for them now.

    `places`: of each class the one group they sit in there, which is among `group_ids`.
    """

    learner_id: str
    class_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """The scopes they stand in, as `Scope.key`, the widest first."""
        return (
            ("tenant", ""),
            *(("class_id", c) for c in sorted(set(self.class_ids))),
            *(("group_id", g) for g in sorted(set(self.group_ids))),
            ("learner_id", self.learner_id),
        )


def speaks_to(rule: Rule, who: Who) -> bool:
    """Whether a rule's scope holds this learner."""
    return rule.scope.key in who.keys


def in_force(rules: Iterable[Rule], who: Who, now_us: int, zone: ZoneInfo) -> tuple[Rule, ...]:
    """The rules a learner is under at a moment, by id."""
    found = []
    for rule in rules:
        begins, ends = window(rule, zone)
        if speaks_to(rule, who) and begins <= now_us < ends:
            found.append(rule)
    return tuple(sorted(found, key=lambda r: r.rule_id))


def counting(answers: Iterable[tuple[Rule, Answer]]) -> list[tuple[Rule, Answer]]:
    """Of several answers to one question those that count: a hard rule's over a soft one's, then the narrowest.

    Answers of equal strength and reach all count.
    """
    known = list(answers)
    best = max((_weight(rule) for rule, _ in known), default=None)
    return [(rule, answer) for rule, answer in known if _weight(rule) == best]


def _weight(rule: Rule) -> tuple[bool, int]:
    return rule.strength == "hard", rule.scope.level
