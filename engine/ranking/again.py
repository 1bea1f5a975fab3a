"""What was done before and may be offered again: for a promised check, a due review, or a goal with nothing new."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.learner.menu import known_of
from engine.ranking.learning import Learner, Teaching
from engine.ranking.worth import MASTERED

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Again:
    """Rows of the catalogue that are candidates again, ascending: all were done before.

    `spent` are skills on the way to the goal that are not mastered, for which nothing new was left.
    """

    rows: NDArray[np.int64]
    spent: tuple[str, ...] = ()


NOTHING = Again(np.empty(0, np.int64))


def again_of(candidates: Rows, learner: Learner, teaching: Teaching) -> Again:
    """What comes back beside these candidates, `(n_candidates,)` rows that are new to the learner.

    The conditions of the request and of the learner still have to hold for the rows given.
    """
    seen = learner.history.seen
    if not len(seen):
        return NOTHING
    spent = _spent(candidates, seen, learner, teaching)
    taught = [
        *(teaching.answer_rows.get(s) for s in learner.needs.checks),
        *(teaching.review_rows(s) for s in learner.needs.reviews),
        *(teaching.skill_rows.get(s) for s in spent),
    ]
    rows = [found for found in taught if found is not None]
    if not rows:
        return NOTHING
    return Again(np.intersect1d(np.concatenate(rows), seen).astype(np.int64), spent)


def _spent(candidates: Rows, seen: Rows, learner: Learner, teaching: Teaching) -> tuple[str, ...]:
    """Skills on the way to the goal that were worked on, have no candidate left and are not mastered."""
    menu = teaching.menu
    aims = sorted({menu.number[s] for s in learner.goal if s in menu.number})
    if not aims:
        return ()
    is_new, was_seen = np.zeros(len(menu.minutes), bool), np.zeros(len(menu.minutes), bool)
    is_new[candidates], was_seen[seen] = True, True
    taught = {k: teaching.skill_rows.get(menu.skills[k]) for k in menu.closure(aims)}
    left = [k for k, rows in taught.items() if rows is not None and was_seen[rows].any() and not is_new[rows].any()]
    if not left:
        return ()
    # Mastery is asked of these alone, and only where there are any: it is what costs.
    asked = np.array(left, np.int64)
    known = known_of(
        menu, np.empty(0, np.int64), asked, state=learner.state, model=teaching.model, now_us=learner.now_us
    )
    return tuple(menu.skills[k] for k in left if known.mastery[k] < MASTERED)


def added_by_again(again: Again, candidates: Rows, history: History, *, weight: float) -> NDArray[np.float64]:
    """What is taken off what is offered again: `(n_candidates,)`, nothing off what was done longest ago, at most
    `weight` off the last, so that what was done least lately comes first among equals.
    """
    added = np.zeros(len(candidates))
    if not len(again.rows):
        return added
    last = {int(row): place for place, row in enumerate(history.resource_index.tolist())}
    order = sorted(again.rows.tolist(), key=lambda row: (last[row], row))
    place = {row: n / len(order) for n, row in enumerate(order)}
    for at in np.flatnonzero(np.isin(candidates, again.rows)).tolist():
        added[at] = -weight * place[int(candidates[at])]
    return added
