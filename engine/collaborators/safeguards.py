"""Who may be offered to whom: class, age, wishes, teachers' rules, load and approval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.contacts import Contacts, helper_load, yes_today
from engine.collaborators.crowd import Crowd
from engine.rules.people import People

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Nobody helps more often than this in a week, whatever they know, unless a rule says otherwise.
USUAL_HELPS = 3
# Whoever said yes to so many peers within a day is offered no more until tomorrow.
YES_A_DAY = 5
# Outside the same class the grades may be no further apart than this.
GRADES_APART = 1

NOT_NEEDED, WAITING, APPROVED = "not_needed", "waiting", "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """`may` be offered, `may_help` too, `waits` for a teacher's word: `(n,)` each. `share` of each helper's week that
    is free: `(n,)` in [0, 1]. `same_class`: `(n,)`. `why` nobody at all may be, None where somebody may.
    """

    may: Bools
    may_help: Bools
    waits: Bools
    share: NDArray[np.float64]
    same_class: Bools
    why: str | None


def allowed(
    crowd: Crowd, row: int, people: People, contacts: Contacts, *, now_us: int, whole_school: bool = False
) -> Allowed:
    """Who may be offered to the learner of this row.

    Their class, unless the `whole_school` is asked for, where grades must lie close by. Who keeps to themselves is
    neither offered nor offered anybody; who is to be kept apart, or has no language in common, is not.
    """
    same_class: Bools = (crowd.member & crowd.member[row]).any(1)
    may = (same_class | _of_age(crowd, row)) if whole_school else same_class.copy()
    may &= crowd.open_ & crowd.free & _speak(crowd, row) & ~_apart(crowd, row, people)
    may[row] = False
    why = None
    if not crowd.open_[row]:
        why = "opted_out"
    elif yes_today(contacts, row, now_us) >= YES_A_DAY:
        why = "enough_for_today"
    if why is not None:
        may[:] = False
    limit, hard = _limits(crowd, people)
    load = helper_load(contacts, now_us)
    # A soft limit holds nobody back; beyond it they only come last.
    may_help = may & ((load < limit) | ~hard)
    share = np.clip(1.0 - load / np.maximum(limit, 1), 0.0, 1.0) * (limit > 0)
    asked = np.array([x in people.approval for x in crowd.learner_ids], bool)
    waits = asked | asked[row]
    return Allowed(
        may=may,
        may_help=may_help,
        waits=waits,
        share=share,
        same_class=same_class,
        why=why or (None if may.any() else "nobody"),
    )


def _of_age(crowd: Crowd, row: int) -> Bools:
    """Whose grade lies close by; where a grade is unknown, only others of unknown grade."""
    mine = crowd.grade[row]
    if np.isnan(mine):
        unknown: Bools = np.isnan(crowd.grade)
        return unknown
    close: Bools = np.abs(crowd.grade - mine) <= GRADES_APART
    return close


def _speak(crowd: Crowd, row: int) -> Bools:
    """Who has a language in common; whose languages nobody told of is understood."""
    common = (crowd.speaks & crowd.speaks[row]).any(1)
    if not crowd.speaks[row].any():
        return np.ones(len(crowd), bool)
    result: Bools = common | ~crowd.speaks.any(1)
    return result


def _apart(crowd: Crowd, row: int, people: People) -> Bools:
    """Who a rule keeps apart from them, hard or soft: there is always somebody else to work with."""
    mine, apart = crowd.learner_ids[row], np.zeros(len(crowd), bool)
    rows = crowd.rows()
    for pair in people.apart:
        if mine in pair.learners:
            other = next((x for x in pair.learners if x != mine), mine)
            apart[rows.get(other, row)] = True
    return apart


def _limits(crowd: Crowd, people: People) -> tuple[Ints, Bools]:
    told = [people.helping.get(x) for x in crowd.learner_ids]
    limit = np.array([USUAL_HELPS if one is None else one.high for one in told], np.int64)
    return limit, np.array([one is None or one.hard for one in told], bool)
