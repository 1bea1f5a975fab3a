"""Trailmate against the best peer's family of each split, rebuilt, by the judge's own paired difference."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.bench.circle import TRAILMATE
from experiments.bench.fold_in import fold_in
from experiments.bench.peers import Seen, Values, ease, hits, ranked, recent_ease, scores_of, seen_of, today_of
from training.trees import grow_paths

# The family that is best on each split by the judge's tables.
FAMILIES = {"oulad_dev": "ltr", "oulad_cold_learner": "ltr", "oulad_new_cohort": "recent EASE", "junyi": "EASE"}
_HORIZON = 28.0
_QUERIES = 600
_TREES = {
    "num_leaves": 15, "learning_rate": 0.05, "min_data_in_leaf": 50, "lambda_l2": 5.0, "feature_fraction": 0.7,
    "bagging_fraction": 0.8, "max_bin": 127, "lambdarank_truncation_level": 15,
}  # fmt: skip
_N_TREES = 200
# How much earlier the tuning cuts ask, as the judge's script has it.
_EARLIER = {"oulad_dev": 28.0, "oulad_new_cohort": 21.0}


def relevance(judge: Path, work: Path) -> str:
    """Both scores on each split with their paired difference, and what folding in costs: tables in Markdown."""
    rows = ["| split | Trailmate NDCG@10 | rebuilt peer | its NDCG@10 | difference [95 %] |", "|--|--:|--|--:|--|"]
    for name, family in FAMILIES.items():
        place = (work / name).resolve()
        place.mkdir(parents=True, exist_ok=True)
        ours = _trailmate(judge, name, place)
        theirs = place / "peer.parquet"
        _peer(judge / "splits" / name, family).write_parquet(theirs)
        alone, against = _scored(judge, name, theirs), _scored(judge, name, ours, theirs)
        low, high = against["ndcg_diff_ci"]
        rows.append(
            f"| {name} | {against['ndcg']:.4f} | {family} | {alone['ndcg']:.4f} | "
            f"{against['ndcg_diff']:+.4f} [{low:+.4f}, {high:+.4f}] |"
        )
    return "\n".join([*rows, "", fold_in(judge, work)])


def _trailmate(judge: Path, name: str, place: Path) -> Path:
    """What Trailmate recommends, driven by the judge's script."""
    run = [sys.executable, "run.py", f"splits/{name}", "--work", str(place), "--trailmate", " ".join(TRAILMATE)]
    subprocess.run(run, cwd=judge, capture_output=True, check=True)
    return place / "test" / "recs.parquet"


def _scored(judge: Path, name: str, recs: Path, baseline: Path | None = None) -> dict[str, Any]:
    """The judge's score of a file, with the paired difference to another."""
    against = ["--baseline", str(baseline)] if baseline else []
    command = [sys.executable, "judge_rec.py", "--test", f"splits/{name}/test.parquet", "--recs", str(recs), *against]
    printed = subprocess.run(command, cwd=judge, capture_output=True, text=True, check=True).stdout
    told: dict[str, Any] = json.loads(printed)
    return told


def _peer(split: Path, family: str) -> pl.DataFrame:
    """The ranking of a family, its settings chosen on the tuning cut."""
    seen = seen_of(split, "test", _days(split, "test"))
    if family == "ltr":
        return ranked(seen, _learned(seen))
    grid: list[Callable[[Seen], Callable[[int], Values]]] = (
        [partial(ease, l2=l2) for l2 in (30.0, 100.0, 300.0)]
        if family == "EASE"
        else [partial(recent_ease, l2=l2, half_life=h) for h in (2.0, 4.0, 7.0) for l2 in (50.0, 100.0, 200.0, 400.0)]
    )
    earlier, truth = seen_of(split, "val", _days(split, "val")), pl.read_parquet(split / "val.parquet")
    best = max(grid, key=lambda model: float(hits(ranked(earlier, model(earlier)), truth).mean()))
    return ranked(seen, best(seen))


def _days(split: Path, part: str) -> dict[str, float]:
    cut = json.loads((split / "meta.json").read_text()).get("cut_ts", {})
    early = _EARLIER.get(split.name, 0.0) if part == "val" else 0.0
    return {course: day - early for course, day in cut.items()}


def _learned(seen: Seen) -> Callable[[int], Values]:
    """LambdaMART fitted on one earlier cut: what the same courses took up in the four weeks before, or whole ones."""
    x, taken, sizes = zip(*_queries(seen), strict=True)
    n_columns = x[0].shape[1]
    paths = grow_paths(
        np.concatenate(x).astype(np.float32), np.concatenate(taken).astype(float), np.array(sizes),
        families=np.zeros(n_columns, np.int32), n_families=1, n_trees=_N_TREES, parameters=_TREES, seed=0,
    )  # fmt: skip
    said = np.full((len(seen.asked), len(seen.resource_ids)), -1e9)
    for place, (offered, columns) in enumerate(scores_of(seen)):
        said[place, offered] = paths.contributions(columns.astype(np.float32)).sum(axis=0)
    return lambda place: np.asarray(said[place])


def _queries(seen: Seen) -> Iterator[tuple[Values, NDArray[np.bool_], int]]:
    """Columns, what was taken up, and how many, of each query of an earlier cut."""
    today = today_of(seen)[seen.course_of_learner]
    rng, n = np.random.default_rng(0), len(seen.learner_ids)
    ahead = seen.day > today[seen.learner]
    # Where earlier cohorts are there as a whole they ask at the same day; where not, everybody asks four weeks ago.
    cut = today if ahead.any() else today - _HORIZON
    after = (seen.day > cut[seen.learner]) & (seen.day <= cut[seen.learner] + _HORIZON)
    who = np.setdiff1d(np.unique(seen.learner[after]), seen.asked if ahead.any() else [])
    who = np.sort(rng.choice(who, min(_QUERIES, len(who)), replace=False))
    asks = np.zeros(n, bool)
    asks[who] = True
    hidden = (seen.day > cut[seen.learner]) & (asks[seen.learner] | (not ahead.any()))
    earlier = replace(seen.where(~hidden), asked=who, asked_day=cut[who])
    later = seen.where(hidden & after).matrix()
    for learner, (offered, columns) in zip(who, scores_of(earlier), strict=True):
        taken = np.isin(offered, later[[learner]].indices)
        if taken.any():
            yield columns, taken, len(offered)
