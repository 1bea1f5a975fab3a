"""The rules as a mixed-integer program, solved by HiGHS: the engine's only door to SciPy, opened when it is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.collaborators.counts import Groups
from engine.collaborators.reading import PAIR_VERBS
from engine.collaborators.roster import Roster
from engine.collaborators.spec import Layout, Spec

INFINITE = float("inf")
# A status of scipy.optimize.milp.
_OPTIMAL, _IMPOSSIBLE = 0, 2


@dataclass(slots=True)
class Model:
    """A program under construction: variables with bounds and costs, and rows `low <= sum(factor * x) <= high`."""

    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rows: list[Mapping[int, float]] = field(default_factory=list)
    row_low: list[float] = field(default_factory=list)
    row_high: list[float] = field(default_factory=list)

    def variable(self, cost: float = 0.0, *, whole: bool = True, high: float = 1.0) -> int:
        """A new variable from 0 to `high`."""
        self.low.append(0.0)
        self.high.append(high)
        self.cost.append(cost)
        self.whole.append(int(whole))
        return len(self.low) - 1

    def row(self, factors: Mapping[int, float], low: float = -INFINITE, high: float = INFINITE) -> None:
        """A new row."""
        self.rows.append(factors)
        self.row_low.append(low)
        self.row_high.append(high)

    def slack(self, weight: float) -> dict[int, float]:
        """A break that costs `weight`, as a factor 1 of a new variable; nothing where the rule is hard (weight 0)."""
        return {self.variable(weight): 1.0} if weight else {}


@dataclass(frozen=True, slots=True)
class Solved:
    """What the program came to: a grouping or none, a bound on the weighted breaks, whether the end was reached."""

    groups: Groups | None
    bound: float
    finished: bool
    impossible: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """When to give up: after so many seconds, or nodes of the search tree (the same on every machine)."""

    seconds: float
    nodes: int = 100_000


def solved(roster: Roster, spec: Spec, layout: Layout, limits: Limits, *, spread: float = 0.0) -> Solved:
    """The grouping that breaks soft rules least, hard ones never; `spread` is the cost of a mean's distance.

    The distance of a group's mean from the class mean, in standard deviations, is a part of the objective only where
    `spread` is above 0.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    from engine.collaborators.linear import model_of

    model, place = model_of(roster, spec, layout, spread=spread)
    lengths = [len(row) for row in model.rows]
    matrix = csr_array(
        (
            np.array([factor for row in model.rows for factor in row.values()]),
            np.array([at for row in model.rows for at in row], np.int32),
            np.cumsum([0, *lengths]),
        ),
        shape=(len(model.rows), len(model.low)),
    )
    result = milp(
        np.array(model.cost),
        integrality=np.array(model.whole),
        bounds=Bounds(np.array(model.low), np.array(model.high)),
        constraints=LinearConstraint(matrix, np.array(model.row_low), np.array(model.row_high)),
        options={"time_limit": max(limits.seconds, 0.01), "node_limit": limits.nodes},
    )
    groups = None if result.x is None else np.argmax(result.x[place], axis=1).astype(np.int32)
    bound = getattr(result, "mip_dual_bound", None)
    return Solved(
        groups,
        max(float(bound), 0.0) if bound is not None and np.isfinite(bound) else 0.0,
        finished=result.status == _OPTIMAL,
        impossible=result.status == _IMPOSSIBLE,
    )


def size_of(roster: Roster, spec: Spec, layout: Layout) -> int:
    """About how many variables the program has: whether it is worth a try."""
    several = sum(rule.verb in PAIR_VERBS or rule.verb == "friends" for rule in spec.rules)
    return len(roster) * layout.n_groups * (1 + several)
