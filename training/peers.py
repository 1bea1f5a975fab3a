"""Fit who answers whom: a choice among all others, from what had happened just before."""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize

from engine.collaborators.affinity import NAMES, USUAL, Affinity, features_of
from engine.collaborators.contacts import HELPED, TOGETHER, Contacts, contacts_of
from engine.domain.history import NO_TIME
from training.log import Log, interactions_of, learners_of

Floats = NDArray[np.float64]

# Fewer contacts than this say less than what is usual elsewhere.
FEWEST = 30
# How much of the log lies before each moment that is looked at.
_MOMENTS = (0.5, 0.6, 0.7, 0.8)
_MOST, _OTHERS, _L2, _ROUNDS = 200, 400, 10.0, 80


def affinity_for(log: Log, *, seed: int) -> Affinity:
    """What this log says of who answers whom; what is usual, where it tells of too few contacts or has no clock."""
    told = log.interactions().filter(pl.col("with_learner_ids").is_not_null() | (pl.col("kind") == "voided")).collect()
    events = [e for e in interactions_of(told) if e.with_learner_ids or e.kind == "voided"]
    people = {e.learner_id for e in events}.union(*(e.with_learner_ids or () for e in events))
    rows = {x: row for row, x in enumerate(sorted(people))}
    contacts = contacts_of(events, rows)
    return fit_affinity(contacts, _classes(log, rows), seed=seed)


def fit_affinity(contacts: Contacts, same_class: NDArray[np.bool_] | None = None, *, seed: int) -> Affinity:
    """Weights that make what happened likely, drawn towards the usual ones; `same_class` `(n, n)`."""
    timed = contacts.of_kind(HELPED, TOGETHER)
    timed = timed.where(timed.at_us != NO_TIME)
    if len(timed.who) < FEWEST:
        return USUAL
    sides = [_fit(contacts, timed, same_class, asks=asks, seed=seed) for asks in (True, False)]
    return Affinity(*sides)


def _fit(contacts: Contacts, timed: Contacts, same_class: NDArray[np.bool_] | None, *, asks: bool, seed: int) -> Floats:
    """Looked at from several moments: those somebody had to do with later are chosen among all others.

    Each learner counts the same at each moment, however many partners they had.
    """
    rng = np.random.default_rng([seed, int(asks)])
    giver, taker = (timed.who, timed.whom) if asks else (timed.whom, timed.who)
    seen, chosen, sizes = [], [], []
    for share in _MOMENTS:
        now_us = int(np.quantile(timed.at_us, share))
        past = contacts.before(now_us)
        for row in _some(np.unique(taker[timed.at_us >= now_us]), rng):
            partners = np.unique(giver[(timed.at_us >= now_us) & (taker == row)])
            own = None if same_class is None else same_class[row]
            told = features_of(past, row, now_us, asks=asks, same_class=own)
            others = np.setdiff1d(np.arange(contacts.n), [*partners, row])
            if len(others) > _OTHERS:
                others = rng.choice(others, _OTHERS, replace=False)
            seen.append(told[np.concatenate([partners, others])])
            sizes.append(len(partners) + len(others))
            chosen.append(np.repeat([1.0 / len(partners), 0.0], [len(partners), len(others)]))
    usual = USUAL.asks if asks else USUAL.answers
    return _most_likely(np.concatenate(seen), np.concatenate(chosen), np.array(sizes), usual)


def _some(rows: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    chosen = rows if len(rows) <= _MOST else rng.choice(rows, _MOST, replace=False)
    return sorted(int(row) for row in chosen)


def _most_likely(x: Floats, chosen: Floats, sizes: NDArray[np.int64], usual: Floats) -> Floats:
    """The weights under which those `chosen` of each set of `sizes` are most likely to be (McFadden 1974).

    Each is held to the usual one by `_L2`, measured in standard deviations of its feature, and none speaks against
    somebody for having to do with others more: such signs come from features that move together.
    """
    scale = np.maximum(x.std(0), 1e-9)
    z, prior = x / scale, usual * scale
    at = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    of = np.repeat(np.arange(len(sizes)), sizes)

    def loss(w: Floats) -> tuple[float, Floats]:
        score = z @ w
        score -= np.maximum.reduceat(score, at)[of]
        total = np.add.reduceat(np.exp(score), at)
        lacking = float((chosen * (score - np.log(total)[of])).sum())
        slope = (chosen - np.exp(score) / total[of]) @ z
        return _L2 / 2 * float(((w - prior) ** 2).sum()) - lacking, _L2 * (w - prior) - slope

    bounds = [(None, 0.0) if name == "silent_days" else (0.0, None) for name in NAMES]
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _ROUNDS})
    # A feature that never varied says nothing: it stays as usual.
    result: Floats = np.where(x.std(0) > 0, found.x / scale, usual)
    return result


def _classes(log: Log, rows: Mapping[str, int]) -> NDArray[np.bool_] | None:
    """Who shares a class with whom, `(n, n)`; None where nobody's class is told."""
    told = {x.learner_id: set(x.classes) for x in learners_of(log.learners()) if x.learner_id in rows}
    names = sorted(set().union(*told.values()))
    if not names:
        return None
    number = {name: k for k, name in enumerate(names)}
    member = np.zeros((len(rows), len(names)), np.float32)
    for x, own in told.items():
        member[rows[x], [number[name] for name in own]] = 1.0
    result: NDArray[np.bool_] = member @ member.T > 0
    return result
