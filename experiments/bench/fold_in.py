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
from training.metrics import interval
from training.pipeline import school_of
from training.relevance_models import ModelSettings, ease_arrays
from training.votes import Votes

# So many groups, each of one asked learner in so many, come back after a training that missed the last of their work:
# few at a time, for what folding in costs is asked, and not what less data costs.
_GROUPS, _EVERY, _NEW = 5, 25, 0.2
SPLITS = ("oulad_dev", "junyi")


def fold_in(judge: Path, work: Path) -> str:
    """NDCG@10 of those learners by EASE and by iALS, both ways, with the paired difference: a table in Markdown."""
    head = "| split | learners | model | retrained | folded in | ratio | difference [95 %] |"
    rows = [head, "|--|--:|--|--:|--:|--:|--|"]
    for name in SPLITS:
        split = judge / "splits" / name
        votes = school_of(read_log(work / name / "test" / "log")).votes
        seen = seen_of(split, "test", json.loads((split / "meta.json").read_text()).get("cut_ts", {}))
        truth, retrained = pl.read_parquet(split / "test.parquet"), _scorers(votes)
        groups = [
            replace(seen, asked=seen.asked[g::_EVERY], asked_day=seen.asked_day[g::_EVERY]) for g in range(_GROUPS)
        ]
        both: dict[str, list[tuple[Values, Values]]] = {model: [] for model in retrained}
        for group in groups:
            chosen = {group.learner_ids[x] for x in group.asked}
            theirs = truth.filter(pl.col("learner_id").is_in(list(chosen)))
            folded = _scorers(votes.where(~_late(votes, chosen)))
            for model, pairs in both.items():
                fresh, late = (ranked(group, _asking(s[model], group, votes)) for s in (retrained, folded))
                pairs.append((hits(fresh, theirs), hits(late, theirs)))
        rows += [
            _row(name, model, *(np.concatenate(side) for side in zip(*p, strict=True))) for model, p in both.items()
        ]
    return "\n".join(rows)


def _row(name: str, model: str, fresh: Values, folded: Values) -> str:
    low, high = interval(folded - fresh, seed=0)
    return (
        f"| {name} | {len(fresh):,} | {model} | {fresh.mean():.4f} | {folded.mean():.4f} | "
        f"{folded.mean() / fresh.mean():.3f} | {(folded - fresh).mean():+.4f} [{low:+.4f}, {high:+.4f}] |"
    )


def _late(votes: Votes, chosen: set[str]) -> NDArray[np.bool_]:
    """The last fifth of the votes of some learners; of a log without a clock, a fifth at random."""
    rng, late = np.random.default_rng(0), np.zeros(len(votes), bool)
    starts = np.searchsorted(votes.learner, np.arange(len(votes.learner_ids) + 1))
    for learner, learner_id in enumerate(votes.learner_ids):
        if learner_id in chosen:
            own = np.arange(starts[learner], starts[learner + 1])
            own = own if votes.timed else rng.permutation(own)
            late[own[len(own) - int(np.ceil(_NEW * len(own))) :]] = True
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
