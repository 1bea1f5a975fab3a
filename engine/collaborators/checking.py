"""A specification held against its roster: what it names must be there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.collaborators.mistakes import told_at_once
from engine.collaborators.roster import ID, Roster, numbers_in
from engine.collaborators.spec import Rule, Size, Spec
from engine.domain.errors import BadInput

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Words:
    """How mistakes are told to whoever made them: where learners and columns come from, and whether by name.

    `named`: learners are called by their ids, for those alone who read files of their own.
    """

    learners: str = "in the roster"
    columns: str = "the roster has not"
    nothing: str = f"it has nothing but {ID}"
    named: bool = False


ROSTER = Words()


def checked(roster: Roster, spec: Spec, *, allow_absent: bool = False, words: Words = ROSTER) -> tuple[Spec, list[str]]:
    """The specification for this roster, and what its author may want to look at.

    `allow_absent`: learners a rule names who are not in the roster are left out of it, instead of refused.

    Raises:
        BadInput: columns or learners that are not in the roster, or texts where numbers are needed; all there are.
    """
    rules, notes, mistakes = [], size_notes(spec.size, len(roster)), list[str]()
    rows = roster.rows()
    for rule in spec.rules:
        wrong = mistakes_in(roster, rule, allow_absent=allow_absent, words=words)
        absent = [learner for learner in rule.learners if learner not in rows]
        if absent and not wrong:
            notes.append(f"{_told(rule, absent, words)} and {'was' if len(absent) == 1 else 'were'} left out")
        notes += [] if wrong else _notes(roster, rule)
        mistakes += wrong
        rules.append(replace(rule, learners=tuple(learner for learner in rule.learners if learner in rows)))
    if mistakes:
        raise BadInput(told_at_once(mistakes))
    return replace(spec, rules=tuple(rules)), notes


def mistakes_in(roster: Roster, rule: Rule, *, allow_absent: bool = False, words: Words = ROSTER) -> list[str]:
    """What one rule asks for that the roster has not, each in a sentence."""
    wrong = [mistake for column in rule.by for mistake in _in_column(roster, rule, column, words)]
    rows = roster.rows()
    absent = [learner for learner in rule.learners if learner not in rows]
    if absent and not allow_absent:
        wrong.append(f"{_told(rule, absent, words)}: correct the id, or take it out of the rule")
    return wrong


def _told(rule: Rule, absent: Sequence[str], words: Words) -> str:
    return f"{rule.name} names {_who(absent, words)} not {words.learners}"


def size_notes(size: Size, n: int) -> list[str]:
    """Where a size leaves a class of `n` in one group, though another size was asked for."""
    if size.high is not None or size.low == n or n >= 2 * size.low or n == 1:
        return []
    if size.low > n:
        return [f"size {size.low} is more than the {n} learners there are, who make one group"]
    return [f"size {size.low} goes only once into {n} learners, who make one group"]


def _listed(ids: Sequence[str]) -> str:
    shown = [*ids[:_SHOWN], *(["others"] if len(ids) > _SHOWN else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _who(ids: Sequence[str], words: Words) -> str:
    if words.named:
        return f"{_listed(ids)}, who {'is' if len(ids) == 1 else 'are'}"
    return "a learner who is" if len(ids) == 1 else f"{len(ids)} learners who are"


def _in_column(roster: Roster, rule: Rule, column: str, words: Words) -> list[str]:
    """What is wrong with a column a rule asks for."""
    if column not in roster.columns:
        has = [*roster.columns][:_SHOWN]
        told = f"it has {', '.join(has)}" if has else words.nothing
        return [f"{rule.name} asks for the column {column}, which {words.columns}: {told}"]
    wrong = numbers_in(roster, column)[1] if rule.verb == "balance" else []
    if not wrong:
        return []
    who = _listed([roster.learner_ids[i] for i in wrong]) if words.named else f"{len(wrong)} of the learners"
    return [
        f"{rule.name}: {who} {'has' if len(wrong) == 1 else 'have'} no number in the column {column}: "
        "write one, or leave it empty if it is not known"
    ]


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
