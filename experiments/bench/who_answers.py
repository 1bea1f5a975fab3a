"""Who answers whom later in time, beside popularity and reciprocity: NDCG@10 on replies in a real forum."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.collaborators.affinity import USUAL, Affinity, features_of
from engine.collaborators.contacts import HELPED, Contacts, contacts_from
from engine.domain.history import microseconds
from training.peers import fit_affinity

Floats = NDArray[np.float64]
Scores = Callable[[int], Floats]

_CUTS = (0.5, 0.6, 0.7, 0.8)
_DRAWS = 2_000
_NAMES = ("trailmate", "usual", "popularity", "reciprocity")


def replies(data: Path) -> Contacts:
    """The forum's replies in order: who answered whom."""
    told = pl.read_parquet(data / "mooc_forum" / "forum_replies.parquet").sort("ts", "comment_id")
    told = told.filter(pl.col("sender") != pl.col("receiver"))
    rows = {x: row for row, x in enumerate(sorted({*told["sender"], *told["receiver"]}))}
    at_us = [microseconds(at.replace(tzinfo=None).astimezone()) for at in told["ts"]]
    lines = zip(told["sender"], told["receiver"], at_us, strict=True)
    return contacts_from(len(rows), [(rows[a], rows[b], t, HELPED, float("nan")) for a, b, t in lines])


def who_answers(data: Path) -> str:
    """NDCG@10 of each way of ranking, and paired differences with their 95 % intervals: a table in Markdown."""
    contacts = replies(data)
    rows = [
        "| asked after | learners | trailmate | without fitting | popularity | reciprocity "
        "| over popularity | over reciprocity |",
        "|--|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for asks in (True, False):
        hits: dict[str, list[Floats]] = {}
        for cut in _CUTS:
            for name, found in compared(contacts, cut, asks=asks).items():
                hits.setdefault(name, []).append(found)
        what = "who answers them" if asks else "whom they answer"
        for place, cut in enumerate(_CUTS):
            rows.append(_row({name: many[place] for name, many in hits.items()}, f"{what}, after {cut:.0%}"))
        rows.append(_row(_by_learner(hits), f"{what}, mean of the cuts"))
        rows.append(_row(followed(contacts, 0.5, asks=asks), f"{what} next, reply by reply after 50%"))
    return "\n".join(rows)


def compared(contacts: Contacts, cut: float, *, asks: bool) -> dict[str, Floats]:
    """The NDCG@10 of each learner who has a partner after the cut, by each way of ranking: `(n_learners,)`."""
    when = int(np.quantile(contacts.at_us, cut))
    past, later = contacts.before(when), contacts.where(contacts.at_us >= when)
    fitted = fit_affinity(past, seed=0)
    truth = _partners(later, asks=asks)
    return {
        "learner": np.array([float(row) for row in truth]),
        "trailmate": _ndcg(truth, _by(fitted, past, when, asks=asks)),
        "usual": _ndcg(truth, _by(USUAL, past, when, asks=asks)),
        "popularity": _ndcg(truth, _popularity(past, asks=asks)),
        "reciprocity": _ndcg(truth, _reciprocity(past, asks=asks)),
    }


def followed(contacts: Contacts, cut: float, *, asks: bool) -> dict[str, Floats]:
    """The same for each reply after the cut, with all that came before it known; the mean of each learner's replies.

    Weights are fitted once, on what lies before the cut.
    """
    when = int(np.quantile(contacts.at_us, cut))
    fitted = fit_affinity(contacts.before(when), seed=0)
    one, other = (contacts.whom, contacts.who) if asks else (contacts.who, contacts.whom)
    later = np.flatnonzero(contacts.at_us >= when)
    hits = np.empty((len(_NAMES), len(later)))
    for place, event in enumerate(later):
        now = int(contacts.at_us[event])
        past = contacts.before(now)
        truth = {int(one[event]): other[event : event + 1]}
        ways = (
            _by(fitted, past, now, asks=asks), _by(USUAL, past, now, asks=asks),
            _popularity(past, asks=asks), _reciprocity(past, asks=asks),
        )  # fmt: skip
        hits[:, place] = [_ndcg(truth, way)[0] for way in ways]
    of, counts = np.unique(one[later], return_inverse=True)[1], np.bincount(one[later])
    counts = counts[counts > 0]
    return {name: np.bincount(of, row) / counts for name, row in zip(_NAMES, hits, strict=True)}


def interval(values: Floats, *, seed: int = 0) -> tuple[float, float, float]:
    """The mean and the ends of its 95 % interval, by bootstrap over learners."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (_DRAWS, len(values)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def _by(affinity: Affinity, past: Contacts, when: int, *, asks: bool) -> Scores:
    weights = affinity.asks if asks else affinity.answers
    return lambda row: features_of(past, row, when, asks=asks) @ weights


def _popularity(past: Contacts, *, asks: bool) -> Scores:
    """How often each answered so far, or was answered."""
    counts = np.bincount(past.who if asks else past.whom, minlength=past.n).astype(np.float64)
    return lambda _row: counts


def _reciprocity(past: Contacts, *, asks: bool) -> Scores:
    """How often the learner answered each, or each answered them: what may be given back."""
    giver, taker = (past.who, past.whom) if asks else (past.whom, past.who)
    return lambda row: np.bincount(taker[giver == row], minlength=past.n).astype(np.float64)


def _partners(later: Contacts, *, asks: bool) -> dict[int, NDArray[np.int64]]:
    one, other = (later.whom, later.who) if asks else (later.who, later.whom)
    return {int(row): np.unique(other[one == row]) for row in np.unique(one)}


def _ndcg(truth: dict[int, NDArray[np.int64]], scores: Scores, k: int = 10) -> Floats:
    """Ties by row, which is by id."""
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    found = []
    for row, partners in truth.items():
        told = scores(row).copy()
        told[row] = -np.inf
        best = np.argsort(-told, kind="stable")[:k]
        found.append(float((np.isin(best, partners) * discount).sum() / discount[: min(len(partners), k)].sum()))
    return np.array(found)


def _by_learner(hits: dict[str, list[Floats]]) -> dict[str, Floats]:
    """The mean over the cuts of each learner, who counts once."""
    _, of = np.unique(np.concatenate(hits["learner"]), return_inverse=True)
    counts = np.bincount(of)
    return {name: np.bincount(of, np.concatenate(hits[name])) / counts for name in _NAMES}


def _row(told: dict[str, Floats], what: str) -> str:
    means = " | ".join(f"{told[name].mean():.3f}" for name in _NAMES)
    over = []
    for peer in ("popularity", "reciprocity"):
        mean, low, high = interval(told["trailmate"] - told[peer])
        over.append(f"{mean:+.3f} ({low:+.3f} to {high:+.3f})")
    return f"| {what} | {len(told['trailmate'])} | {means} | {' | '.join(over)} |"
