"""Whom a learner might learn with: a helper, a study partner, somebody for a project, somebody new."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import Affinity, Standing, likely
from engine.collaborators.contacts import Contacts, company_of
from engine.collaborators.crowd import Crowd
from engine.collaborators.safeguards import Allowed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODES = ("helper", "study_partner", "project", "new_people")
# Whoever somebody had to do with lately steps back, two halvings for each time, so that partners rotate.
_ROTATION, _MOST_COMPANY, _LATELY = 2.0, 4.0, 0.35
_TOPICS = 5
# What company is worth beside what is learned: to get to know somebody, and to be needed.
_NEW, _NEEDED, _WELCOME = 0.2, 0.2, 0.4
# What one learns of what is missing, side by side with somebody who misses it too, and by explaining it.
_SIDE_BY_SIDE, _UNKNOWN = 0.5, 0.2
# Who answered this well so often is strong enough to take turns with; who mastered it, to help.
STRONG, STRONG_ANSWERS, _AHEAD = 0.7, 3, 0.15
_PARTNERS = 256
_NONE = -1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for: modes, a topic (a skill or an interest) or none, how many, and skills the learner aims at."""

    modes: tuple[str, ...] = MODES
    topic: str | None = None
    k: int = 3
    aims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """One learner looking at others: `who` may be offered, their rows, ascending; `topics` are skills to work on.

    Where `allowed.few` are told, no option but theirs says what a peer knows or misses.
    """

    crowd: Crowd
    row: int
    who: Ints
    wish: Wish
    topics: Ints
    allowed: Allowed

    @property
    def share(self) -> Floats:
        """What is left of each one's week of helping, `(n_who,)`."""
        return self.allowed.share[self.who]

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Of whom it may be shown that they know each of the topics, `(n_who, n_topics)`."""
        few = self.allowed.few
        if few is None:
            return np.ones((len(self.who), len(self.topics)), bool)
        return few[np.ix_(self.who, self.topics)]


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode over those who are looked at: what each side gets out of it in [0, 1], and the topics, `(n_who,)` each.

    `topic` is a row of the mode's own names, `in_return` what the learner gives back; -1 for none.
    """

    mine: Floats
    theirs: Floats
    topic: Ints
    in_return: Ints
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One option: the peer's row, what it is about, and what each side gets out of it; `score` orders options.

    `helped` so often of `limit` times this week, and the `share` of it that is left.
    """

    mode: str
    row: int
    topic: str | None
    in_return: str | None
    mine: float
    theirs: float
    both: float
    score: float
    helped: int
    limit: int
    share: float
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
    standing: Standing | None = None,
) -> list[Peer]:
    """Up to `k` options, each with another peer; of every mode that has any the best one comes first.

    Ties by id. Whoever may meet anybody is offered somebody: where no mode that was asked for has an option, somebody
    new is. Who was declined lately is offered only where there is nobody else.
    """
    others = allowed.may & ~allowed.declined
    who = np.flatnonzero(others if others.any() else allowed.may)
    if not len(who):
        return []
    weight = weights(row, allowed=allowed, contacts=contacts, affinity=affinity, now_us=now_us, standing=standing)[who]
    look = Look(crowd, row, who, wish, _needs(crowd, row, wish), allowed)
    helps, lately = allowed.may_help[who], company_of(contacts, row, now_us)[who] > _LATELY
    found = [one for mode in wish.modes for one in _ranked(look, mode, weight=weight, helps=helps, lately=lately)]
    if not found and "new_people" not in wish.modes:
        found = _ranked(look, "new_people", weight=weight, helps=helps, lately=lately)
    return _varied(found, wish.k)


def weights(
    row: int,
    *,
    allowed: Allowed,
    contacts: Contacts,
    affinity: Affinity,
    now_us: int,
    standing: Standing | None = None,
) -> Floats:
    """How well each goes with this learner, times whose turn it is: `(n,)`."""
    goes = likely(affinity, contacts, row, now_us, allowed.same_class, standing)
    company = company_of(contacts, row, now_us)
    turn = allowed.turn * allowed.lot
    result: Floats = (0.5 + goes) * turn * np.exp2(-_ROTATION * np.minimum(company, _MOST_COMPANY))
    return result


def harmonic(mine: Floats, theirs: Floats) -> Floats:
    """What both get out of it: small where one of them gets little."""
    total = mine + theirs
    result: Floats = np.divide(2.0 * mine * theirs, total, out=np.zeros(total.shape), where=total > 0)
    return result


def _ranked(
    look: Look, mode: str, *, weight: Floats, helps: NDArray[np.bool_], lately: NDArray[np.bool_]
) -> list[Peer]:
    told = _OF_MODE[mode](look)
    both = harmonic(told.mine, told.theirs)
    may = (both > 0) & (helps if mode == "helper" else True)
    score = np.where(may, both * weight, -1.0)
    # Rows stand in the order of ids.
    best = np.argsort(-score, kind="stable")[: look.wish.k * len(MODES)]
    return [
        Peer(
            mode=mode,
            row=int(look.who[j]),
            topic=_name(told.names, told.topic[j]),
            in_return=_name(told.names, told.in_return[j]),
            mine=float(told.mine[j]),
            theirs=float(told.theirs[j]),
            both=float(both[j]),
            score=float(score[j]),
            helped=int(look.allowed.helped[look.who[j]]),
            limit=int(look.allowed.limit[look.who[j]]),
            share=float(look.share[j]),
            lately=bool(lately[j]),
        )
        for j in best
        if score[j] > 0
    ]


def _varied(found: Sequence[Peer], k: int) -> list[Peer]:
    """The best of each mode in turn, nobody twice, then the best of all that are left.

    Where there is room for every mode, those with fewest to offer choose first, so that none goes without.
    """
    ranked = sorted(found, key=lambda one: (-one.score, one.row, MODES.index(one.mode)))
    modes = list(dict.fromkeys(one.mode for one in ranked))
    if len(modes) <= k:
        modes.sort(key=lambda mode: sum(one.mode == mode for one in ranked))
    chosen: list[Peer] = []

    def free(one: Peer) -> bool:
        return all(one.row != other.row for other in chosen)

    for mode in modes:
        first = next((one for one in ranked if one.mode == mode and free(one)), None)
        if first is not None and len(chosen) < k:
            chosen.append(first)
    chosen.sort(key=ranked.index)
    for one in ranked:
        if len(chosen) < k and free(one):
            chosen.append(one)
    return chosen


def _helper(look: Look) -> Mode:
    """A helper mastered what the learner is ready for; it costs them more the more they helped this week.

    Whoever explains learns of what they miss themselves, which is little: an hour of theirs is not counted as theirs.
    """
    a, at = look.crowd.abilities, np.ix_(look.who, look.topics)
    if not len(look.topics):
        return _nothing(look)
    gain = a.mastered[at] * look.shown * a.known[at] * a.gap[look.row, look.topics]
    best = gain.argmax(1)
    place = np.arange(len(best))
    theirs = look.share * (_NEEDED + _SIDE_BY_SIDE * (1.0 - a.known[at][place, best]))
    return Mode(gain[place, best], theirs, look.topics[best], np.full(len(best), _NONE), a.skills)


def _study_partner(look: Look) -> Mode:
    """Each is strong where the other is ready and behind; looked at are those who are strong where it helps most."""
    a, row = look.crowd.abilities, look.row
    told = _nothing(look, a.skills)
    if not len(look.topics):
        return told
    at = np.ix_(look.who, look.topics)
    strong = look.shown & (a.known[at] >= STRONG) & (a.answers[at] >= STRONG_ANSWERS)
    strong &= a.known[at] - a.known[row, look.topics] >= _AHEAD
    gain = strong * a.known[at] * a.gap[row, look.topics]
    first = gain.argmax(1)
    mine = gain[np.arange(len(first)), first]
    back = np.flatnonzero((a.known[row] >= STRONG) & (a.answers[row] >= STRONG_ANSWERS))
    some = np.sort(np.argsort(-mine, kind="stable")[:_PARTNERS])
    some = some[mine[some] > 0]
    if not len(back) or not len(some):
        return told
    at = np.ix_(look.who[some], back)
    given = np.where(a.known[row, back] - a.known[at] >= _AHEAD, a.known[row, back] * a.gap[at], 0.0)
    second = given.argmax(1)
    told.mine[some], told.theirs[some] = mine[some], given[np.arange(len(some)), second]
    told.topic[some], told.in_return[some] = look.topics[first[some]], back[second]
    return told


def _project(look: Look) -> Mode:
    """The more of what each likes the other likes too; of what both like, a goal is the topic, else a format.

    Of several the one that fewest others like.
    """
    crowd, wanted = look.crowd, look.wish.topic
    asked = crowd.likes[look.row].copy()
    if wanted is not None:
        asked &= np.array([wanted in (name, name.partition(":")[2]) for name in crowd.interests], bool)
    liked = np.flatnonzero(asked)
    told = _nothing(look, crowd.interests)
    if not len(liked):
        return told
    shared = crowd.likes[np.ix_(look.who, liked)]
    is_goal = np.array([crowd.interests[k].startswith("goal:") for k in liked], float)
    rarity = is_goal + 1.0 / np.maximum(crowd.likes[:, liked].sum(0), 1)
    n_shared = shared.sum(1)
    mine, theirs = n_shared / len(liked), n_shared / np.maximum(crowd.likes[look.who].sum(1), 1)
    return replace(told, mine=mine, theirs=theirs, topic=liked[(shared * rarity).argmax(1)])


def _new_people(look: Look) -> Mode:
    """Anybody they did not work with lately; better the more both miss of a skill that both are ready for.

    Whoever came without any history has most use for company.
    """
    a = look.crowd.abilities
    told, company = _nothing(look, a.skills), np.where(a.answers[look.who].any(1), _NEW, _WELCOME)
    if not len(look.topics):
        return replace(told, mine=told.mine + _NEW, theirs=told.theirs + company)
    # What nobody answered yet is not known to be missing.
    missing = np.where(a.answers > 0, a.gap, np.minimum(a.gap, _UNKNOWN))
    gap, own = missing[np.ix_(look.who, look.topics)], missing[look.row, look.topics]
    both = harmonic(np.broadcast_to(own, gap.shape), gap)
    best = both.argmax(1)
    place = np.arange(len(best))
    fits = both[place, best] > 0
    mine = _NEW + _SIDE_BY_SIDE * np.where(fits, own[best], 0.0)
    theirs = company + _SIDE_BY_SIDE * np.where(fits, gap[place, best], 0.0)
    topic = np.where(fits, look.topics[best], _NONE)
    if look.allowed.few is not None:
        # The topic of this learner, whomever they are with: else it would say what the other misses.
        topic = np.full(len(best), look.topics[own.argmax()])
    return replace(told, mine=mine, theirs=theirs, topic=topic)


_OF_MODE: dict[str, Callable[[Look], Mode]] = {
    "helper": _helper,
    "study_partner": _study_partner,
    "project": _project,
    "new_people": _new_people,
}


def _needs(crowd: Crowd, row: int, wish: Wish) -> Ints:
    """The skills to work on, as columns: the topic asked for, else what is aimed at first, the least known first."""
    a = crowd.abilities
    if wish.topic is not None:
        return np.array([a.skills.index(wish.topic)] if wish.topic in a.skills else [], np.int64)
    gap, aimed = a.gap[row], np.zeros(len(a.skills), bool)
    aimed[[a.skills.index(s) for s in wish.aims if s in a.skills]] = True
    open_ = np.flatnonzero((gap > 0) & (~np.isnan(a.mastery[row]) | aimed))
    return open_[np.lexsort((open_, -gap[open_], ~aimed[open_]))][:_TOPICS]


def _nothing(look: Look, names: tuple[str, ...] = ()) -> Mode:
    n = len(look.who)
    return Mode(np.zeros(n), np.zeros(n), np.full(n, _NONE), np.full(n, _NONE), names)


def _name(names: Sequence[str], place: int) -> str | None:
    return None if place < 0 else names[int(place)]
