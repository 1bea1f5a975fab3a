"""How first offers spread over a class before anybody has accepted anything: everybody asks once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.collaborators.affinity import USUAL
from engine.collaborators.contacts import DAY_US, contacts_from
from engine.collaborators.crowd import Crowd
from engine.collaborators.discretion import few_who_know
from engine.collaborators.fairness import gini
from engine.collaborators.peers import Peer, Wish, peers_for
from engine.collaborators.safeguards import Allowed, allowed
from engine.rules.people import People
from experiments.simulation.term import NEWCOMER, OPTED_OUT, N, class_of, seen_of

_NOBODY = People(apart=(), together=(), locks=(), company=(), size=None, helping={}, approval={}, conflict=())
_DAY = 20_000
_NAMES = (
    "first for somebody", "Gini of first places", "first for the most", "among somebody's three",
    "the newcomer is among somebody's three", "what the first is worth less than the best",
)  # fmt: skip
_TOLD = {False: "by worth alone", True: "with the turn of the day"}


@dataclass(frozen=True, slots=True)
class _Asking:
    """How a class is asked: as pupils ask, who are told of few, and with the turn of the day or without."""

    as_pupils: bool
    with_turn: bool


def first_offers(*, n_classes: int = 40, seed: int = 300) -> str:
    """Both orders over classes of 28, as pupils and as a teacher asks, in Markdown."""
    rows = ["| asked by | order | " + " | ".join(_NAMES) + " |", "|--|--|" + "--:|" * len(_NAMES)]
    for as_pupils in (True, False):
        for with_turn in (False, True):
            how = _Asking(as_pupils, with_turn)
            told = np.array([spread(seed + n, how) for n in range(n_classes)]).mean(0)
            figures = " | ".join(f"{x:.3f}" for x in told)
            rows.append(f"| {'pupils' if as_pupils else 'a teacher'} | {_TOLD[with_turn]} | {figures} |")
    return "\n".join(rows)


def spread(seed: int, how: _Asking) -> tuple[float, ...]:
    """One class where everybody asks once: the figures of `_NAMES`, of those who take part."""
    crowd = seen_of(class_of(seed))
    there = [i for i in range(N) if i != OPTED_OUT]
    asked = [_asked(crowd, i, how) for i in there]
    first = np.bincount([rows[0] for rows, _ in asked], minlength=N)[there].astype(np.float64)
    among = {j for rows, _ in asked for j in rows}
    return (
        float((first > 0).mean()),
        gini(first),
        float(first.max()),
        len(among) / len(there),
        float(NEWCOMER in among),
        float(np.mean([less for _, less in asked])),
    )


def _asked(crowd: Crowd, row: int, how: _Asking) -> tuple[Sequence[int], float]:
    """The first three for one learner, and the share by which the first is worth less than the best."""
    contacts = contacts_from(N, [])
    may = allowed(crowd, row, _NOBODY, contacts, now_us=_DAY * DAY_US)
    if not how.with_turn:
        may = replace(may, lot=np.ones(N))
    if how.as_pupils:
        few = few_who_know(
            crowd,
            row,
            people=_NOBODY,
            allowed=may,
            contacts=contacts,
            affinity=USUAL,
            since_us=_DAY * DAY_US,
        )
        may = replace(may, few=few)
    found = _offered(crowd, row, may, 3)
    worth = {one.row: one.score for one in _offered(crowd, row, replace(may, lot=np.ones(N)), N)}
    return [one.row for one in found], 1.0 - worth[found[0].row] / max(worth.values())


def _offered(crowd: Crowd, row: int, may: Allowed, k: int) -> list[Peer]:
    contacts, now_us = contacts_from(N, []), _DAY * DAY_US
    return peers_for(crowd, row, Wish(k=k), allowed=may, contacts=contacts, affinity=USUAL, now_us=now_us)
