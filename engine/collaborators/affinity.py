"""Who is likely to answer whom, from what happened between learners so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.contacts import DAY_US, HELPED, NO, TOGETHER, YES, Contacts
from engine.domain.history import NO_TIME

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Days after which a contact counts half: what is going on now, and what stays.
HALF_LIVES = (4.0, 30.0)
_SAID_PRIOR, _OUTCOME_PRIOR, _EVEN = 4.0, 3.0, 0.5
NAMES = (
    "answered_lately", "answered", "answers_back_lately", "answers_back", "together", "gives_lately", "gives",
    "is_answered_lately", "is_answered", "partners", "silent_days", "same_class", "dealings", "friends_of_friends",
    "said_yes", "outcome",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Affinity:
    """Weights of `NAMES`: `asks` for who answers somebody, `answers` for whom somebody answers; `(n_features,)`."""

    asks: Floats
    answers: Floats

    def as_json(self) -> dict[str, Any]:
        """As a bundle keeps it: weights and nothing else, so no learner is in it."""
        told = {"asks": self.asks, "answers": self.answers}
        return {side: dict(zip(NAMES, map(float, weights), strict=True)) for side, weights in told.items()}


def affinity_from(told: Mapping[str, Any] | None) -> Affinity:
    """The weights of a bundle's settings, or the usual ones where it has none; unknown names weigh nothing."""
    if not told:
        return USUAL
    asks, answers = (np.array([float(told[side].get(name, 0.0)) for name in NAMES]) for side in ("asks", "answers"))
    return Affinity(asks, answers)


def features_of(contacts: Contacts, row: int, now_us: int, *, asks: bool, same_class: Bools | None = None) -> Floats:
    """What happened so far, for one learner and everybody: `(n, n_features)`.

    With `asks` the others are looked at as those who may answer this learner, else as those this learner may answer.
    Only contacts before `now_us` may be in it. `same_class`: `(n,)`, nobody where it is left out.
    """
    n, kind = contacts.n, contacts.kind
    giver, taker = (contacts.who, contacts.whom) if asks else (contacts.whom, contacts.who)
    lately, stays = _decayed(contacts.at_us, now_us)
    helped, together = kind == HELPED, kind == TOGETHER
    to_me, by_me = helped & (taker == row), helped & (giver == row)
    mine, friends = _near(contacts, row, stays)
    said = np.where(kind == YES, 1.0, -1.0) * np.isin(kind, (YES, NO))
    pair = (contacts.who == row) | (contacts.whom == row)
    other = np.where(contacts.who == row, contacts.whom, contacts.who)
    marked = pair & ~np.isnan(contacts.outcome) & (helped | together)
    columns = [
        np.log1p(_summed(giver, to_me, lately, n)),
        np.log1p(_summed(giver, to_me, stays, n)),
        np.log1p(_summed(taker, by_me, lately, n)),
        np.log1p(_summed(taker, by_me, stays, n)),
        np.log1p(_summed(contacts.who, together & (contacts.whom == row), stays, n)),
        np.log1p(_summed(giver, helped, lately, n)),
        np.log1p(_summed(giver, helped, stays, n)),
        np.log1p(_summed(taker, helped, lately, n)),
        np.log1p(_summed(taker, helped, stays, n)),
        np.log1p(_partners(giver[helped], taker[helped], n)),
        np.log1p(_silent_days(contacts, now_us)),
        np.zeros(n) if same_class is None else same_class.astype(np.float64),
        np.log1p(mine),
        np.log1p(friends),
        _shrunken(_summed(other, pair, said, n), _summed(other, pair, np.abs(said), n), _SAID_PRIOR),
        _shrunken(
            _summed(other, marked, np.nan_to_num(contacts.outcome) - _EVEN, n),
            _summed(other, marked, np.ones(len(other)), n),
            _OUTCOME_PRIOR,
        ),
    ]
    return np.stack(columns, axis=1)


def likely(affinity: Affinity, contacts: Contacts, row: int, now_us: int, same_class: Bools | None = None) -> Floats:
    """How well anybody would go with this learner, both ways, in (0, 1): `(n,)`, one half for the middle of them."""
    ways = ((affinity.asks, True), (affinity.answers, False))
    score = sum(features_of(contacts, row, now_us, asks=asks, same_class=same_class) @ w for w, asks in ways)
    told: Floats = np.asarray(score) / len(ways)
    others = np.delete(told, row)
    middle = float(np.median(others)) if len(others) else 0.0
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(told - middle, -30, 30)))
    return result


def _decayed(at_us: NDArray[np.int64], now_us: int) -> list[Floats]:
    """The weight of each contact by its age, for each half-life; one where there was no clock."""
    days = np.where(at_us == NO_TIME, 0.0, np.maximum(now_us - at_us.astype(np.float64), 0.0) / DAY_US)
    return [np.exp2(-days / half_life) for half_life in HALF_LIVES]


def _summed(of: NDArray[np.int64], mask: Bools, weight: Floats, n: int) -> Floats:
    result: Floats = np.bincount(of[mask], weight[mask], n).astype(np.float64)
    return result


def _partners(giver: NDArray[np.int64], taker: NDArray[np.int64], n: int) -> Floats:
    """How many different learners each gave to: a few who ask often are no popularity."""
    pairs = np.unique(giver * n + taker)
    return np.bincount(pairs // n, minlength=n).astype(np.float64)


def _silent_days(contacts: Contacts, now_us: int) -> Floats:
    last = np.full(contacts.n, NO_TIME, np.int64)
    np.maximum.at(last, contacts.who, contacts.at_us)
    days = (now_us - last.astype(np.float64)) / DAY_US
    return np.clip(np.where(last == NO_TIME, 365.0, days), 0.0, 365.0)


def _near(contacts: Contacts, row: int, weight: Floats) -> tuple[Floats, Floats]:
    """How much each had to do with this learner whatever the direction, and with those who had: `(n,)` both."""
    n, real = contacts.n, np.isin(contacts.kind, (HELPED, TOGETHER))
    who, whom, w = contacts.who[real], contacts.whom[real], weight[real]
    mine = np.bincount(whom[who == row], w[who == row], n) + np.bincount(who[whom == row], w[whom == row], n)
    through = np.minimum(mine, 1.0)
    friends = np.bincount(whom, w * through[who], n) + np.bincount(who, w * through[whom], n)
    friends[row] = 0.0
    return mine.astype(np.float64), friends.astype(np.float64)


def _shrunken(total: Floats, count: Floats, prior: float) -> Floats:
    result: Floats = total / (count + prior)
    return result


# What holds before a school's own contacts are known.
_USUAL = {"answered": 0.5, "answers_back": 0.7, "together": 0.3, "gives": 0.4, "said_yes": 2.0, "outcome": 1.5,
          "same_class": 0.5}  # fmt: skip
USUAL = Affinity(*(np.array([_USUAL.get(name, 0.0) for name in NAMES]) for _ in range(2)))
