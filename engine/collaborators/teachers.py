"""Teachers' rules about people, and what is known of a class, as lines of a specification that groups are made by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from engine.collaborators.edits import Pair
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Met, Rule, Size, Spec
from engine.domain.grouping import Grouping
from engine.rules.people import Limit, People

REQUEST, LOCKED, RULE, HISTORY, EDITS, MODE = "request", "locked", "rule", "history", "edits", "mode"
_USUAL_SIZE = Size(4)
# Pairs of so many groupings before are avoided: of more they cannot all be, and the last ones count most.
ROUNDS_APART = 4
_COMPANY = "_company"
_NO_NUMBERS: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """A rule of the specification and where it comes from: `place` in the request, `rule_ids` of teachers' rules."""

    rule: Rule
    origin: str
    place: int | None = None
    rule_ids: tuple[str, ...] = ()


def size_under(asked: Size | None, limit: Limit | None) -> tuple[Size, bool]:
    """The size to group by: what was asked for, else what a rule says, else four; and whether it keeps a hard rule."""
    ruled = None if limit is None else Size(limit.low, limit.high)
    if asked is None:
        return ruled or _USUAL_SIZE, True
    if limit is None or not limit.hard:
        return asked, True
    # Without an upper end, leftovers make some groups larger by one.
    high = asked.low + 1 if asked.high is None else asked.high
    return asked, limit.low <= asked.low and (high <= limit.high or (asked.high is None and asked.low <= limit.high))


def fewest_groups(size: Size, n: int) -> int:
    """So many groups of this size `n` learners come to at least."""
    return max(n // size.low if size.high is None else -(-n // size.high), 1)


def lines_of(
    people: People, roster: Roster, numbers: Mapping[str, int] = _NO_NUMBERS
) -> tuple[list[Line], dict[str, tuple[str, ...]]]:
    """The rules about people among these learners, with the columns that some of them look at.

    `numbers` are those of groups by their ids, so that who is locked in a group finds it under the number it had.
    """
    there, columns = roster.rows(), dict[str, tuple[str, ...]]()
    lines = []
    for verb, pairs in (("keep_apart", people.apart), ("keep_together", people.together)):
        for pair in pairs:
            if all(x in there for x in pair.learners):
                rule = Rule(index=0, verb=verb, hard=pair.hard, learners=pair.learners)
                lines.append(Line(rule, RULE, rule_ids=pair.rule_ids))
    for number, company in enumerate(people.company):
        # Of a single one who is there no group could have two.
        if sum(x in there for x in company.learners) > 1:
            name = f"{_COMPANY}{number}"
            columns[name] = tuple("y" if x in company.learners else "n" for x in roster.learner_ids)
            rule = Rule(index=0, verb="no_one_alone", hard=company.hard, by=(name,), values=("y",))
            lines.append(Line(rule, RULE, rule_ids=(company.rule_id,)))
    for group, number in _places({x.group_id for x in people.locks if x.learner_id in there}, numbers).items():
        mine = [x for x in people.locks if x.group_id == group and x.learner_id in there]
        for hard in (True, False):
            who = tuple(sorted({x.learner_id for x in mine if x.hard == hard}))
            if who:
                rule = Rule(index=0, verb="lock", hard=hard, learners=who, group=number)
                lines.append(Line(rule, RULE, rule_ids=tuple(sorted({x.rule_id for x in mine if x.hard == hard}))))
    return lines, columns


def silent_among(people: People, roster: Roster) -> list[str]:
    """Notes on rules that say nothing today, since of those they name fewer than two are there to keep company."""
    there = roster.rows()
    silent = sum(bool(one.learners) and sum(x in there for x in one.learners) < 2 for one in people.company)
    if not silent:
        return []
    many = (
        "a rule of the school (no_one_alone) is" if silent == 1 else f"{silent} rules of the school (no_one_alone) are"
    )
    return [f"{many} silent today: fewer than two of the learners named are grouped"]


def _places(group_ids: set[str], numbers: Mapping[str, int]) -> dict[str, int]:
    """A number for each group: the one it had, else the least that none of them has."""
    places = {group: numbers[group] for group in sorted(group_ids) if group in numbers}
    free = (number for number in count(1) if number not in places.values())
    return places | {group: next(free) for group in sorted(group_ids - places.keys())}


def history_of(groupings: Sequence[Grouping]) -> tuple[Met, ...]:
    """Who was in which group in each of the last groupings, which come newest first."""
    return tuple(
        Met(grouping.grouping_id, str(number), x)
        for grouping in groupings[:ROUNDS_APART]
        for number, group in enumerate(grouping.groups, 1)
        for x in group.learner_ids
    )


def wishes_of(edits: Mapping[Pair, float], roster: Roster) -> list[Line]:
    """What a teacher's changes say, as soft rules with their weights."""
    there = roster.rows()
    return [
        Line(
            Rule(
                index=0,
                verb="keep_together" if weight > 0 else "keep_apart",
                hard=False,
                weight=abs(weight),
                learners=pair,
                after=True,
            ),
            EDITS,
        )
        for pair, weight in sorted(edits.items())
        if weight and all(x in there for x in pair)
    ]


def numbered_in(lines: Sequence[Line]) -> tuple[Rule, ...]:
    """The rules of these lines, each with its place among them as its index."""
    return tuple(replace(line.rule, index=at) for at, line in enumerate(lines))


def spec_with(size: Size, lines: Sequence[Line]) -> Spec:
    """The specification of these lines."""
    return Spec(size, numbered_in(lines))
