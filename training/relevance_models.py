"""Fit the relevance models and give them as plain arrays; the only door to LightFM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from lightfm import LightFM
from numpy.typing import NDArray
from scipy import linalg, sparse

from engine.domain.history import NO_TIME
from engine.domain.id_map import IdMap
from engine.ranking.popularity import DAY_US
from training.votes import Votes

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What is fitted and how; the defaults hold for every log."""

    half_lives_days: tuple[float, ...] = (1.0, 3.0, 7.0, 21.0, 60.0)
    course_day_half_lives: tuple[float, ...] = (3.0, 10.0, 30.0)
    due_half_lives: tuple[float, ...] = (7.0, 14.0, 28.0)
    ease_l2: float = 80.0
    ease_neighbours: int = 200
    # EASE on votes decayed by these half-lives in days, each with its own penalty.
    recent_ease_half_lives: tuple[float, ...] = (7.0, 21.0)
    recent_ease_l2: tuple[float, ...] = (10.0, 30.0)
    work_neighbours: int = 200
    # iALS: the confidence of a vote, where 1 is that of no vote, and half-lives in days by which it fades.
    ials_dimensions: int = 64
    ials_penalty: float = 60.0
    ials_confidence: float = 3.0
    ials_passes: int = 10
    recent_ials_half_lives: tuple[float, ...] = (21.0,)
    # Above this the closed form costs more memory than a small machine has; the most taken up are kept.
    ease_max_resources: int = 5_000
    factor_dimensions: int = 48
    factor_epochs: int = 12
    # Large logs need fewer passes to see as many votes.
    factor_max_votes: int = 1_500_000


