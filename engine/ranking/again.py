"""What was done before and may be offered again: for a promised check, a due review, a goal with nothing new, or after
failures with nothing new that is easier.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import History
from engine.learner.menu import known_of
from engine.learner.tracing import MASTERED
from engine.ranking.learning import Learner, Teaching, aims_of
from engine.ranking.objective import failed_twice

Ints = NDArray[np.int64]
# From here on a step is likelier to succeed than to fail; with so many times the odds it is clearly easier.
EVEN, _CLEARLY = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Again:
    """Rows of the catalogue that are candidates again, ascending: all were done before.

    `spent` are skills on the way to the goal that are not mastered, for which nothing new was left. It is `lasting`
    where mastery did not have to be asked, which changes with the minute.
    """

    rows: Ints
    spent: tuple[str, ...] = ()
    lasting: bool = True

    @property
    def key(self) -> tuple[int, ...]:
        """Its rows, to be compared."""
        return tuple(self.rows.tolist())


NOTHING = Again(np.empty(0, np.int64))


def again_of(allowed: NDArray[np.bool_], learner: Learner, teaching: Teaching) -> Again:
    """What comes back beside what is `allowed` `(n_resources,)` because it is new to the learner.

    The conditions of the request and of the learner still have to hold for the rows given.
    """
    if not len(learner.history.resource_index):
        return NOTHING
    menu, needs = teaching.menu, learner.needs
    was_seen = np.zeros(len(allowed), bool)
    was_seen[learner.history.resource_index] = True
    left = _left(allowed, was_seen, learner, teaching)
    spent = _spent(left, learner, teaching) if len(left) else ()
    lasting = not len(left)
    rows = [
        *(menu.answering(menu.number[s]) for s in needs.checks if s in menu.number),
        *(menu.reviewing(menu.number[s]) for s in needs.reviews if s in menu.number),
        *(menu.teaching.of(k) for k in spent),
    ]
    if failed_twice(learner.state) and len(aims_of(learner.goal, menu)):
        rows.append(_easier(allowed, was_seen, learner, teaching))
        lasting = False
    if not rows:
        return Again(NOTHING.rows, lasting=lasting)
    comes_back = np.zeros(len(allowed), bool)
    comes_back[np.concatenate(rows)] = True
    names = tuple(menu.skills[k] for k in spent)
    return Again(np.flatnonzero(comes_back & was_seen), names, lasting=lasting)


def _left(allowed: NDArray[np.bool_], was_seen: NDArray[np.bool_], learner: Learner, teaching: Teaching) -> Ints:
    """Skills on the way to the goal that were worked on and have no candidate left."""
    menu = teaching.menu
    way = np.array(menu.closure(aims_of(learner.goal, menu).tolist()), np.int64)
    place, rows = menu.teaching.gathered(way)
    is_left = np.bincount(place, allowed[rows], len(way)) > 0
    left: Ints = way[~is_left & (np.bincount(place, was_seen[rows], len(way)) > 0)]
    return left


def _easier(allowed: NDArray[np.bool_], was_seen: NDArray[np.bool_], learner: Learner, teaching: Teaching) -> Ints:
    """What was done on skills on the way that are not mastered, and has twice the odds of all that is new there, where
    that is likelier to fail than not: who failed twice is not sent on to what is harder still.
    """
    menu = teaching.menu
    way = np.array(menu.closure(aims_of(learner.goal, menu).tolist()), np.int64)
    place, rows = menu.teaching.gathered(way)
    met = np.bincount(place, was_seen[rows], len(way)) > 0
    of_met = met[place] & (allowed[rows] | was_seen[rows])
    place, rows = place[of_met], rows[of_met]
    known = known_of(menu, rows, way[met], state=learner.state, model=teaching.model, now_us=learner.now_us)
    done, easiest = was_seen[rows], np.zeros(len(way))
    np.maximum.at(easiest, place[~done], known.p[~done])
    hard = easiest[place]
    easier = (hard < EVEN) & (known.p * (1.0 - hard) > _CLEARLY * hard * (1.0 - known.p))
    return rows[done & easier & (known.known[way[place]] < MASTERED)]


def _spent(left: Ints, learner: Learner, teaching: Teaching) -> tuple[int, ...]:
    """Those of these skills that are not mastered: mastery is asked of them alone, as it is what costs."""
    nothing = np.empty(0, np.int64)
    known = known_of(teaching.menu, nothing, left, state=learner.state, model=teaching.model, now_us=learner.now_us)
    return tuple(left[known.known[left] < MASTERED].tolist())


def added_by_again(again: Again, rows: Ints, history: History, *, weight: float) -> NDArray[np.float64]:
    """What is taken off what is offered again: `(n_rows,)`, nothing off what was done longest ago, at most `weight` off
    the last, so that what was done least lately comes first among equals.
    """
    added = np.zeros(len(rows))
    if not len(again.rows):
        return added
    done = history.resource_index
    last = np.empty(max(int(rows.max(initial=0)), int(again.rows[-1]), int(done.max(initial=0))) + 1, np.int64)
    last[done] = np.arange(len(done))
    order = np.argsort(last[again.rows], kind="stable")
    share = np.zeros(len(last))
    share[again.rows[order]] = np.arange(len(order)) / len(order)
    added -= weight * share[rows]
    return added
