"""The features of one row as `kernels.c` reads them, said in Python: the same operations in the same order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.learner.features import POWER_I, POWER_T
from engine.learner.kernels import Statics
from engine.learner.twin_state import NEVER, Known, Whole, larger, regime

_POWER_T: list[list[float]] = POWER_T.tolist()
_POWER_I: list[list[float]] = POWER_I.tolist()


@dataclass(frozen=True, slots=True)
class Asked:
    """One row asked: what is known of its item and skills, and what the statics say, backed off to the mean."""

    item: Known
    item_key: int
    skills: list[Known]
    rarest: Known | None
    b: float
    b_skills: float
    b_item: float
    m: float
    n_item: float
    n_rarest: float
    ability: float
    same: float
    regimes: tuple[float, ...]
    regime_item: float
    regime_skill: float


def at(values: NDArray[np.float64], fold: int, row: int, *last: int) -> float:
    """What a fold's statics say of an item or skill, 0 where they do not know it."""
    return 0.0 if row < 0 else float(values[(fold, row, *last)])


def ask(
    m: Statics, fold: int, whole: Whole, *, item: Known, item_row: int, skills: list[Known], skill_rows: list[int]
) -> Asked:
    """Difficulty, usual time and effects of the regimes for one row, backed off from item to skills to the mean."""
    d = u = th = same = r = 0.0
    fewest, rarest = 1e18, None
    for row, s in zip(skill_rows, skills, strict=True):
        n = at(m.skill_n, fold, row)
        d += at(m.skill_b, fold, row)
        u += at(m.skill_m, fold, row)
        r += at(m.skill_regime, fold, row, regime(s))
        th += s.ability
        if whole.n_events > 0 and s.last_i == whole.n_events - 1:
            same += 1.0
        if n < fewest:
            fewest, rarest = n, s
    if skills:
        d, u, th, same, r = (x / len(skills) for x in (d, u, th, same, r))
    regimes = tuple(at(m.item_regime, fold, item_row, k) for k in range(3))
    b_skills, b_item = m.b + d, at(m.item_b, fold, item_row)
    return Asked(
        item=item,
        item_key=item.key,
        skills=skills,
        rarest=rarest,
        b=b_skills + b_item,
        b_skills=b_skills,
        b_item=b_item,
        m=m.m + u + at(m.item_m, fold, item_row),
        n_item=at(m.item_n, fold, item_row),
        n_rarest=fewest,
        ability=th,
        same=same,
        regimes=regimes,
        regime_item=regimes[regime(item)],
        regime_skill=r,
    )


def features(
    q: Asked, mean: float, whole: Whole, *, gap: float, t: float, z: float, lean: Sequence[float]
) -> NDArray[np.float32]:
    """All features of a row, `(N_FEATURES,)`; `gap` minutes since the event before, `t` its minute, `z` its logit.

    `lean`: the last of them, logit, leaning and variance first (`twin_lean`).
    """
    i = float(whole.n_events)
    learner, item = describe(whole.block, mean, i, t), describe(q.item, mean, i, t)
    rarest = [0.0] * len(learner) if q.rarest is None else describe(q.rarest, mean, i, t)
    return np.array([*learner, *rarest, *item, *_of_row(q, whole, gap=gap, t=t, z=z), *lean]).astype(np.float32)


def describe(s: Known, mean: float, i: float, t: float) -> list[float]:
    """What is known of one skill or item as numbers, in the order of `features._BLOCK`."""
    met = s.last_i >= 0
    gap = math.log(0.05 + larger(t - s.last_t, 0.0)) if met else 16.0
    return [
        math.log1p(s.n),
        math.log1p(s.wins),
        math.log1p(larger(s.n - s.wins, 0.0)),
        math.log1p(s.seen),
        (s.wins + 2.0 * mean) / (s.n + 2.0),
        s.res_sum / (s.n + 2.0),
        s.mean_fast,
        s.mean_mid,
        s.mean_slow,
        s.res_fast,
        s.res_slow,
        s.ability,
        _pattern(s),
        s.streak,
        math.log1p(i - s.last_i) if met else 12.0,
        gap,
        math.log(0.05 + larger(t - s.last_right_t, 0.0)) if s.last_right_t > NEVER else 16.0,
        *_faded(s),
        s.rt_last,
        s.rt_mean,
        s.rt_right,
        math.log1p(s.rt_n),
        s.last_y,
        s.gap_right,
        s.gap_wrong,
        s.last_gap,
        (gap if met else 0.0) - s.gap_right,
        (gap if met else 0.0) - s.gap_wrong,
        s.res_sum / (s.info + 1.0),
        s.info,
    ]


