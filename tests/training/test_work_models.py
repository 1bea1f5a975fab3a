"""What the learner's own work says, fitted on a catalogue of which most was never taken up."""

import numpy as np

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from training.relevance_models import ModelSettings
from training.votes import Votes
from training.work_models import work_arrays

# A number for each pair of these would take 320 GB.
N = 200_000
DAY_US = 86_400_000_000
WALK = (7, 150_000, 42, 199_999)


def _votes(n_learners: int = 40) -> Votes:
    """Everybody takes the same walk, a step a day."""
    learner, step = np.divmod(np.arange(n_learners * len(WALK)), len(WALK))
    at_us = step * DAY_US
    return Votes(
        IdMap(f"u{i:03}" for i in range(n_learners)), IdMap(f"r{i:06}" for i in range(N)),
        IdMap(["", "maths"]), IdMap(["", "first"]), np.array([0, 1], np.int32), np.array([NO_TIME, 0]),
        learner.astype(np.int32), np.array(WALK, np.int32)[step], np.ones(len(learner), np.int32), at_us,
        np.arange(len(learner)), at_us,
    )  # fmt: skip


def test_what_comes_after_what_is_fitted_on_a_catalogue_of_any_size() -> None:
    arrays = work_arrays(_votes(), ModelSettings())
    starts, neighbour = arrays["after_ever_starts"], arrays["after_ever_neighbour"]
    assert starts[-1] == len(neighbour) == len(WALK) ** 2
    row = slice(starts[WALK[0]], starts[WALK[0] + 1])
    weights = dict(zip(neighbour[row].tolist(), arrays["after_ever_weight"][row].tolist(), strict=True))
    # The next step first, then the ones behind it; nothing leads back.
    assert sorted(weights, key=lambda x: -weights[x])[:3] == list(WALK[1:])
    assert weights[WALK[0]] == 0
    assert 0.9 < sum(weights.values()) < 1
