"""What is wrong with a new or changed rule beside all others, told at the desk and not in class."""

from collections.abc import Iterable, Iterator, Sequence

from engine.domain.rule import Rule
from engine.rules.compiled import book_of
from engine.rules.conflicts import conflict_with
from engine.rules.contradictions import contradictions, may_contradict
from engine.rules.foresight import without_anything, without_what_is_needed
from engine.rules.naming import misnamed
from engine.rules.people import binding, can_group, counted_among
from engine.rules.plan import Plan
from engine.rules.problems import Desk, Problem
from engine.rules.scope import Who, speaks_to
from engine.rules.times import FOREVER, window
from engine.rules.verbs import VERBS
from engine.rules.words import listed, named

SAYS = {
    "put_in_and_taken_out": "One rule puts a resource in and another takes it out",
    "longer_than_allowed": "A resource that is put in takes longer than the minutes allowed",
    "least_above_most": "At least more of a format are asked for than at most allowed",
    "more_pinned_than_allowed": "More of a format are pinned than allowed",
    "pace_above_limit": "The least pace is above what a week may have",
    "bands_apart": "The bands have no chance of success in common",
    "two_values": "The same skill is set to different values",
    "nothing_left": "Nothing is left to show",
    "nothing_left_of_it": "Nothing is left of what a rule asks for",
    "no_groups": "No groups can keep these rules",
}


def problems_with(rule: Rule, others: Iterable[Rule], desk: Desk) -> tuple[Problem, ...]:
    """Everything wrong with a rule beside the others (an earlier version of itself is not one), refusals first."""
    beside = [r for r in others if r.rule_id != rule.rule_id]
    if window(rule, desk.zone)[1] <= desk.now_us:
        return (Problem("over", True, (rule.rule_id,), f"{named(rule)} is over already: give it a later until."),)
    found = misnamed(rule, desk)
    if VERBS[rule.verb].people:
        found += _among_people(rule, beside, desk)
    else:
        found += _among_resources(rule, beside, desk)
    return tuple(sorted(dict.fromkeys(found), key=lambda p: not p.refuses))


def _moments(rule: Rule, others: Iterable[Rule], desk: Desk) -> list[int]:
    """Now or when the rule begins, and each later moment while it holds at which another begins or ends."""
    begins, ends = window(rule, desk.zone)
    first = max(begins, desk.now_us)
    turns = {t for r in others for t in window(r, desk.zone)}
    return [first, *sorted(t for t in turns if first < t < min(ends, FOREVER))]


def _whos(rule: Rule, others: Sequence[Rule], desk: Desk) -> list[Who]:
    """Learners of the roster under the rule, one for each set of scopes; and one that is not there yet."""
    kind, name = rule.scope.key
    nobody = "" if kind != "learner_id" else name
    imagined = Who(
        learner_id=nobody,
        class_ids=(name,) if kind == "class_id" else (),
        group_ids=(name,) if kind == "group_id" else (),
    )
    used = {r.scope.key for r in (*others, rule)}
    alike = {tuple(key for key in w.keys if key in used): w for w in (imagined, *desk.roster) if speaks_to(rule, w)}
    return list(alike.values())


def _among_resources(rule: Rule, others: Sequence[Rule], desk: Desk) -> list[Problem]:
    found: list[Problem] = []
    for plan in _plans(rule, [r for r in others if may_contradict(rule, r)], desk):
        found += [_said(one.kind, one.rules, desk) for one in contradictions(rule, plan)]
    book = book_of([*others, rule], desk.contents, zone=desk.zone)
    return [*found, *without_what_is_needed(rule, book, desk), *without_anything(rule, book, desk)]


def _said(kind: str, rules: Sequence[Rule], desk: Desk) -> Problem:
    words = f"{SAYS[kind]}: {listed(rules, desk.titles)}. End one of them or make it soft."
    return Problem(kind, True, tuple(r.rule_id for r in rules), words)


def _plans(rule: Rule, others: Sequence[Rule], desk: Desk) -> Iterator[Plan]:
    """One plan for each set of these rules that anybody is under together with this one, at any time."""
    book = book_of([*others, rule], desk.contents, zone=desk.zone)
    seen: set[tuple[str, ...]] = set()
    moments = _moments(rule, others, desk)
    for who in _whos(rule, others, desk):
        for moment in moments:
            ids = tuple(r.rule_id for r in book.in_force(who, moment))
            if rule.rule_id in ids and ids not in seen:
                seen.add(ids)
                yield book.plan(who, moment)


def _among_people(rule: Rule, others: Sequence[Rule], desk: Desk) -> list[Problem]:
    """Class by class, for groups are formed in classes; and of all who are in none."""
    class_ids = sorted({c for who in desk.roster for c in who.class_ids})
    rosters = [[who for who in desk.roster if c in who.class_ids] for c in class_ids]
    rosters.append([who for who in desk.roster if not who.class_ids])
    found = []
    for roster in rosters:
        for moment in _moments(rule, others, desk):
            known = binding(counted_among([*others, rule], roster, now_us=moment, zone=desk.zone))
            if rule in known and (conflict := conflict_with(rule, known, can_group(roster))):
                found.append(_said("no_groups", conflict, desk))
    return found
