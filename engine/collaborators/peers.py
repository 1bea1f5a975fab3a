"""Whom a learner might learn with: a helper, a study partner, somebody for a project, somebody new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import Affinity, likely
from engine.collaborators.contacts import Contacts, last_partners
from engine.collaborators.crowd import Crowd
from engine.collaborators.safeguards import Allowed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODES = ("helper", "study_partner", "project", "new_people")
# The last partners step back, so that partners rotate.
ROTATED = 3
_ROTATION, _TOPICS, _USUAL_SHARE = 0.5, 5, 0.5
_NONE = -1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: modes, a topic (a skill or an interest) or none, how many, and skills the learner aims at."""

    modes: tuple[str, ...] = MODES
    topic: str | None = None
    k: int = 3
    aims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode over everybody: what each side gets out of it in [0, 1], and the topics, `(n,)` each.

    `topic` is a row of the mode's own names, `in_return` what the learner gives back; -1 for none.
    """

    mine: Floats
    theirs: Floats
    topic: Ints
    in_return: Ints
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One option: the peer's row, what it is about, and what each side gets out of it; `score` orders options."""

    mode: str
    row: int
    topic: str | None
    in_return: str | None
    mine: float
    theirs: float
    both: float
    score: float
    lately: bool


def peers_for(
    crowd: Crowd,
    row: int,
    wish: Wish,
    *,
    allowed: Allowed,
    contacts: Contacts,
    affinity: Affinity,
    now_us: int,
) -> list[Peer]:
    """Up to `k` options, each with another peer; of every mode that has any the best one comes first.

    Ties by id. Whoever may meet anybody is offered somebody: where no mode that was asked for has an option, somebody
    new is.
    """
    likes = likely(affinity, contacts, row, now_us, allowed.same_class)
    recent = last_partners(contacts, row, ROTATED)
    turn = np.ones(len(crowd))
    turn[recent] = _ROTATION
    lately = np.zeros(len(crowd), bool)
    lately[recent] = True
    found = [
        one
        for mode in wish.modes
        for one in _ranked(crowd, row, mode, wish, allowed, weight=(0.5 + likes) * turn, lately=lately)
    ]
    if not found and "new_people" not in wish.modes and allowed.may.any():
        anybody = replace(wish, topic=None)
        found = _ranked(crowd, row, "new_people", anybody, allowed, weight=(0.5 + likes) * turn, lately=lately)
    return _varied(found, wish.k)


def harmonic(mine: Floats, theirs: Floats) -> Floats:
    """What both get out of it: small where one of them gets little."""
    total = mine + theirs
    result: Floats = np.divide(2.0 * mine * theirs, total, out=np.zeros(len(total)), where=total > 0)
    return result


def _ranked(
    crowd: Crowd,
    row: int,
    mode: str,
    wish: Wish,
    allowed: Allowed,
    *,
    weight: Floats,
    lately: NDArray[np.bool_],
) -> list[Peer]:
    told = _OF_MODE[mode](crowd, row, wish, allowed)
    both = harmonic(told.mine, told.theirs)
    if mode == "new_people":
        both = both * ~lately + both * lately * _ROTATION
    may = (allowed.may_help if mode == "helper" else allowed.may) & (both > 0)
    score = np.where(may, both * weight, -1.0)
    # Rows stand in the order of ids.
    best = np.argsort(-score, kind="stable")[: max(wish.k * len(MODES), 1)]
    return [
        Peer(
            mode=mode,
            row=int(j),
            topic=_name(told.names, told.topic[j]),
            in_return=_name(told.names, told.in_return[j]),
            mine=float(told.mine[j]),
            theirs=float(told.theirs[j]),
            both=float(both[j]),
            score=float(score[j]),
            lately=bool(lately[j]),
        )
        for j in best
        if score[j] > 0
    ]


def _varied(found: Sequence[Peer], k: int) -> list[Peer]:
    """The best of each mode in turn, nobody twice, then the best of all that are left."""
    ranked = sorted(found, key=lambda one: (-one.score, one.row, MODES.index(one.mode)))
    chosen: list[Peer] = []

    def free(one: Peer) -> bool:
        return all(one.row != other.row for other in chosen)

    for mode in dict.fromkeys(one.mode for one in ranked):
        first = next((one for one in ranked if one.mode == mode and free(one)), None)
        if first is not None and len(chosen) < k:
            chosen.append(first)
    for one in ranked:
        if len(chosen) < k and free(one):
            chosen.append(one)
    return chosen


