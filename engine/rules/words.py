"""A rule in a teacher's words."""

from collections.abc import Iterable, Mapping

from engine.domain.rule import Rule, What
from engine.rules.values import FORMS
from engine.rules.verbs import KINDS, VERBS

_FOR = {"class_id": "class", "group_id": "group"}
_MOST_NAMES = 4
NOBODY: Mapping[str, str] = {}


def said(rule: Rule, titles: Mapping[str, str] = NOBODY, *, with_learners: bool = False) -> str:
    """What a rule asks for, in one phrase; `titles` are names of resources and skills by id.

    It names no learner, unless `with_learners`: for whoever may read the rule itself, never for errors and logs.
    """
    verb = VERBS[rule.verb]
    value = FORMS[verb.value].said(rule.value) if verb.value and rule.value is not None else ""
    what = _named(rule.what, titles, with_learners=with_learners)
    words = verb.says.format(what=what, value=value, of_what=f" ({what})" if what else "")
    kind, name = rule.scope.key
    one = name if with_learners else "one learner"
    whom = f" for {_FOR[kind]} {name}" if kind in _FOR else f" for {one}" if rule.scope.level else " for everybody"
    return words + whom + (" if possible" if rule.strength == "soft" else "")


def named(rule: Rule) -> str:
    """The rule by its id, as texts name it."""
    return f"“{rule.rule_id}”"


def listed(rules: Iterable[Rule], titles: Mapping[str, str] = NOBODY) -> str:
    """Several rules, each by its id with what it asks for."""
    return "; ".join(f"{named(rule)}: {said(rule, titles)}" for rule in rules)


def counted(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def _named(what: What, titles: Mapping[str, str], *, with_learners: bool) -> str:
    kinds = []
    for kind in KINDS:
        names = getattr(what, kind)
        shown = ", ".join(titles.get(n, n) for n in names[:_MOST_NAMES])
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        if kind == "learners" and names:
            kinds.append(f"{shown}{more}" if with_learners else counted(len(names), "learner"))
        elif names:
            kinds.append(f"{kind.removesuffix('s') if len(names) == 1 else kind} {shown}{more}")
    return " with ".join(kinds)