def _faded(s: Known) -> list[float]:
    """How much of right and wrong answers and of mere exposure is left, by time and by events since."""
    right, wrong, seen = (_weighed(x, _POWER_T) for x in (s.right_t, s.wrong_t, s.seen_t))
    right_i, wrong_i, seen_i = (_weighed(x, _POWER_I) for x in (s.right_i, s.wrong_i, s.seen_i))
    return [
        math.log(0.02 + right[0]),
        math.log(0.003 + right[1]),
        math.log(0.0005 + right[2]),
        math.log(0.02 + wrong[0]),
        math.log(0.003 + wrong[1]),
        math.log(0.0005 + wrong[2]),
        math.log(0.02 + seen[0]),
        math.log(0.0005 + seen[2]),
        math.log((right[0] + 0.1) / (wrong[0] + 0.1)),
        math.log((right[2] + 0.003) / (wrong[2] + 0.003)),
        math.log(0.02 + right_i[0]),
        math.log(0.002 + right_i[1]),
        math.log(0.02 + wrong_i[0]),
        math.log(0.002 + wrong_i[1]),
        math.log(0.02 + seen_i[0]),
        math.log((right_i[0] + 0.1) / (wrong_i[0] + 0.1)),
    ]


def _of_row(q: Asked, whole: Whole, *, gap: float, t: float, z: float) -> list[float]:
    """What belongs to the row as a whole, in the order of `features._ROW` up to its logits."""
    i = float(whole.n_events)
    return [
        math.log1p(i),
        z - q.item.ability,
        z,
        q.b,
        q.b_skills,
        math.log1p(q.n_item),
        q.m,
        q.same,
        float(whole.n_events > 0 and q.item_key == whole.prev_item),
        math.log(0.01 + gap),
        math.log(0.01 + larger(gap - whole.prev_minutes, 0.0)),
        whole.prev_rt,
        whole.prev_res,
        whole.prev_y,
        whole.prev_shown,
        whole.prev2_res,
        whole.rt_fast,
        whole.rt_mid,
        whole.rt_slow,
        math.sqrt(whole.rt_var),
        math.log1p(whole.session_n),
        math.log(0.1 + t - whole.session_t),
        whole.session_k,
        whole.run_n,
        whole.run_wins,
        float(len(q.skills)),
        whole.n_new / (i + 1.0),
        q.b_item,
        whole.run_rt,
        math.log1p(q.n_rarest) if q.skills else 0.0,
        q.m + whole.rt_mid,
        gap - whole.prev_minutes if gap < 60.0 else 60.0,
        whole.prev2_y,
        q.item.ability + q.ability,
        q.regime_item,
        q.regime_skill,
        q.regimes[0],
    ]


def _pattern(s: Known) -> float:
    """The last outcomes as one number in [0, 2): the newest counts most, a closing 1 tells how many there are."""
    digit, total = 1.0, 0.0
    for k in range(int(min(s.n, 12.0))):
        if s.recent >> k & 1:
            total += digit
        digit *= 0.5
    return total + digit


def _weighed(counts: Sequence[float], weights: list[list[float]]) -> list[float]:
    sums = []
    for row in weights:
        total = 0.0
        # Not `sum`: from Python 3.12 on it rounds better than the C code does.
        for weight, x in zip(row, counts, strict=True):
            total += weight * x
        sums.append(total)
    return sums
