"""Answers of invented learners whose chances are known, for the tests of the learner model."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from engine.domain.interaction import Interaction

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def answers(n_learners=60, n_each=40, n_items=24, n_skills=4, seed=1, clock=True):
    """Answers to items of one skill each, by ability, difficulty and practice; `chance` is the truth behind them."""
    rng = np.random.default_rng(seed)
    able, hard = rng.normal(0, 1, n_learners), rng.normal(0, 1, n_items)
    slow = rng.normal(0, 0.3, n_learners)
    told = []
    for learner in range(n_learners):
        met = np.zeros(n_skills)
        for n in range(n_each):
            item = int(rng.integers(n_items))
            skill = item % n_skills
            chance = 1 / (1 + np.exp(-(able[learner] - hard[item] + 0.15 * met[skill])))
            seconds = float(np.exp(3 + 0.3 * hard[item] + slow[learner] + rng.normal(0, 0.4)))
            at = START + timedelta(days=n // 10, minutes=2 * (n % 10), seconds=learner)
            right = float(rng.random() < chance)
            told.append((f"l{learner:03d}", f"i{item:02d}", [f"s{skill}"], at, right, seconds, chance))
            met[skill] += 1
    columns = {"learner_id": pl.String, "item": pl.String, "skills": pl.List(pl.String),
               "at": pl.Datetime("us", "UTC"), "outcome": pl.Float64, "duration_s": pl.Float64,
               "chance": pl.Float64}  # fmt: skip
    frame = pl.DataFrame(told, schema=columns, orient="row")
    return frame if clock else frame.with_columns(at=pl.lit(None, pl.Datetime("us", "UTC")))


def events_of(frame):
    """The answers of one learner as events."""
    return [
        Interaction(
            event_id=f"{n:04d}", learner_id=row["learner_id"], kind="attempted", source="test", resource_id=row["item"],
            at=row["at"], outcome=row["outcome"], duration_s=row["duration_s"], skills=tuple(row["skills"]),
        )
        for n, row in enumerate(frame.iter_rows(named=True))
    ]  # fmt: skip


def quiet(what, share):
    """Nobody watches."""
