"""Fit the usual order: where in a learner's own sequence each resource is first taken up."""

import numpy as np
from numpy.typing import NDArray

from training.votes import Votes


def usual_order_arrays(votes: Votes) -> dict[str, NDArray[np.float32]]:
    """The mean place between 0 and 1 of each resource; see `UsualOrder`. Empty where no clock tells of an order."""
    if not votes.timed:
        return {}
    starts = np.searchsorted(votes.learner, np.arange(len(votes.learner_ids) + 1))
    lengths = np.diff(starts)
    place = (np.arange(len(votes)) - starts[votes.learner]) / np.maximum(lengths[votes.learner] - 1, 1)
    n_resources = len(votes.resource_ids)
    counts = np.bincount(votes.resource, minlength=n_resources)
    mean = np.bincount(votes.resource, place, n_resources) / np.maximum(counts, 1)
    return {"usual_order_place": np.where(counts > 0, mean, -1.0).astype(np.float32)}