def _helper(crowd: Crowd, row: int, wish: Wish, allowed: Allowed) -> Mode:
    """A helper mastered what the learner is ready for; it costs them more the more they helped this week."""
    a = crowd.abilities
    topics = _needs(crowd, row, wish)
    if not len(topics):
        return _nothing(crowd)
    can = a.mastered[:, topics] * a.mastery[:, topics]
    gain = np.nan_to_num(can) * _gap(crowd, row)[topics]
    best = gain.argmax(1)
    places = np.arange(len(crowd))
    return Mode(gain[places, best], allowed.share, topics[best], np.full(len(crowd), _NONE), a.skills)


def _study_partner(crowd: Crowd, row: int, wish: Wish, _allowed: Allowed) -> Mode:
    """Each knows well what the other is ready for and does not know yet."""
    a = crowd.abilities
    topics = _needs(crowd, row, wish)
    known = np.flatnonzero(a.mastered[row])
    if not len(topics) or not len(known):
        return _nothing(crowd)
    places = np.arange(len(crowd))
    mine = np.nan_to_num(a.mastered[:, topics] * a.mastery[:, topics]) * _gap(crowd, row)[topics]
    gap = np.where(a.ready[:, known] & ~a.mastered[:, known], 1.0 - np.nan_to_num(a.mastery[:, known], nan=0.5), 0.0)
    theirs = gap * np.nan_to_num(a.mastery[row, known])
    first, second = mine.argmax(1), theirs.argmax(1)
    return Mode(mine[places, first], theirs[places, second], topics[first], known[second], a.skills)


def _project(crowd: Crowd, row: int, wish: Wish, _allowed: Allowed) -> Mode:
    """The more of what each likes the other likes too; of what both like, what fewest others do is the topic."""
    asked = crowd.likes[row].copy()
    if wish.topic is not None:
        asked &= np.array([wish.topic in (name, name.partition(":")[2]) for name in crowd.interests], bool)
    shared = crowd.likes & asked
    if not shared.any():
        return _nothing(crowd)
    rarity = 1.0 / np.maximum(crowd.likes.sum(0), 1)
    topic = (shared * rarity).argmax(1)
    n_shared = shared.sum(1)
    mine = n_shared / max(int(asked.sum()), 1)
    theirs = n_shared / np.maximum(crowd.likes.sum(1), 1)
    return Mode(mine, theirs, topic, np.full(len(crowd), _NONE), crowd.interests)


def _new_people(crowd: Crowd, row: int, wish: Wish, _allowed: Allowed) -> Mode:
    """Anybody they did not work with lately; better with a skill that both are ready for and do not know yet."""
    a, n = crowd.abilities, len(crowd)
    base = np.full(n, _USUAL_SHARE)
    topics = _needs(crowd, row, wish)
    if not len(topics):
        return Mode(base, base, np.full(n, _NONE), np.full(n, _NONE), a.skills)
    fits = a.ready[:, topics] & ~a.mastered[:, topics]
    first = fits.argmax(1)
    some = fits.any(1)
    gained = base + 0.25 * some
    return Mode(gained, gained, np.where(some, topics[first], _NONE), np.full(n, _NONE), a.skills)


_OF_MODE: dict[str, Callable[[Crowd, int, Wish, Allowed], Mode]] = {
    "helper": _helper,
    "study_partner": _study_partner,
    "project": _project,
    "new_people": _new_people,
}


def _needs(crowd: Crowd, row: int, wish: Wish) -> Ints:
    """The skills to work on, as columns: the topic asked for, else what is aimed at first, the least known first."""
    a = crowd.abilities
    number = {skill: k for k, skill in enumerate(a.skills)}
    if wish.topic is not None:
        return np.array([number[wish.topic]] if wish.topic in number else [], np.int64)
    gap = _gap(crowd, row)
    aimed = np.zeros(len(gap), bool)
    aimed[[number[s] for s in wish.aims if s in number]] = True
    open_ = np.flatnonzero((gap > 0) & (~np.isnan(a.mastery[row]) | aimed))
    return open_[np.lexsort((open_, -gap[open_], ~aimed[open_]))][:_TOPICS]


def _gap(crowd: Crowd, row: int) -> Floats:
    """What the learner is ready for and does not know yet: `(n_skills,)`."""
    a = crowd.abilities
    missing = 1.0 - np.nan_to_num(a.mastery[row], nan=0.5)
    result: Floats = np.where(a.ready[row] & ~a.mastered[row], missing, 0.0)
    return result


def _nothing(crowd: Crowd) -> Mode:
    n = len(crowd)
    return Mode(np.zeros(n), np.zeros(n), np.full(n, _NONE), np.full(n, _NONE), ())


def _name(names: Sequence[str], place: int) -> str | None:
    return None if place < 0 else names[int(place)]
