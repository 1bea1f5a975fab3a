"""Laws of learning together, of which nobody knows the right one: each says what an hour with others closes.

They are assumptions, each after a school of thought, and were fixed together before a policy was judged by any but the
first. An hour closes a share of what is missing of the skill, by what the others know of it when the hour begins.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Out of what somebody knows themselves, and what each of the others does: the share of what is missing that closes.
Law = Callable[[float, Floats], float]

# Who knows a skill so well can explain it to somebody who is so far behind.
CAN_EXPLAIN, BEHIND = 0.7, 0.2
_USUAL = 0.08


def _explained(alone: float, explained: float, explaining: float) -> Law:
    def law(own: float, others: Floats) -> float:
        if (others >= max(CAN_EXPLAIN, own + BEHIND)).any():
            return explained
        if own >= CAN_EXPLAIN and (others <= own - BEHIND).any():
            return explaining
        return alone

    return law


def _zone(own: float, others: Floats) -> float:
    """Somebody a little ahead lifts most; nobody ahead, or only somebody far ahead, little: the zone of Vygotsky."""
    ahead = others[others > own] - own
    lift = float(np.exp(-(((ahead - 0.3) / 0.15) ** 2)).max()) if len(ahead) else 0.0
    return 0.04 + 0.08 * lift


def _equal_status(own: float, others: Floats) -> float:
    """Those who stand alike find out together, and nobody leaves it to somebody else."""
    return 0.04 + 0.08 * float(np.exp(-((np.abs(others - own) / 0.2) ** 2)).mean())


LAWS: dict[str, Law] = {
    # An hour without anybody who can explain is a third as good; explaining is worth nearly as much as an explanation.
    "explainer": _explained(0.04, 0.12, 0.10),
    # Like the law that was tried first: half as good without, and explaining is worth a little.
    "explaining_costs": _explained(0.06, 0.12, 0.03),
    "zone": _zone,
    "equal_status": _equal_status,
    # With whom somebody works is all but the same; only the time counts.
    "hardly_matters": lambda own, others: _USUAL + 0.01 * float((others > own).any()),
}
