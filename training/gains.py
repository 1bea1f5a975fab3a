"""Fit what one step is worth, from the value added by the steps of a log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.learner.forest import Forest
from engine.learner.gains import FACTS, GainModel, gate, left_open, prior_gains
from engine.learner.tracing import Tracing
from training.trees import constant, grow
from training.value_added import ValueAdded

# A log with fewer steps says nothing of what a step is worth: the prior stands.
LEAST_STEPS = 400
# The more trees the closer to the log and to its chance; how many is found on learners kept apart.
N_TREES, N_CONTROL_TREES, N_PARTS = (0, 10, 20, 40, 80), 40, 4
# The word of the graph against the log, in steps; and what one usually adds where it teaches.
_GRAPH_STEPS, _USUAL_GAIN = 100.0, 0.05
_LEAST_GATE = 0.05
_READY = [FACTS.index("readiness"), FACTS.index("readiness_mean")]
_CONTROLLED = [FACTS.index(name) for name in ("mastery", "readiness", "skill_n", "gap", "last", "ability", "known")]
_TREES: dict[str, Any] = {
    "objective": "l2", "learning_rate": 0.06, "num_leaves": 6, "min_data_in_leaf": 200, "lambda_l2": 20.0,
    "max_bin": 63, "bagging_fraction": 0.7, "boost_from_average": False,
}  # fmt: skip

Floats = NDArray[np.float64]


def fit_gains(
    found: ValueAdded, keys: NDArray[np.uint64], formats: Sequence[str], tracing: Tracing, *, seed: int
) -> tuple[GainModel, Mapping[str, float]]:
    """The gain model, and what it explains of learners it had not seen; `keys` `(n,)` of the resource of each pair."""
    steps = found.steps
    if steps.sum() < LEAST_STEPS:
        nothing = GainModel(constant(0.0), tuple(formats), np.zeros(0, np.uint64), np.zeros(0), 1.0, 0.0, tracing)
        return nothing, {"steps": float(steps.sum())}
    facts, weight, part = found.facts[steps], found.weight[steps], found.learner[steps] % N_PARTS
    added = found.added[steps] - _drift(found, seed)(facts)
    mine, unready = keys[steps], _unready(facts, added, weight)
    n_trees = min(N_TREES, key=lambda n: _left(_unseen(n, facts, added, weight, part, unready, seed), added, weight))
    plain, prior = (
        _unseen(n_trees, facts, added, weight, part, unready, seed),
        prior_gains(facts) * gate(facts, unready),
    )
    forest = _trees(n_trees, facts, added, weight, unready, seed)
    known, effects = _effects(forest, facts, added, weight, mine, unready)
    scale = _slope(plain - prior, added - prior, weight)
    model = GainModel(forest, tuple(formats), known, effects, scale, unready, tracing)
    return model, {
        "steps": float(steps.sum()),
        "mean": float(np.average(added, weights=weight)),
        "drift": float(found.added[~steps].mean()) if (~steps).any() else 0.0,
        "scale": scale,
        "explained": 1.0 - _left(plain, added, weight) / _left(np.zeros(len(added)), added, weight),
        "trees": float(n_trees),
        "unready": unready,
        "effect_sd": float(effects.std()) if len(effects) else 0.0,
    }


def _drift(found: ValueAdded, seed: int) -> Any:
    """What an answer is beyond its chance with no step on the skill between: asked of facts `(n, n_facts)`."""
    controls = ~found.steps
    if controls.sum() < LEAST_STEPS:
        return lambda facts: np.zeros(len(facts))
    facts, added = found.facts[controls], found.added[controls]
    mean = float(added.mean())
    forest = grow(facts[:, _CONTROLLED], added - mean, n_trees=N_CONTROL_TREES, parameters=_TREES, seed=seed, threads=1)
    return lambda asked: mean + forest.sums(asked[:, _CONTROLLED])


def _unready(facts: NDArray[np.float32], added: Floats, weight: Floats) -> float:
    """The share of a gain that is left where what a skill waits for is not known: nothing, until steps say otherwise.

    A line through what steps added, for what was left to learn, over how surely what comes before was known; the
    graph's own word counts as so many steps of a usual gain.
    """
    room, within = left_open(facts), facts[:, _READY[0]].astype(np.float64)
    columns = np.column_stack([room * within, room * (1.0 - within)])
    reached, unreached = np.linalg.solve(
        columns.T @ (columns * weight[:, None]) + _GRAPH_STEPS * np.eye(2),
        columns.T @ (weight * added) + _GRAPH_STEPS * np.array([_USUAL_GAIN, 0.0]),
    )
    return float(np.clip(unreached / max(reached, 1e-9), 0.0, 1.0))


def _trees(
    n_trees: int, facts: NDArray[np.float32], added: Floats, weight: Floats, unready: float, seed: int
) -> Forest:
    """Trees on what the prior leaves open; being readier never makes a step worth less."""
    if not n_trees:
        return constant(0.0)
    monotone = [1 if c in _READY else 0 for c in range(len(FACTS))]
    parameters = {**_TREES, "monotone_constraints": monotone, "monotone_constraints_method": "advanced"}
    # Shares of what is left to learn and within reach; where next to nothing is, a step says next to nothing.
    room = left_open(facts) * np.maximum(gate(facts, unready), _LEAST_GATE)
    left = (added - prior_gains(facts) * gate(facts, unready)) / room
    return grow(facts, left, n_trees=n_trees, parameters=parameters, seed=seed, threads=1, weight=weight * room**2)


def _effects(
    forest: Forest, facts: NDArray[np.float32], added: Floats, weight: Floats, keys: NDArray[np.uint64], unready: float
) -> tuple[NDArray[np.uint64], Floats]:
    """By what factor steps on each resource beat the trees, less what chance explains (empirical Bayes).

    With b what the trees say and e what is left, a resource's own estimate is sum(w b e) / sum(w b b), its variance
    s / sum(w b b).
    """
    base = (prior_gains(facts) + left_open(facts) * forest.sums(facts)) * gate(facts, unready)
    left = added - base
    known, place = np.unique(keys, return_inverse=True)
    about = np.bincount(place, weight * base * base)
    estimate = np.bincount(place, weight * base * left) / np.maximum(about, 1e-12)
    noise = float(np.average(left**2, weights=weight))
    variance = noise / np.maximum(about, 1e-12)
    precision = 1.0 / variance
    between = max(float((precision * (estimate**2 - variance)).sum() / precision.sum()), 0.0)
    shrunk = estimate * between / (between + variance) if between > 0 else np.zeros(len(known))
    return known, np.clip(shrunk, -0.9, 3.0)


def _of(known: NDArray[np.uint64], effects: Floats, keys: NDArray[np.uint64]) -> Floats:
    place = np.minimum(known.searchsorted(keys), len(known) - 1)
    return np.where(known[place] == keys, effects[place], 0.0)


def _slope(said: Floats, left: Floats, weight: Floats) -> float:
    """How much of what was said held: a regression without a constant, in [0, 1.5]."""
    about = float((weight * said * said).sum())
    return float(np.clip((weight * said * left).sum() / about, 0.0, 1.5)) if about > 0 else 0.0


def _left(said: Floats, added: Floats, weight: Floats) -> float:
    """The weighted square of what was added and not foreseen."""
    return float((weight * (added - said) ** 2).sum())


def _unseen(
    n_trees: int,
    facts: NDArray[np.float32],
    added: Floats,
    weight: Floats,
    part: NDArray[np.int64],
    unready: float,
    seed: int,
) -> Floats:
    """What trees say of each part of the learners when they had seen only the others: `(n,)`."""
    reach = gate(facts, unready)
    said = prior_gains(facts) * reach
    for k in range(N_PARTS):
        here, there = part == k, part != k
        if here.any() and there.any():
            trees = _trees(n_trees, facts[there], added[there], weight[there], unready, seed)
            said[here] += reach[here] * left_open(facts[here]) * trees.sums(facts[here])
    return said
