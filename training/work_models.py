"""Fit what the learner's own work says: decayed EASE, what learners alike did next, and what came after what."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from engine.ranking.neighbours import N_LAST
from training.present import Present, present_of
from training.relevance_models import ModelSettings, ease_weights
from training.votes import Votes

Matrix = NDArray[np.float64]


def work_arrays(votes: Votes, settings: ModelSettings) -> dict[str, NDArray[Any]]:
    """Every matrix of `settings.work_models`, each row cut to its strongest neighbours; see `Neighbours`."""
    present = present_of(votes)
    kept = _kept(votes, settings)
    arrays: dict[str, NDArray[Any]] = {}
    for name, matrix in _matrices(votes, present, kept, settings).items():
        arrays.update(_cut(name, matrix, kept, len(votes.resource_ids), settings.work_neighbours))
    return arrays


def _kept(votes: Votes, settings: ModelSettings) -> NDArray[np.int64]:
    counts = np.bincount(votes.resource, minlength=len(votes.resource_ids))
    kept = np.sort(np.argsort(-counts, kind="stable")[: settings.ease_max_resources])
    return kept[counts[kept] > 0]


def _matrices(votes: Votes, present: Present, kept: NDArray[np.int64], settings: ModelSettings) -> dict[str, Matrix]:
    if not votes.timed:
        plain = _matrix(votes, np.ones(len(votes)))[:, kept]
        return {"alike": _alike(plain, plain, shrink=10.0)}
    past = present.aligned >= 0
    before = np.where(past, present.aligned, np.inf)
    result = {
        f"ease_{h:g}d": ease_weights(_some(_matrix(votes, np.exp2(-before / h))[:, kept]), l2)
        for h, l2 in zip(settings.recent_ease_half_lives, settings.recent_ease_l2, strict=True)
    }
    short, mid = np.exp2(-before / 14.0), np.exp2(-before / 45.0)
    # What earlier cohorts did next is what the youngest may do now.
    older = present.cohort_starts_us[present.cohort] < _youngest(present)[present.cohort]
    nxt = np.where(older, np.where(past, 0.0, np.exp2(present.aligned / 7.0)), np.exp2(-before / 3.0))
    result["next_14d"] = _alike(_matrix(votes, short)[:, kept], _matrix(votes, nxt)[:, kept])
    result["next_45d"] = _alike(_matrix(votes, mid)[:, kept], _matrix(votes, np.exp2(-before / 7.0))[:, kept])
    recent = np.exp2(-np.maximum(present.days, 0.0) / 14.0)
    result["after"] = _after(votes, recent, kept)
    result["after_ever"] = _after(votes, np.ones(len(votes)), kept)
    return result


def _youngest(present: Present) -> NDArray[np.int64]:
    """By cohort, the latest start among the cohorts of its course."""
    result = present.cohort_starts_us.copy()
    for course in np.unique(present.cohort_course):
        mine = present.cohort_course == course
        result[mine] = present.cohort_starts_us[mine].max()
    return result


def _matrix(votes: Votes, values: NDArray[np.float64]) -> sparse.csr_matrix:
    shape = (len(votes.learner_ids), len(votes.resource_ids))
    told = values > 1e-6
    return sparse.csr_matrix((values[told], (votes.learner[told], votes.resource[told])), shape=shape)


def _some(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    return matrix[np.diff(matrix.indptr) > 0]


def _alike(work: sparse.csr_matrix, told: sparse.csr_matrix, *, shrink: float = 1e-6) -> Matrix:
    """What learners alike did: unit work of each, times what they did; a learner's own row is never kept."""
    norm = np.sqrt(np.asarray(work.multiply(work).sum(axis=1)).ravel()) + shrink
    result: Matrix = (sparse.diags(1.0 / norm) @ work).T.dot(told).toarray()
    return result


def _after(votes: Votes, weight: NDArray[np.float64], kept: NDArray[np.int64]) -> Matrix:
    """How often a resource was the first, second or third taken up after another; rows sum to at most one."""
    n = len(votes.resource_ids)
    # Sparse until the few that are kept are picked out: a large catalogue has more pairs than fit into memory.
    counts = sparse.csr_matrix((n, n))
    for gap, share in zip(range(1, N_LAST + 1), (1.0, 0.7, 0.5), strict=True):
        same = votes.learner[:-gap] == votes.learner[gap:]
        pairs = votes.resource[:-gap][same], votes.resource[gap:][same]
        counts += sparse.csr_matrix((share * weight[gap:][same], pairs), shape=(n, n))
    total = np.asarray(counts.sum(axis=1)).ravel()[kept] + 3.0
    result: Matrix = counts[kept][:, kept].toarray() / total[:, None]
    return result


def _cut(name: str, matrix: Matrix, kept: NDArray[np.int64], n: int, width: int) -> dict[str, NDArray[Any]]:
    width = min(width, len(kept))
    strongest = np.sort(np.argpartition(-np.abs(matrix), max(width - 1, 0), axis=1)[:, :width], axis=1)
    lengths = np.zeros(n + 1, np.int64)
    lengths[kept + 1] = width
    return {
        f"{name}_starts": np.cumsum(lengths),
        f"{name}_neighbour": kept[strongest].ravel().astype(np.int32),
        f"{name}_weight": np.take_along_axis(matrix, strongest, axis=1).ravel().astype(np.float32),
    }
