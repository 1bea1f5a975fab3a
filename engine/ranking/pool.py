"""Which of many candidates are looked at closely: what the learner needs, and what the cheap scorers put first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.menu import Menu
from engine.learner.spans import Spans
from engine.ranking.best import best_rows

# So many candidates are looked at closely; where only relevance is asked, as many as the trees put in order.
N_LEARNING, N_UPTAKE = 120, 200
# Of each skill that is due, and of each kind of work a slate is varied with, so many find their way in.
_FOR_EACH = 4

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Offered:
    """Of each row of a catalogue, `(n_resources,)`: its place among equals, its format, whether it is inquiry work."""

    tie_break: Ints
    formats: NDArray[np.int32]
    inquiry: NDArray[np.bool_]


def pool_of(
    scores: NDArray[np.float64], allowed: NDArray[np.bool_], offered: Offered, *, n: int, wanted: Iterable[int] = ()
) -> Ints:
    """Rows of the catalogue that are looked at closely, ascending: at most `n` of the allowed ones.

    First those that are `wanted`, in their order, then the best by `scores` `(n_resources,)`; a few of another format
    and of inquiry work are always there where the catalogue has them, so that a slate can be varied.
    """
    if np.count_nonzero(allowed) <= n:
        return np.flatnonzero(allowed)
    best = best_rows(scores, allowed, offered.tie_break, n)
    rows = best
    first = _allowed(wanted, allowed)[:n]
    if first:
        others = np.ones(len(scores), bool)
        others[first] = False
        rows = np.concatenate([np.array(first, np.int64), best[others[best]]])[:n]
    # What stays in any case: the last places are for what a slate is varied with.
    head = rows[: max(n - 2 * _FOR_EACH, 1)]
    usual = offered.formats[rows[0]]
    several: list[Ints] = [head]
    if not offered.inquiry[head].any():
        several.append(best_rows(scores, allowed & offered.inquiry, offered.tie_break, _FOR_EACH))
    if not (offered.formats[head] != usual).any():
        several.append(best_rows(scores, allowed & (offered.formats != usual), offered.tie_break, _FOR_EACH))
    if len(several) > 1:
        rows = np.array(list(dict.fromkeys(np.concatenate([*several, rows]).tolist()))[:n], np.int64)
    rows.sort()
    return rows


def _allowed(wanted: Iterable[int], allowed: NDArray[np.bool_]) -> list[int]:
    """What is wanted and allowed, each once, in order."""
    rows = list(dict.fromkeys(wanted))
    return [row for row, is_allowed in zip(rows, allowed[rows].tolist(), strict=True) if is_allowed] if rows else []


def due_rows(skills: Iterable[str], menu: Menu, promising: Spans, allowed: NDArray[np.bool_]) -> list[int]:
    """The most promising resources of each of these skills, those first of which an answer may be expected."""
    rows: list[int] = []
    for skill in skills:
        mine = promising.of(menu.number[skill]) if skill in menu.number else np.empty(0, np.int64)
        mine = mine[allowed[mine]]
        mine = mine[np.argsort(~menu.answerable[mine], kind="stable")]
        rows += mine[:_FOR_EACH].tolist()
    return rows


def way_rows(way: Sequence[int], promising: Spans, allowed: NDArray[np.bool_], n: int) -> list[int]:
    """The most promising resource of each skill on the way, then the second of each, and so on: at most `n`."""
    place, rows = promising.gathered(np.array(way, np.int64))
    offered = allowed[rows]
    place, rows = place[offered], rows[offered]
    turn = np.arange(len(rows)) - place.searchsorted(place)
    return list(dict.fromkeys(rows[np.argsort(turn, kind="stable")].tolist()))[:n]
