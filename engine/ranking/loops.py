"""How long a loop stands, what was tried on its skill, and whether a resource is another way to it."""

import numpy as np
from numpy.typing import NDArray

from engine.domain.history import NO_TIME
from engine.learner.mastery import evidence_of
from engine.learner.menu import Menu
from engine.learner.state import LearnerState
from engine.learner.voices import DAY_US

# A loop ends with a right answer, and else when the last wrong one is older than this, or after so much other work.
STANDS_DAYS = 21
OTHER_WORK = 10


def stands(skill: int, state: LearnerState, menu: Menu, now_us: int) -> bool:
    """Whether a loop on a skill of the menu still stands, of which the last answers are known to be wrong."""
    key = int(menu.skill_keys[skill])
    block = state.block(key)
    if block is None:
        return False
    if int(state.whole["n_events"][0]) - 1 - int(block["last_i"]) >= OTHER_WORK:
        return False
    last_us = evidence_of(state, key).last_us
    return last_us is None or now_us == NO_TIME or now_us - last_us <= STANDS_DAYS * DAY_US


def tried_on(skill: int, state: LearnerState, done: NDArray[np.int32], menu: Menu) -> list[int]:
    """The rows worked on in vain on a skill, out of all that was `done`, in its order: all since the first of the wrong
    answers in a row.
    """
    last = evidence_of(state, int(menu.skill_keys[skill])).last
    n_wrong = last.index(True) if True in last else len(last)
    mine = done[np.isin(done, menu.teaching.of(skill))]
    answers = np.flatnonzero(menu.answerable[mine])
    since = answers[-n_wrong] if 0 < n_wrong <= len(answers) else 0
    return list(dict.fromkeys(mine[since:].tolist()))


def is_another_way(row: int, skill: int, tried: list[int], menu: Menu) -> bool:
    """Whether a resource leads to a skill by another format than was tried, or by what comes before it."""
    if skill not in menu.skills_of(row):
        return bool(np.isin(menu.skills_of(row), menu.needed_by(skill)).any())
    return menu.formats[row] not in {menu.formats[r] for r in tried}
