"""Who is likely to answer whom, from what happened between learners so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.contacts import DAY_US, HELPED, NO, TOGETHER, YES, Contacts, helper_load
from engine.domain.history import NO_TIME

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Days after which a contact counts half: what is going on now, and what stays.
HALF_LIVES = (4.0, 30.0)
# Over so many weeks everybody is to be asked about as often.
TURN_WEEKS = 8
_SAID_PRIOR, _OUTCOME_PRIOR, _EVEN = 4.0, 3.0, 0.5
NAMES = (
    "answered_lately", "answered", "answers_back_lately", "answers_back", "together", "gives_lately", "gives",
    "is_answered_lately", "is_answered", "partners", "silent_days", "same_class", "dealings", "friends_of_friends",
    "said_yes", "outcome",
    "welcome",
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


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of everybody whoever asks, at one moment: the same for all questions of that moment.

    `gives`, `takes`: `(n, 2)` logs of how much each helped and was helped; `givers`, `takers`: `(n,)` logs of how many
    partners they had so; `silent`: `(n,)` log of the days since they did anything; `welcome`: `(n,)`, how much rather
    yes than no is said of them; `load`, `asked`: `(n,)` helps of the last week and of the last weeks. `lately`,
    `stays`:
    weights of the contacts by their age, `(n_contacts,)`.
    """

    gives: Floats
    takes: Floats
    givers: Floats
    takers: Floats
    silent: Floats
    lately: Floats
    stays: Floats
    welcome: Floats
    load: NDArray[np.int64]
    asked: NDArray[np.int64]


def standing_of(contacts: Contacts, now_us: int) -> Standing:
    """How everybody stands; only contacts before `now_us` may be in it."""
    n, helped = contacts.n, contacts.kind == HELPED
    lately, stays = _decayed(contacts.at_us, now_us)
    gives, takes = (
        np.log1p(np.stack([_summed(side, helped, w, n) for w in (lately, stays)], axis=1))
        for side in (contacts.who, contacts.whom)
    )
    who, whom = contacts.who[helped], contacts.whom[helped]
    said, yes_no = np.isin(contacts.kind, (YES, NO)), np.where(contacts.kind == YES, 1.0, -1.0)
    return Standing(
        gives=gives,
        takes=takes,
        givers=np.log1p(_partners(who, whom, n)),
        takers=np.log1p(_partners(whom, who, n)),
        silent=np.log1p(_silent_days(contacts, now_us)),
        lately=lately,
        stays=stays,
        welcome=_shrunken(
            _summed(contacts.whom, said, yes_no, n), _summed(contacts.whom, said, np.ones(len(said)), n), _SAID_PRIOR
        ),
        load=helper_load(contacts, now_us),
        asked=helper_load(contacts, now_us, weeks=TURN_WEEKS),
    )


def features_of(
    contacts: Contacts,
    row: int,
    now_us: int,
    *,
    asks: bool,
    same_class: Bools | None = None,
    standing: Standing | None = None,
) -> Floats:
    """What happened so far, for one learner and everybody: `(n, n_features)`.

    With `asks` the others are looked at as those who may answer this learner, else as those this learner may answer.
    Only contacts before `now_us` may be in it. `same_class`: `(n,)`, nobody where it is left out. `standing`: of this
    moment, where it is known already.
    """
    n, all_ = contacts.n, standing or standing_of(contacts, now_us)
    place = np.flatnonzero((contacts.who == row) | (contacts.whom == row))
    own, lately, stays = contacts.where(place), all_.lately[place], all_.stays[place]
    giver, taker = (own.who, own.whom) if asks else (own.whom, own.who)
    helped, together = own.kind == HELPED, own.kind == TOGETHER
    to_me, by_me = helped & (taker == row), helped & (giver == row)
    mine, friends = _near(contacts, own, row, (all_.stays, stays))
    said = np.where(own.kind == YES, 1.0, -1.0) * np.isin(own.kind, (YES, NO))
    other = np.where(own.who == row, own.whom, own.who)
    marked, every = ~np.isnan(own.outcome) & (helped | together), np.ones(len(other), bool)
    gives, takes = (all_.gives, all_.takes) if asks else (all_.takes, all_.gives)
    columns = [
        np.log1p(_summed(giver, to_me, lately, n)),
        np.log1p(_summed(giver, to_me, stays, n)),
        np.log1p(_summed(taker, by_me, lately, n)),
        np.log1p(_summed(taker, by_me, stays, n)),
        np.log1p(_summed(own.who, together & (own.whom == row), stays, n)),
        gives[:, 0],
        gives[:, 1],
        takes[:, 0],
        takes[:, 1],
        all_.givers if asks else all_.takers,
        all_.silent,
        np.zeros(n) if same_class is None else same_class.astype(np.float64),
        np.log1p(mine),
        np.log1p(friends),
        _shrunken(_summed(other, every, said, n), _summed(other, every, np.abs(said), n), _SAID_PRIOR),
        _shrunken(
            _summed(other, marked, np.nan_to_num(own.outcome) - _EVEN, n),
            _summed(other, marked, np.ones(len(other)), n),
            _OUTCOME_PRIOR,
        ),
        all_.welcome,
    ]
    return np.stack(columns, axis=1)


def likely(
    affinity: Affinity,
    contacts: Contacts,
    row: int,
    now_us: int,
    same_class: Bools | None = None,
    standing: Standing | None = None,
) -> Floats:
    """How well anybody would go with this learner, both ways, in (0, 1): `(n,)`, one half for the middle of them."""
    at = standing or standing_of(contacts, now_us)
    told = np.zeros(contacts.n)
    for weights, asks in ((affinity.asks, True), (affinity.answers, False)):
        told += features_of(contacts, row, now_us, asks=asks, same_class=same_class, standing=at) @ weights / 2.0
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


def _near(contacts: Contacts, own: Contacts, row: int, weights: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """How much each had to do with this learner whatever the direction, and with those who had: `(n,)` both."""
    n, mine = contacts.n, np.zeros(contacts.n)
    real = np.isin(own.kind, (HELPED, TOGETHER))
    other = np.where(own.who == row, own.whom, own.who)
    mine += np.bincount(other[real], weights[1][real], n)
    friends = np.zeros(n)
    if mine.any():
        all_ = np.isin(contacts.kind, (HELPED, TOGETHER)) * weights[0]
        through = np.minimum(mine, 1.0)
        friends += np.bincount(contacts.whom, all_ * through[contacts.who], n)
        friends += np.bincount(contacts.who, all_ * through[contacts.whom], n)
        friends[row] = 0.0
    return mine, friends


def _shrunken(total: Floats, count: Floats, prior: float) -> Floats:
    result: Floats = total / (count + prior)
    return result


# What holds before a school's own contacts are known.
_USUAL = {
    "answered": 0.5,
    "answers_back": 0.7,
    "together": 0.3,
    "gives": 0.4,
    "said_yes": 2.0,
    "outcome": 1.5,
    "welcome": 2.0,
    "same_class": 0.5,
}
USUAL = Affinity(*(np.array([_USUAL.get(name, 0.0) for name in NAMES]) for _ in range(2)))
