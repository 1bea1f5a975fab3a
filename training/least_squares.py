"""Fit iALS, plain and with votes that lose confidence with age; the only door to `implicit`."""

from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import sparse

from engine.ranking.neighbours import PLAIN
from training.present import present_of
from training.relevance_models import ModelSettings
from training.votes import Votes

Arrays = dict[str, NDArray[Any]]
# implicit counts an entry as a vote as long as it is not zero.
_FADED = 1e-6


def least_squares_arrays(votes: Votes, settings: ModelSettings, *, seed: int) -> Arrays:
    """Resource vectors of each form; see `LeastSquares`. Decayed ones only where there is a clock."""
    half_lives = {"ials": PLAIN}
    if votes.timed:
        half_lives |= {f"ials_{h:g}d": h for h in settings.recent_ials_half_lives}
    days = np.maximum(present_of(votes).aligned, 0.0)
    arrays: Arrays = {}
    for name, half_life in half_lives.items():
        weight = np.ones(len(votes)) if half_life == PLAIN else np.maximum(np.exp2(-days / half_life), _FADED)
        arrays |= _fitted(name, votes, weight, half_life, settings, seed)
    return arrays


def _fitted(
    name: str, votes: Votes, weight: NDArray[np.float64], half_life: float, settings: ModelSettings, seed: int
) -> Arrays:
    shape = (len(votes.learner_ids), len(votes.resource_ids))
    confidence = (settings.ials_confidence * weight).astype(np.float32)
    matrix = sparse.csr_matrix((confidence, (votes.learner, votes.resource)), shape=shape)
    dimensions = min(settings.ials_dimensions, *(max(n, 1) for n in shape))
    model = AlternatingLeastSquares(
        factors=dimensions, regularization=settings.ials_penalty, alpha=1.0, iterations=settings.ials_passes,
        num_threads=1, random_state=seed,
    )  # fmt: skip
    if len(votes):
        model.fit(matrix, show_progress=False)
        vectors = model.item_factors
    else:
        vectors = np.zeros((shape[1], dimensions), np.float32)
    solve = np.array([settings.ials_penalty, settings.ials_confidence, half_life])
    return {f"{name}_vectors": vectors.astype(np.float32), f"{name}_solve": solve}
