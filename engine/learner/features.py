"""What the features of one row are called, and the constants they are made with.

All are read before the row's own update, from a state of constant size per learner, skill and item. Sources: Elo
(Pelánek 2016), performance factors and their power-law decay by time and by steps (Pavlik et al. 2021), recent outcome
patterns and gaps (Gervet et al. 2020), residual log response times (van der Linden 2006), and how a learner's own
answers lean away from all that (a Kalman filter over a logistic regression; Fahrmeir 1992).
"""

import math

import numpy as np
from numpy.typing import NDArray

# How long a decay remembers: minutes from 15 seconds to 45 days, and the learner's own events from 2 to 512.
TAU_T: NDArray[np.float64] = 0.25 * 8.0 ** np.arange(7, dtype=np.float64)
TAU_I: NDArray[np.float64] = 2.0 * 4.0 ** np.arange(5, dtype=np.float64)
POWERS_T = (0.2, 0.5, 0.8)
POWERS_I = (0.3, 0.8)
# Elo steps k / (1 + c n), at least the third: of the learner, of a skill, of an item.
STEPS = np.array([0.4, 0.05, 0.05, 0.4, 0.15, 0.04, 0.5, 0.2, 0.05])


def power_law(tau: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    """Weights under which `sum(w * exp(-t / tau))` is close to `t ** -power` over the range of `tau`."""
    weights: NDArray[np.float64] = tau**-power * math.log(tau[1] / tau[0]) / math.gamma(power)
    return weights


POWER_T = np.array([power_law(TAU_T, d) for d in POWERS_T])
POWER_I = np.array([power_law(TAU_I, d) for d in POWERS_I])

# Of the learner as a whole, of the rarest of the skills, and of the item.
_BLOCK = (
    "log_n", "log_wins", "log_misses", "log_seen", "win_rate", "mean_residual", "mean_fast", "mean_mid", "mean_slow",
    "residual_fast", "residual_slow", "ability", "pattern", "streak", "log_steps", "log_gap", "log_gap_right",
    "right_t2", "right_t5", "right_t8", "wrong_t2", "wrong_t5", "wrong_t8", "seen_t2", "seen_t8", "odds_t2", "odds_t8",
    "right_i3", "right_i8", "wrong_i3", "wrong_i8", "seen_i3", "odds_i3", "rt_last", "rt_mean", "rt_right", "log_rt_n",
    "last", "gap_right", "gap_wrong", "last_gap", "beyond_right", "beyond_wrong", "residual_per_information",
    "information",
)  # fmt: skip
_ROW = (
    "log_position", "logit_without_item", "logit", "difficulty", "difficulty_skills", "log_item_n", "usual_log_seconds",
    "same_skill", "same_item", "log_idle", "log_rest", "previous_log_seconds", "previous_rt", "previous", "after_shown",
    "second_rt", "rt_fast", "rt_mid", "rt_slow", "rt_spread", "log_session_n", "log_session_minutes", "session",
    "run_n", "run_wins", "n_skills", "share_new", "difficulty_item", "run_rt", "log_skill_n", "expected_log_seconds",
    "rest", "second_last", "ability_here", "regime_item", "regime_skill", "regime_item_new", "logit_regimes",
    "logit_adapted", "leaning", "leaning_variance", "lean_always", "lean_after_right", "lean_after_wrong", "lean_gap",
    "lean_long_gap", "lean_difficulty", "lean_times_met", "lean_position",
)  # fmt: skip
NAMES = tuple(f"{part}.{name}" for part in ("learner", "rarest", "item") for name in _BLOCK) + _ROW
COLUMN = {name: column for column, name in enumerate(NAMES)}
