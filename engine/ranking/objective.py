"""What a step does for learning: gain per minute, a fitting challenge, a little information, and another way out of a
loop.
"""

import ctypes
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.learner.kernels import address, library
from engine.learner.menu import Known, Menu
from engine.learner.model import LearnerModel
from engine.learner.state import LearnerState
from engine.ranking.weights import ObjectiveWeights
from engine.ranking.worth import Worth

TERMS = ("gain", "challenge", "information", "approach")
# The chance of success that is neither boring nor discouraging; closer after two failures in a row.
BAND = (0.65, 0.92)
GENTLE_BAND = (0.75, 0.95)
# With a goal the challenge takes off no more than this share of a step's gain.
MOST_OF_GAIN = 0.9
# So many answers place a learner; until then what tells most about them counts more.
N_PLACEMENT = 6
# So many wrong answers in a row on a skill are a loop: more of the same will not help.
N_LOOP = 3

Floats = NDArray[np.float64]


def failed_twice(state: LearnerState) -> bool:
    """Whether the learner's last two answers were both wrong."""
    block = state.whole["block"][0]
    return bool(block["n"] >= 2 and not int(block["recent"]) & 0b11)


def is_placed(state: LearnerState) -> bool:
    """Whether enough is known to stop asking for information's own sake."""
    return bool(state.whole["block"][0]["n"] >= N_PLACEMENT)


def band_of(state: LearnerState) -> tuple[float, float]:
    """The success band that holds for a learner now."""
    return GENTLE_BAND if failed_twice(state) else BAND


_BY = ("gain", "strictness", "most", "share", "curious")


class _CObjective(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in (*_BY, "low", "high", "a", "b")]


def added_by_learning(
    menu: Menu, known: Known, worth: Worth, state: LearnerState, *, model: LearnerModel, weights: ObjectiveWeights,
    has_goal: bool,
) -> Floats:  # fmt: skip
    """What each of `TERMS` but the last adds to the resources in `known`: `(3, n)`."""
    gain = weights.gain if has_goal else weights.gain_without_goal
    strictness = weights.challenge if has_goal else weights.challenge_without_goal
    if failed_twice(state):
        strictness = max(strictness, weights.challenge_after_failures)
    curious = weights.information if is_placed(state) else weights.information_at_placement
    # On the way to a goal what is hard keeps some of its gain: what leads elsewhere is no way out.
    bound = (0.0, MOST_OF_GAIN) if has_goal else (np.inf, 0.0)
    by, loaded = (gain, strictness, *bound, curious, *band_of(state), *model.doubt), library()
    if loaded is None:
        return weighed(menu, known, worth, *by)
    rows, terms, told = np.ascontiguousarray(known.rows, np.int64), np.empty((3, len(known.rows))), _CObjective(*by)
    read = (worth.value, known.information, worth.rate, known.p, menu.answerable, terms)
    pairs = (address(worth.place), address(worth.skill), len(worth.place))
    loaded.learning_terms(ctypes.addressof(told), address(rows), len(rows), *pairs, *map(address, read))
    return terms


def weighed(  # noqa: PLR0913 - one number for each that the compiled form is told
    menu: Menu, known: Known, worth: Worth, weight: float, strictness: float, most: float, share: float, curious: float,
    low: float, high: float, a: float, b: float,
) -> Floats:  # fmt: skip
    """The same in numpy: the compiled form's oracle and stand-in.

    Doubt is that of the skills of a resource that matter to the goal, by a, b of the variance of a logit: 1 without an
    answer.
    """
    best = float(worth.rate.max(initial=0.0))
    gain = weight * (worth.rate / best if best > 0 else worth.rate)
    below, above = (low - known.p) / low, (known.p - high) / (1.0 - high)
    outside = np.clip(np.where(known.p < low, below, above), 0.0, 1.0)
    nearest = outside[worth.rate > 0.0].min(initial=1.0)
    unsure = 1.0 / np.sqrt(a + b * known.information[worth.skill]) / (1.0 / np.sqrt(a))
    doubt = np.zeros(len(known.rows))
    np.maximum.at(doubt, worth.place, np.where(worth.value[worth.skill] > 0, unsure, 0.0))
    telling = 4.0 * known.p * (1.0 - known.p) * doubt * menu.answerable[known.rows]
    challenge = np.minimum(strictness * np.maximum(outside - nearest, 0.0), most + share * gain)
    return np.vstack([gain, -challenge, curious * telling])


def loops_of(menu: Menu, state: LearnerState) -> list[int]:
    """The skills on which the last answers were all wrong, so many that more of the same will not help."""
    mask = (1 << N_LOOP) - 1
    blocks = state.blocks
    stuck = blocks["key"][(blocks["n"] >= N_LOOP) & (blocks["recent"] & mask == 0)]
    return sorted(menu.by_key[key] for key in stuck.tolist() if key in menu.by_key)


def added_by_approach(menu: Menu, known: Known, loops: Mapping[int, list[int]], *, weight: float) -> Floats:
    """Another way out of loops: `(n,)`. Against what was tried last on the skill and its formats, for what leads to it.

    `loops`: the skills, each with the rows that were tried last on it.
    """
    added, n = np.zeros(len(known.rows)), len(menu.skills)
    place, skills = menu.pairs(known.rows)
    formats = menu.format_index[known.rows]
    for skill, tried in loops.items():
        on, before = np.zeros(len(added), bool), np.zeros(len(added), bool)
        needed = np.zeros(n, bool)
        needed[menu.needed_by(skill)] = True
        on[place[skills == skill]] = True
        before[place[needed[skills]]] = True
        again = np.logical_or.reduce([np.zeros(len(added), bool), *(known.rows == row for row in tried)])
        alike = 0.5 * again + 0.5 * np.logical_or.reduce([again, *(formats == menu.format_index[row] for row in tried)])
        added += np.where(on, -weight * alike, np.where(before, 0.5 * weight, 0.0))
    return added
