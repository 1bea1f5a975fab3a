"""Of whom pupils may be shown that they know something: few, so that who is not among them may know it as well."""

import numpy as np
from numpy.typing import NDArray

from engine.collaborators.affinity import Affinity, standing_of
from engine.collaborators.contacts import Contacts, declined_by
from engine.collaborators.crowd import Crowd
from engine.collaborators.peers import STRONG, STRONG_ANSWERS, weights
from engine.collaborators.safeguards import Allowed, as_it_was
from engine.rules.people import People

# Nobody but teachers is told of more who can explain a topic.
FEW = 3


def few_who_know(
    crowd: Crowd,
    row: int,
    *,
    people: People,
    allowed: Allowed,
    contacts: Contacts,
    affinity: Affinity,
    since_us: int,
) -> NDArray[np.bool_]:
    """Of whom it may be shown to this learner that they know a skill: `(n, n_skills)`.

    Of each skill at most three, and no more than half of those who know it, rounded up: that somebody is missing says
    nothing. Chosen by what had happened by `since_us`, the beginning of the day, so that whoever asks again, or says
    no to one, is told of no others before the next day.
    """
    then = contacts.before(since_us)
    standing = standing_of(then, since_us)
    was = as_it_was(allowed, crowd, people, standing)
    weight = weights(row, allowed=was, contacts=then, affinity=affinity, now_us=since_us, standing=standing)
    a = crowd.abilities
    strong = (a.known >= STRONG) & (a.answers >= STRONG_ANSWERS)
    # Who has helped enough may still take turns with somebody.
    knows = allowed.may[:, None] & ((np.asarray(a.mastered, bool) & was.may_help[:, None]) | strong)
    # Who was declined on a day before makes room for others; today's no makes none.
    stays = knows & ~declined_by(then, row, since_us)[:, None]
    worth = np.where(stays, a.known * weight[:, None], -1.0)
    place = np.argsort(np.argsort(-worth, axis=0, kind="stable"), axis=0, kind="stable")
    few: NDArray[np.bool_] = stays & (place < np.minimum((knows.sum(0) + 1) // 2, FEW))
    return few
