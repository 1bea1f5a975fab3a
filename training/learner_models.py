"""Fit the learner model: difficulties first, then what reads every answer's features."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.learner.kernels import Prepared
from engine.learner.model import N_SKILL_ITEMS, LearnerModel
from engine.learner.rows import Vocabulary
from training.attempts import Attempts, attempts_of, vocabulary_of
from training.chances import fit_chance
from training.difficulties import fit_statics, last_fold
from training.doubt import doubt_of
from training.law import LAWFUL_ROWS, keeps_law, law_of
from training.paces import fit_pace
from training.samples import samples_of

Report = Callable[[str, float], None]


def fit_learner_model(
    frame: pl.DataFrame, *, minutes: Mapping[str, float], format_mix: Mapping[str, float], seed: int, report: Report
) -> LearnerModel:
    """The learner model of a log's answers and exposures (`training.attempts.frame_of`).

    `minutes` are declared ones by resource id; `format_mix` the shares of formats in what was taken up. A small log is
    fitted under the law that only right answers raise an estimate (`training.law`), a larger one where it breaks it.
    """
    lawful = frame["outcome"].count() < LAWFUL_ROWS
    model = _fitted(frame, minutes, format_mix, seed, report, lawful=lawful)
    if lawful or keeps_law(model, frame):
        return model
    report("fitting again, so that no wrong answer raises an estimate", 0.5)
    return _fitted(frame, minutes, format_mix, seed, report, lawful=True)


def _fitted(
    frame: pl.DataFrame,
    minutes: Mapping[str, float],
    format_mix: Mapping[str, float],
    seed: int,
    report: Report,
    *,
    lawful: bool,
) -> LearnerModel:
    report("counting items and skills", 0.0)
    vocabulary = vocabulary_of(frame, minutes)
    attempts = attempts_of(frame, vocabulary)
    statics, folds = fit_statics(attempts, vocabulary, lawful=lawful)
    report("reading every answer's features", 0.3)
    columns, answered, timed = samples_of(attempts, statics, folds, seed)
    report("growing trees", 0.5)
    with ThreadPoolExecutor(2) as pool:
        law = law_of(columns) if lawful else None
        success = pool.submit(fit_chance, answered, n_items=len(vocabulary.item_keys), seed=seed, law=law)
        pace = fit_pace(timed, seed=seed, pool=pool)
        chance = success.result()
    return LearnerModel(
        version="",
        vocabulary=vocabulary,
        prepared=Prepared(last_fold(statics)),
        columns=columns,
        chance=chance,
        pace=pace.forest,
        spread=pace.spread,
        spread_scale=pace.scale,
        from_usual=pace.from_usual,
        skill_items=_skill_items(attempts, vocabulary),
        doubt=doubt_of(attempts, statics, folds),
        format_mix=format_mix,
    )


def _skill_items(attempts: Attempts, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """For each skill the items most often answered under it, -1 where there are fewer: `(n_skills, 5)`."""
    rows = attempts.rows
    pairs = pl.DataFrame(
        {"skill": rows.skill_row, "item": np.repeat(rows.item_row, np.diff(rows.skill_ptr))},
        schema={"skill": pl.Int32(), "item": pl.Int32()},
    )
    counted = pairs.group_by("skill", "item").len().sort("skill", "len", "item", descending=[False, True, False])
    best = counted.with_columns(place=pl.int_range(pl.len()).over("skill")).filter(pl.col("place") < N_SKILL_ITEMS)
    result = np.full((len(vocabulary.skill_keys), N_SKILL_ITEMS), -1, np.int32)
    result[best["skill"].to_numpy(), best["place"].to_numpy()] = best["item"].to_numpy()
    return result
