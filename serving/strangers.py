"""The rules for somebody of whom nobody can say at the moment which classes and groups they are in.

While the store is away a learner may be asked for of whom nothing is at hand. A hard rule of their class must hold all
the same: so they are held to what any class closes, and shown nothing that is only for who is in a class.
"""

from collections.abc import Collection, Iterable

from engine.domain.rule import Rule
from engine.rules.compiled import RuleBook, book_of
from engine.rules.scope import Who

# What takes away and never adds: to be under one rule too many shows nothing that it should not.
_CLOSING = frozenset({"hide", "only", "freeze_path", "success_band", "cap_minutes"})


def unknown_scopes(class_id: str | None) -> tuple[str, ...]:
    """The kinds of scopes of which it is not known whether the learner stands in them; the class may be asked for."""
    return ("class_id", "group_id") if class_id is None else ("group_id",)


def book_for_strangers(rules: Iterable[Rule], book: RuleBook, *, unknown: Collection[str]) -> RuleBook:
    """The same book without what opens, pins or assigns to classes and groups that may be another's."""
    kept = [r for r in rules if r.scope.key[0] not in unknown or (r.strength == "hard" and r.verb in _CLOSING)]
    return book_of(kept, book.contents, zone=book.zone)


def stranger(learner_id: str, book: RuleBook, *, class_id: str | None) -> Who:
    """Somebody who may be in every class and group that this book knows."""
    classes = tuple(name for kind, name in book.by_scope if kind == "class_id")
    return Who(
        learner_id=learner_id,
        class_ids=classes if class_id is None else (class_id,),
        group_ids=tuple(name for kind, name in book.by_scope if kind == "group_id"),
    )
