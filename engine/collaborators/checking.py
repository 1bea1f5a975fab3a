"""A specification held against its roster: what it names must be there."""

from collections.abc import Sequence
from dataclasses import replace

from engine.collaborators.roster import ID, Roster, numbers_of
from engine.collaborators.spec import Rule, Spec
from engine.domain.errors import BadInput

_SHOWN = 12


def checked(roster: Roster, spec: Spec, *, allow_absent: bool = False) -> tuple[Spec, list[str]]:
    """The specification for this roster, and what its author may want to look at, without anybody's id.

    `allow_absent`: learners a rule names who are not in the roster are left out of it, instead of refused.

    Raises:
        BadInput: a column or a learner that is not in the roster, or a text where a number is needed.
    """
    rules, notes = [], list[str]()
    for rule in spec.rules:
        for column in rule.by:
            _check_column(roster, rule, column)
        present = [learner for learner in rule.learners if learner in roster.rows()]
        absent = len(rule.learners) - len(present)
        if absent and not allow_absent:
            who = "a learner who is" if absent == 1 else f"{absent} learners who are"
            raise BadInput(f"{rule.name} names {who} not in the roster: correct the id, or take it out of the rule")
        if absent:
            notes.append(f"{rule.name} names {absent} not in the roster, who were left out")
        notes += _notes(roster, rule)
        rules.append(replace(rule, learners=tuple(present)))
    return replace(spec, rules=tuple(rules)), notes


def _check_column(roster: Roster, rule: Rule, column: str) -> None:
    if column not in roster.columns:
        has = [*roster.columns][:_SHOWN]
        told = f"it has {', '.join(has)}" if has else f"it has nothing but {ID}"
        raise BadInput(f"{rule.name} asks for the column {column}, which the roster has not: {told}")
    if rule.verb == "balance":
        numbers_of(roster, column)


def _notes(roster: Roster, rule: Rule) -> Sequence[str]:
    """What is allowed but looks like a slip."""
    notes = []
    for column in rule.by:
        known = set(roster.columns[column]) - {""}
        if not known:
            notes.append(f"{rule.name}: the column {column} is empty, so the rule does nothing")
        elif missing := [value for value in rule.values if value not in known]:
            notes.append(f"{rule.name}: nobody has {missing[0]} in the column {column}")
    if rule.verb == "avoid_repeat" and not {met.learner_id for met in rule.past} & set(roster.learner_ids):
        notes.append(f"{rule.name}: nobody of this roster was in a group before")
    return notes
