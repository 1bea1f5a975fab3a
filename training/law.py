"""The law of a learner model: right answers raise an estimate, wrong ones lower it, practice alone does nothing.

In a small log practice goes with success, and a model that counts it would let twelve wrong answers raise a mastery.
Under the law a feature may move an estimate only the way it moves by an outcome, and features that move with practice
whatever its outcome may only lower it, or are not looked at. What is known of the very item asked about is left free:
who was wrong on it and was told so is right more often the next time, which says nothing of the items of the same
skill that mastery is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.learner.features import NAMES
from engine.learner.fold import folded, offer_of
from engine.learner.mastery import skill_masteries
from engine.learner.model import LearnerModel

# Logs with fewer answers are fitted under the law; the data of a larger one outweigh a chance coincidence.
LAWFUL_ROWS = 20_000
# A larger log is fitted under it too where this many wrong answers do not lower mastery by so much, on so many skills.
N_WRONG, LEAST_FALL, MOST_RISE, N_SKILLS, N_ITEMS = 12, 0.02, 0.05, 12, 5

_UP = frozenset((
    "log_wins", "win_rate", "mean_residual", "mean_fast", "mean_mid", "mean_slow", "residual_fast",
    "residual_slow", "ability", "pattern", "streak", "right_t2", "right_t5", "right_t8", "odds_t2", "odds_t8",
    "right_i3", "right_i8", "odds_i3", "residual_per_information",
))  # fmt: skip
_DOWN = frozenset((
    "log_misses", "wrong_t2", "wrong_t5", "wrong_t8", "wrong_i3", "wrong_i8",
))  # fmt: skip
_PRACTICE = frozenset((
    "log_n", "information",
))  # fmt: skip
_EXPOSED = frozenset((
    "log_seen", "seen_t2", "seen_t8", "seen_i3",
))  # fmt: skip
_ROW_UP = frozenset((
    "logit_without_item", "logit", "run_wins", "ability_here", "regime_item", "regime_skill", "logit_regimes",
    "logit_adapted", "leaning", "lean_always",
))  # fmt: skip
_ROW_PRACTICE = frozenset((
    "log_position", "log_session_n", "session", "run_n", "log_session_minutes",
))  # fmt: skip
_ROW_FREE = frozenset((
    "difficulty", "difficulty_skills", "log_item_n", "difficulty_item", "regime_item_new", "n_skills",
    "log_skill_n", "usual_log_seconds", "same_item", "lean_gap", "lean_long_gap", "lean_times_met",
    "lean_difficulty",
))  # fmt: skip
_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_BETWEEN = timedelta(minutes=2)
_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Law:
    """For each column asked: `looked` at or not, and `sign` 1, -1 or 0 of the way it may move the estimate; `(d,)`."""

    looked: NDArray[np.bool_]
    sign: NDArray[np.int8]


def law_of(columns: NDArray[np.int32]) -> Law:
    """The law for these columns of the features."""
    told = [_sign(NAMES[column]) for column in columns]
    return Law(np.array([s is not None for s in told], bool), np.array([s or 0 for s in told], np.int8))


def _sign(name: str) -> int | None:
    part, _, what = name.rpartition(".")
    if part:
        found = 1 if what in _UP else -1 if what in _DOWN else None
        if found is None and part == "item":
            return 0
        return found or (-1 if what in _PRACTICE else 0 if what in _EXPOSED else None)
    return 1 if what in _ROW_UP else -1 if what in _ROW_PRACTICE else 0 if what in _ROW_FREE else None


def keeps_law(model: LearnerModel, frame: pl.DataFrame) -> bool:
    """Whether a dozen wrong answers lower the mastery of the skills most answered, and stay below a dozen right ones.

    `frame` is the one the model was fitted on.
    """
    asked = frame.lazy().filter(pl.col("outcome").is_not_null()).explode("skills").drop_nulls("skills")
    counted = asked.group_by("skills", "item").len().sort("skills", "len", "item", descending=[False, True, False])
    skills = counted.group_by("skills").agg("item", pl.col("len").sum()).sort("len", "skills", descending=[True, False])
    moved = []
    for skill, items, _ in skills.head(N_SKILLS).collect().iter_rows():
        start, wrong, right = (
            mastery_after(model, skill, items[:N_ITEMS], outcomes)
            for outcomes in ((), (0.0,) * N_WRONG, (1.0,) * N_WRONG)
        )
        moved.append((wrong - start, wrong - right))
    if not moved:
        return True
    rise, behind = np.array(moved).T
    return bool(rise.mean() <= -LEAST_FALL and rise.max() <= MOST_RISE and behind.max() < 0)


def mastery_after(model: LearnerModel, skill: str, items: Sequence[str], outcomes: Sequence[float]) -> float:
    """The mastery of a skill somebody new would have after these outcomes on its items in turn, two minutes apart."""
    events = [
        Interaction(
            event_id=f"{n:04d}", learner_id="anybody", kind="attempted", source="law", outcome=outcome,
            resource_id=items[n % len(items)], at=_START + n * _BETWEEN, duration_s=_SECONDS, skills=(skill,),
        )
        for n, outcome in enumerate(outcomes)
    ]  # fmt: skip
    now_us = microseconds(_START + (len(events) + 1) * _BETWEEN)
    return skill_masteries(folded(events, model, offer_of([])), [skill], model, now_us)[0].p
