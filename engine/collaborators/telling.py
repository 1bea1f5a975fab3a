"""Groupings and conflicts as plain data, the form of report.json."""

from collections.abc import Sequence
from typing import Any

from engine.collaborators.conflict import Conflict
from engine.collaborators.counts import Count
from engine.collaborators.proposals import Grouping, Proposal
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Rule, Spec

_DIGITS = 6
# Said of a conflict that may not be the smallest.
UNDECIDED = "there was no time to find out"


def told(roster: Roster, grouping: Grouping) -> dict[str, Any]:
    """The best proposal as `report.json` has it, and the others under `proposals`."""
    first, *others = grouping.proposals
    return {
        "seed": grouping.seed,
        "seconds": round(grouping.seconds, 3),
        "steps": grouping.steps,
        "time_limit_hit": grouping.limited,
        **_proposal(roster, first),
        "bound": round(grouping.bound, _DIGITS),
        "proved_best": grouping.proved,
        "proposals": [_proposal(roster, other) for other in others],
    }


def told_of(conflict: Conflict, spec: Spec) -> dict[str, Any]:
    """The conflict, and what its rules are."""
    return {
        "conflict": list(conflict.rules),
        "irreducible": conflict.proved,
        "rules": [_about(rule) for rule in spec.rules if rule.index in conflict.rules],
    }


def sentence_on(conflict: Conflict, spec: Spec) -> str:
    """What cannot be, and what to do about it."""
    names = [rule.name for rule in spec.rules if rule.index in conflict.rules]
    if not names:
        return "no number of groups has sizes in that range for so many learners: write a wider size"
    rest = "make it soft, or change the size" if conflict.sized else "or make it soft"
    if len(names) == 1:
        return f"{names[0]} cannot hold in any grouping of this size: change it, {rest}"
    fewer = "" if conflict.proved else f"; or fewer of them, {UNDECIDED}"
    return f"{', '.join(names[:-1])} and {names[-1]} cannot all hold{fewer}: change one of them, {rest}"


def notes_on(grouping: Grouping) -> list[str]:
    """What may surprise whoever asked for several proposals: that there are fewer, and why."""
    found = len(grouping.proposals)
    if found >= grouping.n_wanted:
        return []
    if grouping.n_exist is not None:
        many = "only one grouping keeps" if found == 1 else f"only {found} different groupings keep"
        return [f"{many} the hard rules and the size, so there are not {grouping.n_wanted} proposals"]
    many = "only one grouping was" if found == 1 else f"only {found} different groupings were"
    return [
        f"{many} found, not {grouping.n_wanted}: there may be no others that keep the hard rules; "
        "to look further give more seconds or another seed"
    ]


def _proposal(roster: Roster, proposal: Proposal) -> dict[str, Any]:
    balances = [count for count in proposal.counts if count.rule.verb == "balance"]
    return {
        "objective": round(proposal.objective, _DIGITS),
        "broken": round(proposal.broken, _DIGITS),
        "rules": [_count(count) for count in proposal.counts],
        "groups": [_group(roster, proposal, balances, g) for g in range(proposal.layout.n_groups)],
    }


def _group(roster: Roster, proposal: Proposal, balances: Sequence[Count], g: int) -> dict[str, Any]:
    return {
        "group": g + 1,
        "learners": [one for one, at in zip(roster.learner_ids, proposal.groups, strict=True) if at == g],
        "means": {count.rule.by[0]: _rounded(count.means[g]) for count in balances},
    }


def _count(count: Count) -> dict[str, Any]:
    about = {**_about(count.rule), "broken": count.broken, "of": count.of, "by_group": list(count.by_group)}
    if count.rule.verb == "balance":
        about |= {"mean": _rounded(count.mean), "spread": _rounded(count.spread)}
    return about


def _about(rule: Rule) -> dict[str, Any]:
    about = {"index": rule.index, "verb": rule.verb, "strength": "hard" if rule.hard else "soft", "weight": rule.weight}
    return about | ({"by": list(rule.by) if rule.verb == "friends" else rule.by[0]} if rule.by else {})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
