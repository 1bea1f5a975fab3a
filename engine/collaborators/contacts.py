"""What happened between learners: who helped whom, who worked together, who was accepted or declined, and when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HELPED, TOGETHER, YES, NO = range(4)
_KINDS = {"helped": HELPED, "collaborated": TOGETHER, "accepted": YES, "declined": NO}
DAY_US = 86_400_000_000
WEEK_US = 7 * DAY_US
_COMPANY_DAYS = 14.0
# What was said no to stays away as long as a resource that was declined.
NO_FOR_US = 2 * WEEK_US


@dataclass(frozen=True, slots=True)
class Contacts:
    """One line for each event and pair, in no order: `who` did it to `whom`, rows of a crowd of `n`.

    `HELPED`: who helped whom. `TOGETHER`: stands twice, once for each side. `YES` and `NO`: who said it of whom.
    `outcome`: what came of it in [0, 1], NaN unknown. `at_us`: `NO_TIME` where there was no clock.
    """

    n: int
    who: Ints
    whom: Ints
    at_us: Ints
    kind: Ints
    outcome: Floats

    def before(self, now_us: int) -> "Contacts":
        """Those that had happened by then."""
        return self.where(self.at_us < now_us)

    def where(self, mask: NDArray[np.bool_] | Ints) -> "Contacts":
        """Some of them."""
        return Contacts(self.n, self.who[mask], self.whom[mask], self.at_us[mask], self.kind[mask], self.outcome[mask])

    def of_kind(self, *kinds: int) -> "Contacts":
        """Those of these kinds."""
        return self.where(np.isin(self.kind, kinds))


def contacts_of(events: Iterable[Interaction], rows: Mapping[str, int]) -> Contacts:
    """The contacts among the learners of `rows`; others, voided events and oneself drop out."""
    known = [e for e in events if e.with_learner_ids or e.kind == "voided"]
    voided = {e.voids for e in known if e.kind == "voided"}
    lines = []
    for e in known:
        kind, one = _KINDS.get(e.kind), rows.get(e.learner_id)
        if kind is None or one is None or e.event_id in voided:
            continue
        at_us, outcome = microseconds(e.at), float("nan") if e.outcome is None else e.outcome
        for other in sorted({rows[x] for x in e.with_learner_ids or () if x in rows} - {one}):
            lines.append((one, other, at_us, kind, outcome))
            if kind == TOGETHER:
                lines.append((other, one, at_us, kind, outcome))
    return contacts_from(len(rows), lines)


def grouped(groups: Iterable[tuple[int, Sequence[Sequence[int]]]], n: int) -> Contacts:
    """Who was put into one group with whom: each grouping with its time and the rows of its groups."""
    lines = [
        (one, other, at_us, TOGETHER, float("nan"))
        for at_us, members in groups
        for group in members
        for one in group
        for other in group
        if one != other
    ]
    return contacts_from(n, lines)


def joined(one: Contacts, other: Contacts) -> Contacts:
    """Both, among the same learners."""
    parts = (np.concatenate([getattr(one, x), getattr(other, x)]) for x in ("who", "whom", "at_us", "kind", "outcome"))
    return Contacts(one.n, *parts)


def contacts_from(n: int, lines: Sequence[tuple[int, int, int, int, float]]) -> Contacts:
    """Contacts out of lines of who, whom, at_us, kind and outcome."""
    who, whom, at_us, kind = (np.array([line[k] for line in lines], np.int64) for k in range(4))
    return Contacts(n, who, whom, at_us, kind, np.array([line[4] for line in lines], np.float64))


def helper_load(contacts: Contacts, now_us: int, *, weeks: int = 1) -> Ints:
    """How often each helped in these last weeks, or was told they would: `(n,)`; once a day for each partner."""
    given, asked = contacts.of_kind(HELPED), contacts.of_kind(YES)
    helper, partner = np.concatenate([given.who, asked.whom]), np.concatenate([given.whom, asked.who])
    at_us = np.concatenate([given.at_us, asked.at_us])
    lately = (at_us > now_us - weeks * WEEK_US) & (at_us <= now_us) & (at_us != NO_TIME)
    days = at_us[lately] // DAY_US
    lines = np.unique(np.stack([helper[lately], partner[lately], days]), axis=1)
    return np.bincount(lines[0], minlength=contacts.n).astype(np.int64)


def company_of(contacts: Contacts, row: int, now_us: int) -> Floats:
    """How much somebody had to do with each lately, `(n,)`: one for each time, half after two weeks; once a day."""
    near = contacts.of_kind(HELPED, TOGETHER)
    mine = ((near.who == row) | (near.whom == row)) & (near.at_us != NO_TIME) & (near.at_us <= now_us)
    other = np.where(near.who[mine] == row, near.whom[mine], near.who[mine])
    days = np.unique(np.stack([other, near.at_us[mine] // DAY_US]), axis=1)
    age = np.maximum(now_us // DAY_US - days[1], 0)
    result: Floats = np.bincount(days[0], np.exp2(-age / _COMPANY_DAYS), contacts.n).astype(np.float64)
    return result


def declined_by(contacts: Contacts, row: int, now_us: int) -> NDArray[np.bool_]:
    """To whom somebody said no within two weeks, and nothing else since: `(n,)`."""
    own = contacts.where(np.flatnonzero(contacts.who == row))
    own = own.where((own.at_us > now_us - NO_FOR_US) & (own.at_us <= now_us))
    no, yes = (np.full(contacts.n, NO_TIME, np.int64) for _ in range(2))
    for last, kind in ((no, NO), (yes, YES)):
        said = own.kind == kind
        np.maximum.at(last, own.whom[said], own.at_us[said])
    result: NDArray[np.bool_] = (no != NO_TIME) & (no >= yes)
    return result


def yes_today(contacts: Contacts, row: int, now_us: int) -> int:
    """How many peers somebody accepted within a day."""
    said = contacts.of_kind(YES)
    return int(((said.who == row) & (said.at_us > now_us - DAY_US) & (said.at_us <= now_us)).sum())
