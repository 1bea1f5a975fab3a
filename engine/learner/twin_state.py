"""What `kernels.c` keeps of a learner and how one event changes it, said in Python: the same operations in their order.

Numbers are Python's doubles; `single` rounds them wherever the C code stores into a float of a block.
"""

import math
from ctypes import c_float
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.learner.features import STEPS, TAU_I, TAU_T
from engine.learner.kernels import BLOCK, N_LEAN, SELF

_TAU_T: list[float] = TAU_T.tolist()
_TAU_I: list[float] = TAU_I.tolist()
_STEPS: list[float] = STEPS.tolist()
# Elo steps and the step sizes of the running means, for the learner, a skill and an item.
_LEARNER = (_STEPS[:3], (0.3, 0.1, 0.02, 0.1, 0.02))
_SKILL = (_STEPS[3:6], (0.6, 0.3, 0.1, 0.3, 0.05))
_ITEM = (_STEPS[6:], (0.6, 0.3, 0.1, 0.4, 0.1))


@dataclass(slots=True)
class Known:
    """What is known of a learner on one skill or item, field by field a record of `kernels.BLOCK`."""

    key: int
    last_t: float
    last_right_t: float
    last_i: int
    recent: int
    n: float
    wins: float
    seen: float
    res_sum: float
    info: float
    mean_fast: float
    mean_mid: float
    mean_slow: float
    res_fast: float
    res_slow: float
    ability: float
    streak: float
    gap_right: float
    gap_wrong: float
    last_gap: float
    rt_last: float
    rt_mean: float
    rt_n: float
    rt_right: float
    last_y: float
    right_t: list[float]
    wrong_t: list[float]
    seen_t: list[float]
    right_i: list[float]
    wrong_i: list[float]
    seen_i: list[float]


@dataclass(slots=True)
class Whole:
    """What is known of the learner as a whole, field by field a record of `kernels.SELF`."""

    block: Known
    prev_t: float
    prev_minutes: float
    session_t: float
    session_n: float
    session_k: float
    run_n: float
    run_wins: float
    run_rt: float
    prev_rt: float
    prev_res: float
    prev2_res: float
    prev_y: float
    prev2_y: float
    prev_shown: float
    rt_fast: float
    rt_mid: float
    rt_slow: float
    rt_self: float
    rt_var: float
    rt_n: float
    n_new: float
    lean: list[float]
    lean_var: list[list[float]]
    n_events: int
    prev_item: int


NEVER = -1e9
LEAN_PRIOR = (0.3, 0.3, 0.3, 0.1, 0.2, 0.1, 0.15, 0.1)


def single(x: float) -> float:
    """The nearest number of single precision."""
    return c_float(x).value


def larger(a: float, b: float) -> float:
    """As the C code compares: the second unless the first is greater."""
    return a if a > b else b


def known_from(record: Any) -> Known:
    """The block of a record of `BLOCK`; it shares nothing with it."""
    return Known(**{name: record[name].tolist() for name in BLOCK.fields or ()})


def whole_from(record: Any) -> Whole:
    """The learner of a record of `SELF`; it shares nothing with it."""
    rest = {name: record[name].tolist() for name in SELF.fields or () if name != "block"}
    return Whole(block=known_from(record["block"]), **rest)


def write_known(known: Known, record: Any) -> None:
    """Put a block into its record."""
    for name in BLOCK.fields or ():
        record[name] = getattr(known, name)


def write_whole(whole: Whole, record: Any) -> None:
    """Put a learner into their record."""
    write_known(whole.block, record["block"])
    for name in SELF.fields or ():
        if name != "block":
            record[name] = getattr(whole, name)


def fresh_known(key: int, mean: float) -> Known:
    """A skill or item nobody met yet."""
    known = known_from(np.zeros((), BLOCK))
    known.key = key
    known.mean_fast = known.mean_mid = known.mean_slow = single(mean)
    known.last_i, known.last_y = -1, -1.0
    known.gap_right, known.gap_wrong, known.last_gap = -3.0, 16.0, -4.0
    known.last_right_t = NEVER
    return known


def fresh_whole(mean: float) -> Whole:
    """A learner of whom nothing is known."""
    whole = whole_from(np.zeros((), SELF))
    whole.block = fresh_known(0, mean)
    whole.prev_y = whole.prev2_y = -1.0
    whole.rt_var = 0.25
    for k in range(N_LEAN):
        whole.lean_var[k][k] = LEAN_PRIOR[k]
    return whole


def regime(s: Known) -> int:
    """0 never met, 1 last right, 2 last wrong."""
    if s.n > 0:
        return 1 if s.streak > 0 else 2
    return 0


def decay(s: Known, i: float, t: float) -> None:
    """Let the counts fade up to event `i` and minute `t`."""
    if s.last_i < 0:
        return
    steps, minutes = i - s.last_i, t - s.last_t
    if steps > 0:
        factors = [math.exp(-steps / tau) for tau in _TAU_I]
        s.right_i, s.wrong_i, s.seen_i = (_faded(x, factors) for x in (s.right_i, s.wrong_i, s.seen_i))
    if minutes > 0:
        factors = [math.exp(-minutes / tau) for tau in _TAU_T]
        s.right_t, s.wrong_t, s.seen_t = (_faded(x, factors) for x in (s.right_t, s.wrong_t, s.seen_t))


def _faded(counts: list[float], factors: list[float]) -> list[float]:
    return [single(x * f) for x, f in zip(counts, factors, strict=True)]