def popularity_arrays(votes: Votes, settings: ModelSettings) -> Arrays:
    """Votes by course and resource, plain and decayed to the course's last vote; see `Popularity`."""
    courses = np.concatenate([np.zeros(len(votes), np.int64), votes.course.astype(np.int64)])
    resources = np.tile(votes.resource, 2)
    at_us = np.tile(votes.at_us, 2)
    real = (courses > 0) | (np.arange(len(courses)) < len(votes))
    courses, resources, at_us = courses[real], resources[real], at_us[real]
    n_courses, n_resources = len(votes.course_ids), len(votes.resource_ids)
    entry, place = np.unique(courses * n_resources + resources, return_inverse=True)
    columns = [np.bincount(place, minlength=len(entry))]
    if votes.timed:
        last = np.full(n_courses, NO_TIME)
        np.maximum.at(last, courses, at_us)
        age_days = (last[courses] - at_us) / DAY_US
        columns += [np.bincount(place, 0.5 ** (age_days / h), len(entry)) for h in settings.half_lives_days]
    return {
        "course_starts": np.searchsorted(entry // n_resources, np.arange(n_courses + 1)).astype(np.int64),
        "course_resource": (entry % n_resources).astype(np.int32),
        "course_votes": np.stack(columns, axis=1).astype(np.float32),
    }


def course_day_arrays(votes: Votes) -> Arrays:
    """Votes by cohort, resource and day of the course; see `CourseDay`. Empty where no class has a start."""
    starts_us = votes.class_starts_us[votes.school_class]
    dated = (starts_us != NO_TIME) & (votes.at_us != NO_TIME) & (votes.course > 0)
    cohort, resource = votes.school_class[dated], votes.resource[dated]
    day = (votes.at_us[dated] - starts_us[dated]) // DAY_US
    keys = np.stack([cohort.astype(np.int64), resource.astype(np.int64), day], axis=1)
    unique, counts = np.unique(keys, axis=0, return_counts=True) if len(keys) else (keys, np.zeros(0, np.int64))
    classes = np.unique(unique[:, 0])
    learners = np.unique(np.stack([cohort.astype(np.int64), votes.learner[dated].astype(np.int64)], axis=1), axis=0)[
        :, 0
    ]
    return {
        "cohort_learners": np.bincount(np.searchsorted(classes, learners), minlength=len(classes)).astype(np.float32),
        "cohort_course": votes.class_course[classes],
        "cohort_starts_us": votes.class_starts_us[classes].astype(np.int64),
        "cohort_entries": np.searchsorted(unique[:, 0], np.append(classes, np.iinfo(np.int64).max)).astype(np.int64),
        "day_resource": unique[:, 1].astype(np.int32),
        "day_of_course": unique[:, 2].astype(np.int32),
        "day_votes": counts.astype(np.float32),
    }


def ease_arrays(votes: Votes, settings: ModelSettings) -> Arrays:
    """EASE in closed form (Steck 2019), each row cut to its strongest weights by size; see `Ease`."""
    n_resources = len(votes.resource_ids)
    counts = np.bincount(votes.resource, minlength=n_resources)
    kept = np.sort(np.argsort(-counts, kind="stable")[: settings.ease_max_resources])
    kept = kept[counts[kept] > 0]
    matrix, l2 = _told(_vote_matrix(votes)[:, kept]), settings.ease_l2
    if not votes.timed and matrix.nnz:
        # Without a clock a long history is not a long time but many things at once: each learner has the same say.
        lengths = np.diff(matrix.indptr)
        l2 *= len(lengths) / matrix.nnz
        matrix = sparse.diags(1.0 / np.sqrt(lengths)) @ matrix
    weights = ease_weights(matrix, l2)
    width = min(settings.ease_neighbours, max(len(kept) - 1, 0))
    strongest = np.sort(np.argpartition(-np.abs(weights), max(width - 1, 0), axis=1)[:, :width], axis=1)
    lengths = np.zeros(n_resources + 1, np.int64)
    lengths[kept + 1] = width
    return {
        "ease_starts": np.cumsum(lengths),
        "ease_neighbour": kept[strongest].ravel().astype(np.int32),
        "ease_weight": np.take_along_axis(weights, strongest, axis=1).ravel().astype(np.float32),
    }


def ease_weights(matrix: sparse.csr_matrix, l2: float) -> NDArray[np.float64]:
    """Minus the inverse of the penalised Gramian over its own diagonal, zero on the diagonal.

    With fewer learners than resources the inverse is taken over learners (Woodbury), which is the same and cheaper.
    """
    n_learners, n_resources = matrix.shape
    if n_resources == 0:
        return np.zeros((0, 0))
    if n_learners < n_resources:
        dense = matrix.toarray().astype(np.float64)
        inner = linalg.inv(dense @ dense.T + l2 * np.eye(n_learners), overwrite_a=True)
        inverse = -(dense.T @ (inner @ dense)) / l2
        inverse[np.diag_indices(n_resources)] += 1.0 / l2
    else:
        gram = (matrix.T @ matrix).toarray().astype(np.float64)
        gram[np.diag_indices(n_resources)] += l2
        inverse = linalg.inv(gram, overwrite_a=True)
    weights: NDArray[np.float64] = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def factor_arrays(
    votes: Votes,
    *,
    resource_features: Mapping[str, tuple[str, ...]],
    learner_features: Mapping[str, tuple[str, ...]],
    settings: ModelSettings,
    seed: int,
) -> tuple[Arrays, IdMap]:
    """LightFM with WARP over identities and features, on one thread; and the map of learner features.

    Resource identities and features are summed into one vector per resource; learner identities are fitted and then
    left behind, for a bundle knows no learner.
    """
    features = IdMap(sorted({f for fs in learner_features.values() for f in fs}))
    described = IdMap(sorted({f for fs in resource_features.values() for f in fs}))
    of_resources = _with_features(votes.resource_ids, described, resource_features)
    of_learners = _with_features(votes.learner_ids, features, learner_features)
    model = LightFM(no_components=settings.factor_dimensions, loss="warp", random_state=seed, max_sampled=20)
    epochs = max(1, min(settings.factor_epochs, settings.factor_max_votes // max(len(votes), 1)))
    if len(votes):
        model.fit(
            _vote_matrix(votes).tocoo(), user_features=of_learners, item_features=of_resources, epochs=epochs,
            num_threads=1,
        )  # fmt: skip
    else:
        model._initialize(settings.factor_dimensions, of_resources.shape[1], of_learners.shape[1])
    arrays = {
        "factor_vectors": (of_resources @ model.item_embeddings).astype(np.float32),
        "factor_biases": (of_resources @ model.item_biases).astype(np.float32),
        "factor_feature_vectors": model.user_embeddings[len(votes.learner_ids) :].astype(np.float32),
    }
    return arrays, features


def _told(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Only the learners who say anything: the others cost memory and change nothing."""
    return matrix[np.diff(matrix.indptr) > 0]


def _vote_matrix(votes: Votes) -> sparse.csr_matrix:
    shape = (len(votes.learner_ids), len(votes.resource_ids))
    return sparse.csr_matrix((np.ones(len(votes), np.float32), (votes.learner, votes.resource)), shape=shape)


def _with_features(ids: IdMap, features: IdMap, given: Mapping[str, tuple[str, ...]]) -> sparse.csr_matrix:
    """Identity columns first, then one column per feature: `(len(ids), len(ids) + len(features))`."""
    pairs = [(row, features.row(f)) for row, x_id in enumerate(ids) for f in given.get(x_id, ())]
    shape = (len(ids), len(features))
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    shared = sparse.csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=shape)
    return sparse.hstack([sparse.identity(len(ids), dtype=np.float32, format="csr"), shared], format="csr")
