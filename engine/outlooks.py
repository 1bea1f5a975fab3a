"""The chances and the minutes of what was chosen, for several decisions in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.fold import fresh
from engine.learner.mastery import ResourceOutlook
from engine.learner.menu import Known, Menu, expected
from engine.learner.state import LearnerState
from engine.options import Answered, Settled


def outlooks_of(found: Sequence[tuple[Answered, Settled]]) -> list[Sequence[ResourceOutlook]]:
    """Chance and minutes of what was chosen, for each decision.

    For nobody in particular they are those of who is not known yet. Where learning did not say them already, the
    learner model is asked for all decisions at once.
    """
    told: list[Sequence[ResourceOutlook]] = [()] * len(found)
    asked: list[_AskedOf] = []
    for nth, (answered, settled) in enumerate(found):
        ranked, chosen, now_us = settled.ranked, settled.slate.chosen, answered.query.minute_us
        kept = [said for state, at_us, said in settled.seen if state is answered.state and at_us == now_us]
        if kept:
            told[nth] = kept[0]
        elif ranked.learning is not None and answered.teaching is not None:
            told[nth] = _told(answered.teaching.menu, ranked.learning.known, chosen)
        elif answered.learner is None or answered.teaching is None:
            rows = ranked.rows[list(chosen)].tolist()
            resources = [r for row in rows if (r := answered.catalogue.resources[row]) is not None]
            told[nth] = [ResourceOutlook(None, r.minutes) for r in resources]
        else:
            state = answered.state or fresh(answered.learner, answered.offer)
            asked.append(_AskedOf(nth, ranked.rows[np.array(chosen, np.int64)], state, now_us))
    if asked:
        _tell(told, asked, found[asked[0].nth][0])
    for said, (answered, settled) in zip(told, found, strict=True):
        settled.seen[:] = [(answered.state, answered.query.minute_us, said)]
    return told


@dataclass(frozen=True, slots=True)
class _AskedOf:
    """Rows that a learner's state is asked about at a moment, for the `nth` decision."""

    nth: int
    rows: NDArray[np.int64]
    state: LearnerState
    now_us: int


def _tell(told: list[Sequence[ResourceOutlook]], asked: Sequence[_AskedOf], answered: Answered) -> None:
    """Fill in what the learner model says of these, in one pass."""
    assert answered.teaching is not None
    assert answered.learner is not None
    menu = answered.teaching.menu
    p, minutes = expected(menu, [(one.rows, one.state, one.now_us) for one in asked], model=answered.learner)
    at = 0
    for one in asked:
        some = slice(at, at + len(one.rows))
        told[one.nth] = [ResourceOutlook(*pair) for pair in zip(p[some].tolist(), _said(minutes[some]), strict=True)]
        at = some.stop


def _said(minutes: NDArray[np.float64]) -> list[float | None]:
    """Minutes, None where nobody can say."""
    return [None if x != x else x for x in minutes.tolist()]


def _told(menu: Menu, known: Known, places: Sequence[int]) -> list[ResourceOutlook]:
    """Chance and minutes of some of what is known; minutes only where the log or the catalogue says any."""
    at = np.array(places, np.int64)
    told, p = menu.tells_minutes[known.rows[at]].tolist(), known.p[at].tolist()
    minutes = known.takes.with_those(at)[at].tolist()
    return [ResourceOutlook(p[k], minutes[k] if told[k] else None) for k in range(len(at))]
