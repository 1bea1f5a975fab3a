"""Who may be offered to whom: class, age, wishes, teachers' rules, load and approval."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import Standing, standing_of
from engine.collaborators.contacts import DAY_US, Contacts, declined_by, yes_today
from engine.collaborators.crowd import Crowd
from engine.collaborators.lots import lots_of
from engine.rules.people import People

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Nobody helps more often than this in a week, whatever they know, unless a rule says otherwise.
USUAL_HELPS = 3
# Whoever said yes to so many peers within a day is offered no more until tomorrow.
YES_A_DAY = 5
_FARTHEST = 8.0
# Outside the same class the grades may be no further apart than this.
GRADES_APART = 1

NOT_NEEDED, WAITING, APPROVED = "not_needed", "waiting", "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """`may` be offered, `may_help` too, `waits` for a teacher's word, is in the `same_class`: `(n,)` each.

    `helped` so often of `limit` times this week: `(n,)` each; `share` of each helper's week that is free: `(n,)` in
    [0, 1]. `turn`: `(n,)`, above one for those asked less than others lately; `lot`: `(n,)`, above one for those who
    come first today where others fit about as well. `declined`: `(n,)`, to whom the learner said no lately.

    `why` nobody at all may be offered, None where somebody may. `few`: of whom it may be shown that they know a skill,
    `(n, n_skills)`; None of everybody.
    """

    may: Bools
    may_help: Bools
    waits: Bools
    helped: Ints
    limit: Ints
    share: NDArray[np.float64]
    turn: NDArray[np.float64]
    lot: NDArray[np.float64]
    declined: Bools
    same_class: Bools
    why: str | None
    few: Bools | None = None


def allowed(
    crowd: Crowd,
    row: int,
    people: People,
    contacts: Contacts,
    *,
    now_us: int,
    whole_school: bool = False,
    standing: Standing | None = None,
    refused: Collection[str] = (),
) -> Allowed:
    """Who may be offered to the learner of this row.

    Their class, unless the `whole_school` is asked for, where grades must lie close by. Who keeps to themselves is
    neither offered nor offered anybody; who is to be kept apart, or has no language in common, is not, nor are those
    with whom a teacher `refused` contact, by id. The turn of the day is that of UTC.
    """
    at, rows = standing or standing_of(contacts, now_us), crowd.rows() if refused or _names(people) else {}
    same_class = np.asarray(crowd.member[:, crowd.member[row]].any(1))
    may = (same_class | _of_age(crowd, row)) if whole_school else same_class.copy()
    may &= crowd.open_ & crowd.free & _speak(crowd, row)
    may[_apart(crowd.learner_ids[row], people, rows)] = False
    may[[rows[x] for x in refused if x in rows]] = False
    may[row] = False
    why = None
    if not crowd.open_[row]:
        why = "opted_out"
    elif yes_today(contacts, row, now_us) >= YES_A_DAY:
        why = "enough_for_today"
    if why is not None:
        may[:] = False
    limit, hard = _limits(len(crowd), people, rows)
    waits = np.zeros(len(crowd), bool)
    waits[[rows[x] for x in people.approval if x in rows]] = True
    return Allowed(
        may=may,
        # A soft limit holds nobody back; beyond it they only come last.
        may_help=may & ((at.load < limit) | ~hard),
        waits=waits | waits[row],
        helped=at.load,
        limit=limit,
        share=_share(at.load, limit),
        turn=_turn(at, may),
        lot=lots_of(len(crowd), row, now_us // DAY_US),
        declined=declined_by(contacts, row, now_us),
        same_class=same_class,
        why=why or (None if may.any() else "nobody"),
    )


def as_it_was(now: Allowed, crowd: Crowd, people: People, before: Standing) -> Allowed:
    """The same learners, with the load and the turns that there were at a moment before."""
    limit, hard = _limits(len(crowd), people, crowd.rows())
    return replace(
        now,
        may_help=now.may & ((before.load < limit) | ~hard),
        helped=before.load,
        limit=limit,
        share=_share(before.load, limit),
        turn=_turn(before, now.may),
    )


def _share(load: Ints, limit: Ints) -> NDArray[np.float64]:
    free: NDArray[np.float64] = np.clip(1.0 - load / np.maximum(limit, 1), 0.0, 1.0) * (limit > 0)
    return free


def _names(people: People) -> bool:
    return bool(people.apart or people.helping or people.approval)


def _turn(at: Standing, may: Bools) -> NDArray[np.float64]:
    """Everybody's chance to be asked evens out: half for each time they were asked more often than others lately."""
    asked = at.asked.astype(np.float64)
    usual = float(asked[may].mean()) if may.any() else 0.0
    result: NDArray[np.float64] = np.exp2(np.clip(usual - asked, -_FARTHEST, _FARTHEST))
    return result


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
    mine = crowd.speaks[row]
    if not mine.any():
        return np.ones(len(crowd), bool)
    return np.asarray(crowd.speaks[:, mine].any(1) | ~crowd.speaks.any(1))


def _apart(mine: str, people: People, rows: Mapping[str, int]) -> list[int]:
    """Who a rule keeps apart from them, hard or soft: there is always somebody else to work with."""
    others = [x for pair in people.apart if mine in pair.learners for x in pair.learners if x != mine]
    return [rows[x] for x in others if x in rows]


def _limits(n: int, people: People, rows: Mapping[str, int]) -> tuple[Ints, Bools]:
    limit, hard = np.full(n, USUAL_HELPS, np.int64), np.ones(n, bool)
    for learner_id, told in people.helping.items():
        if learner_id in rows:
            limit[rows[learner_id]], hard[rows[learner_id]] = told.high, told.hard
    return limit, hard
