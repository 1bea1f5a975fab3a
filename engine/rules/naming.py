"""Names in a rule that nothing and nobody has."""

from collections.abc import Iterable

from engine.domain.rule import Rule
from engine.rules.problems import Desk, Problem
from engine.rules.scope import speaks_to
from engine.rules.values import quotas_of
from engine.rules.verbs import CONTENT
from engine.rules.words import counted, named


def misnamed(rule: Rule, desk: Desk) -> list[Problem]:
    """Names that nothing has; a rule none of whose names exists can do nothing."""
    learners = {who.learner_id for who in desk.roster}
    skills = set(desk.contents.by_kind["skills"]) | set(desk.graph)
    known: dict[str, Iterable[str]] = {**desk.contents.by_kind, "learners": learners, "skills": skills}
    known["resources"] = {r.resource_id for r in desk.contents.resources if r is not None}
    names_of = {kind: tuple(getattr(rule.what, kind)) for kind in (*CONTENT, "learners")}
    if rule.verb == "formats":
        names_of["formats"] = tuple(sorted({name for _, name in quotas_of(rule)}))
    missing = {kind: [n for n in names if n not in known[kind]] for kind, names in names_of.items()}
    n_named = sum(map(len, names_of.values()))
    n_missing = sum(map(len, missing.values()))
    found = []
    if n_missing:
        what = ", ".join(
            counted(len(names), "learner") if kind == "learners" else f"{kind.removesuffix('s')} {', '.join(names[:4])}"
            for kind, names in missing.items()
            if names
        )
        words = f"{named(rule)} names what is not there: {what}. Correct it, or send it first."
        found.append(Problem("unknown", n_missing == n_named, (rule.rule_id,), words))
    if not _is_known_scope(rule, desk):
        words = f"{named(rule)} speaks to nobody known: check its {rule.scope.key[0]}."
        found.append(Problem("nobody", False, (rule.rule_id,), words))
    return found


def _is_known_scope(rule: Rule, desk: Desk) -> bool:
    return (
        rule.scope.level == 0
        or rule.scope.class_id in desk.class_ids
        or rule.scope.group_id in desk.group_ids
        or any(speaks_to(rule, who) for who in desk.roster)
    )
