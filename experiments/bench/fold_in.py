"""What folding in costs: learners whose last events training never saw, against a training that saw them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.domain.history import NO_TIME, History
from engine.domain.query import Query
from engine.ranking.collaborative import Ease
from engine.ranking.least_squares import LeastSquares
from experiments.bench.peers import Seen, Values, hits, ranked, seen_of
from training.least_squares import least_squares_arrays
from training.log import read_log
from training.pipeline import school_of
from training.relevance_models import ModelSettings, ease_arrays
from training.votes import Votes

# One asked learner in so many stands in for those who come back after training, with so much of their work new.
_EVERY, _NEW = 5, 1 / 3
SPLITS = ("oulad_dev", "junyi")


def fold_in(judge: Path, work: Path) -> str:
    """NDCG@10 of those learners by EASE and by iALS, both ways, and the ratio: a table in Markdown."""
    rows = ["| split | model | learners | retrained | folded in | ratio |", "|--|--|--:|--:|--:|--:|"]
    for name in SPLITS:
        split = judge / "splits" / name
        votes = school_of(read_log(work / name / "test" / "log")).votes
        seen = seen_of(split, "test", json.loads((split / "meta.json").read_text()).get("cut_ts", {}))
        seen = replace(seen, asked=seen.asked[::_EVERY], asked_day=seen.asked_day[::_EVERY])
        truth = pl.read_parquet(split / "test.parquet")
        truth = truth.filter(pl.col("learner_id").is_in([seen.learner_ids[x] for x in seen.asked]))
        late = _late(votes, {seen.learner_ids[x] for x in seen.asked})
        with_all, without = _scorers(votes), _scorers(votes.where(~late))
        for model in with_all:
            retrained, folded = (
                float(hits(ranked(seen, _asking(scorers[model], seen, votes)), truth).mean())
                for scorers in (with_all, without)
            )
            rows.append(
                f"| {name} | {model} | {len(seen.asked)} | {retrained:.4f} | {folded:.4f} | {folded / retrained:.4f} |"
            )
    return "\n".join(rows)


def _late(votes: Votes, chosen: set[str]) -> NDArray[np.bool_]:
    """The last third of the votes of some learners; of a log without a clock, a third at random."""
    rng, late = np.random.default_rng(0), np.zeros(len(votes), bool)
    starts = np.searchsorted(votes.learner, np.arange(len(votes.learner_ids) + 1))
    for learner, learner_id in enumerate(votes.learner_ids):
        if learner_id in chosen:
            own = np.arange(starts[learner], starts[learner + 1])
            own = own if votes.timed else rng.permutation(own)
            late[own[len(own) - int(_NEW * len(own)) :]] = True
    return late


def _scorers(votes: Votes) -> dict[str, Callable[[History], Values]]:
    """EASE and iALS as a bundle carries them, over these votes."""
    settings = ModelSettings()
    ease = Ease(ease_arrays(votes, settings), len(votes.resource_ids))
    factors = LeastSquares(least_squares_arrays(votes, settings, seed=0), "ials")
    return {
        "EASE": lambda history: ease.score(history.seen),
        "iALS": lambda history: factors.score(Query(learner_id="", known=True, history=history, now_us=NO_TIME)),
    }


def _asking(scorer: Callable[[History], Values], seen: Seen, votes: Votes) -> Callable[[int], Values]:
    """What a scorer says of all resources to the asked learner at a place, all their work known."""

    def scores(place: int) -> Values:
        mine = votes.learner == votes.learner_ids.row(seen.learner_ids[seen.asked[place]])
        said = scorer(History(votes.resource[mine], votes.at_us[mine]))
        return np.nan_to_num(said[votes.resource_ids.rows(seen.resource_ids)])

    return scores