def advance(whole: Whole, t: float) -> tuple[float, float]:
    """The moment comes: the minute it counts as, and the gap. Sessions end after an hour, runs with any time."""
    first = whole.n_events == 0
    if math.isnan(t):
        t = 0.0 if first else whole.prev_t + 0.5
    gap = 0.0 if first else larger(t - whole.prev_t, 0.0)
    if first:
        whole.prev_t = whole.session_t = t
    if t < whole.prev_t:
        t = whole.prev_t
    if gap > 60.0:
        whole.session_n, whole.session_t = 0.0, t
        whole.session_k += 1.0
    if gap > 0.0 or first:
        whole.run_n = whole.run_wins = whole.run_rt = 0.0
    return t, gap


def absorb(
    whole: Whole, item: Known, skills: list[Known], *, t: float, y: float, p: float, seconds: float, usual: float
) -> None:
    """The event is over: its outcome `y` (predicted `p`) and its seconds enter the learner's counts; NaN is none."""
    i = float(whole.n_events)
    log_s = math.nan if math.isnan(seconds) else math.log(seconds)
    rt = log_s - usual
    if item.last_i < 0:
        whole.n_new += 1.0
    _count(whole.block, i, t, y, p, rt, *_LEARNER)
    _count(item, i, t, y, p, rt, *_ITEM)
    for s in skills:
        _count(s, i, t, y, p, rt, *_SKILL)
    _time(whole, rt, log_s, seconds)
    if math.isnan(y):
        whole.prev_shown = 1.0
    else:
        whole.prev2_y, whole.prev_y = whole.prev_y, y
        whole.run_wins += y
        whole.prev_shown = 0.0
    whole.run_n += 1.0
    whole.session_n += 1.0
    whole.prev_t, whole.prev_item = t, item.key
    whole.n_events += 1


def _time(whole: Whole, rt: float, log_s: float, seconds: float) -> None:
    if math.isnan(rt):
        whole.prev_minutes = 0.0
        return
    d = rt - whole.rt_mid
    whole.rt_n = n = whole.rt_n + 1.0
    whole.prev2_res, whole.prev_rt, whole.prev_res = whole.prev_res, log_s, rt
    whole.rt_var += larger(0.05, 1.0 / (n + 3.0)) * (d * d - whole.rt_var)
    whole.rt_fast += larger(0.5, 1.0 / (n + 1.0)) * (rt - whole.rt_fast)
    whole.rt_mid += larger(0.15, 1.0 / (n + 2.0)) * (rt - whole.rt_mid)
    whole.rt_slow += larger(0.02, 1.0 / (n + 3.0)) * (rt - whole.rt_slow)
    whole.rt_self += larger(0.05, 1.0 / (n + 3.0)) * (rt - whole.rt_self)
    whole.prev_minutes = seconds / 60.0
    whole.run_rt = rt


def _count(
    s: Known, i: float, t: float, y: float, p: float, rt: float, step: list[float], sizes: tuple[float, ...]
) -> None:
    """One event counted: `y` NaN for an exposure, `rt` NaN without a response time."""
    gap = math.log(0.05 + larger(t - s.last_t, 0.0)) if s.last_i >= 0 else -4.0
    right = y >= 0.5
    if math.isnan(y):
        s.seen = single(s.seen + 1.0)
        s.seen_t = [single(x + 1.0) for x in s.seen_t]
        s.seen_i = [single(x + 1.0) for x in s.seen_i]
        s.last_y = 0.5
    else:
        _answered(s, gap, y, p, step, sizes)
        if right:
            s.last_right_t = t
        s.last_y = float(right)
    if not math.isnan(rt):
        s.rt_n = single(s.rt_n + 1.0)
        s.rt_last = single(rt)
        s.rt_mean = single(s.rt_mean + larger(0.2, 1.0 / (s.rt_n + 1.0)) * (rt - s.rt_mean))
        if right:
            s.rt_right = single(rt)
    s.last_gap = single(gap)
    s.last_i = int(i)
    s.last_t = t


def _answered(s: Known, gap: float, y: float, p: float, step: list[float], a: tuple[float, ...]) -> None:
    right, res = y >= 0.5, y - p
    s.info = single(s.info + p * (1.0 - p))
    if s.last_i >= 0 and right:
        s.gap_right = single(larger(s.gap_right, gap))
    elif s.last_i >= 0:
        s.gap_wrong = single(s.gap_wrong if s.gap_wrong < gap else gap)
    s.n = single(s.n + 1.0)
    s.wins = single(s.wins + y)
    s.res_sum = single(s.res_sum + res)
    s.mean_fast = single(s.mean_fast + a[0] * (y - s.mean_fast))
    s.mean_mid = single(s.mean_mid + a[1] * (y - s.mean_mid))
    s.mean_slow = single(s.mean_slow + a[2] * (y - s.mean_slow))
    s.res_fast = single(s.res_fast + a[3] * (res - s.res_fast))
    s.res_slow = single(s.res_slow + a[4] * (res - s.res_slow))
    s.ability = single(s.ability + larger(step[0] / (1.0 + step[1] * s.n), step[2]) * res)
    s.recent = (s.recent << 1 | right) & 0xFFFFFFFF
    if right:
        s.streak = single(s.streak + 1.0) if s.streak > 0 else 1.0
    else:
        s.streak = single(s.streak - 1.0) if s.streak < 0 else -1.0
    s.right_t, s.right_i = [single(x + y) for x in s.right_t], [single(x + y) for x in s.right_i]
    s.wrong_t, s.wrong_i = [single(x + (1.0 - y)) for x in s.wrong_t], [single(x + (1.0 - y)) for x in s.wrong_i]
