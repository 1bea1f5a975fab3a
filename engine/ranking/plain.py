"""What orders resources where no model is served: the teacher's plan, and what the learner asked for."""

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.history import NO_TIME
from engine.domain.query import Query
from engine.learner.preferences import Preferences
from engine.learner.voices import DAY_US
from engine.ranking.weights import ObjectiveWeights

TERMS = ("style", "minutes")
# A format that is asked for goes past its neighbour in the plan, however short the plan is.
_LEAST_STEPS = 1.5

Floats = NDArray[np.float64]


def planned_order(catalogue: Catalogue) -> Floats:
    """Minus the place in the teacher's plan, resources without one behind all others: `(n_resources,)`."""
    resources = catalogue.resources
    places = [r.position for r in resources if r is not None and r.position is not None]
    last = max([*places, len(resources) - 1]) + 1
    return -np.array([last if r is None or r.position is None else r.position for r in resources], np.float64)


def wishes(
    preferences: Preferences, query: Query, *, catalogue: Catalogue, plain: Floats, weights: ObjectiveWeights
) -> Floats:
    """What `TERMS` add to each resource of the catalogue: `(2, n_resources)`.

    Formats asked for gain, and what takes longer than is left of the minutes for today falls by the share beyond. Both
    are shares of the span of `plain` `(n_candidates,)`, the scores of the candidates.
    """
    steps = np.diff(np.unique(plain))
    step = float(steps.min()) if len(steps) else 1.0
    scale = max(float(np.ptp(plain)) if len(plain) else 0.0, step * _LEAST_STEPS / max(weights.style, 1e-9))
    asked = np.array([name in preferences.formats for name in catalogue.formats] + [False])
    style = weights.style * scale * asked[catalogue.format_index]
    minutes = catalogue.minutes
    left = left_today(preferences.minutes_per_day, query, minutes)
    over = np.zeros(len(minutes)) if left is None else np.maximum(np.nan_to_num(minutes) - left, 0.0)
    return np.vstack([style, -weights.minutes * scale * over / np.maximum(np.nan_to_num(minutes), 1.0)])


def left_today(minutes_per_day: float | None, query: Query, minutes: Floats) -> float | None:
    """What is left of the minutes a learner wants to give today (UTC), by the `minutes` of what they took up."""
    if minutes_per_day is None or query.now_us == NO_TIME:
        return minutes_per_day
    today, history = query.now_us - query.now_us % DAY_US, query.history
    rows = history.resource_index[(history.at_us >= today) & (history.at_us <= query.now_us)]
    return max(minutes_per_day - float(np.nan_to_num(minutes[np.unique(rows)]).sum()), 0.0)
