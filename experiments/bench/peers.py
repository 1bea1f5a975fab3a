"""The peers' families, rebuilt for paired differences: EASE, EASE on decayed votes, LambdaMART over many scores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from training.relevance_models import ease_weights

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
# What a resource weighs that may not be shown.
_NEVER = -1e9


@dataclass(frozen=True, slots=True)
class Seen:
    """First engagements of a split and whom it asks about.

    `learner`, `resource`, `day`: `(n,)`, day of the course, 0 without a clock. `asked`, `asked_day`: rows of learners
    and the day they ask on. `course_of_learner`, `course_of_resource`, `kind`: numbers by row.
    """

    learner_ids: list[str]
    resource_ids: list[str]
    learner: Rows
    resource: Rows
    day: Values
    asked: Rows
    asked_day: Values
    course_of_learner: Rows
    course_of_resource: Rows
    kind: Rows

    def where(self, mask: NDArray[np.bool_]) -> "Seen":
        """The same with some of the engagements."""
        told = {"learner": self.learner[mask], "resource": self.resource[mask], "day": self.day[mask]}
        return Seen(**{**{name: getattr(self, name) for name in self.__slots__}, **told})

    def matrix(self, weights: Values | None = None) -> sparse.csr_matrix:
        """Learners by resources."""
        shape = (len(self.learner_ids), len(self.resource_ids))
        values = np.ones(len(self.learner)) if weights is None else weights
        return sparse.csr_matrix((values, (self.learner, self.resource)), shape=shape)


def seen_of(split: Path, part: str, days: dict[str, float]) -> Seen:
    """A split of the judge: `part` is `test` or, on its tuning cut, `val`; `days` the day of asking by course."""
    rows = pl.read_parquet(split / ("fit.parquet" if part == "val" else "train.parquet"))
    learners, resources = pl.read_parquet(split / "learners.parquet"), pl.read_parquet(split / "resources.parquet")
    asked = pl.read_parquet(split / f"{part}.parquet")["learner_id"].unique().sort()
    first = rows.group_by("learner_id", "resource_id").agg(pl.col("ts").min()).sort("learner_id", "resource_id")
    learner_ids, resource_ids = learners["learner_id"].sort().to_list(), resources["resource_id"].sort().to_list()
    row_of = {x: n for n, x in enumerate(learner_ids)}
    column_of = {x: n for n, x in enumerate(resource_ids)}
    courses = {c: n for n, c in enumerate(sorted(set(learners["course"])))}
    kinds = {k: n for n, k in enumerate(sorted(set(resources["kind"].fill_null(""))))}
    of_learner = np.array([courses[c] for c in learners.sort("learner_id")["course"]])
    by_course = np.array([days.get(c, 0.0) for c in sorted(courses)])
    who = np.array([row_of[x] for x in asked])
    return Seen(
        learner_ids, resource_ids,
        np.array([row_of[x] for x in first["learner_id"]]), np.array([column_of[x] for x in first["resource_id"]]),
        first["ts"].fill_null(0.0).to_numpy().astype(float), who, by_course[of_learner[who]], of_learner,
        np.array([courses.get(c, -1) for c in resources.sort("resource_id")["course"]]),
        np.array([kinds[k] for k in resources.sort("resource_id")["kind"].fill_null("")]),
    )  # fmt: skip


def ranked(seen: Seen, scores: Callable[[int], Values], k: int = 10) -> pl.DataFrame:
    """The best ten of each asked learner's own course that they had not seen: `learner_id, resource_id, rank`."""
    own = seen.matrix()
    rows = []
    for place, learner in enumerate(seen.asked):
        said = np.where(seen.course_of_resource == seen.course_of_learner[learner], scores(place), _NEVER)
        said[own[[learner]].indices] = _NEVER
        best = np.argsort(-said, kind="stable")[:k]
        rows += [
            (seen.learner_ids[learner], seen.resource_ids[b], rank)
            for rank, b in enumerate(best, 1)
            if said[b] > _NEVER
        ]
    return pl.DataFrame(rows, schema=["learner_id", "resource_id", "rank"], orient="row")


def hits(recs: pl.DataFrame, truth: pl.DataFrame) -> Values:
    """The NDCG@10 of each learner who took something up, 0 for who got nothing right: `(n_learners,)`."""
    ideal = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, 12)))])
    found = recs.join(truth, on=["learner_id", "resource_id"], how="semi")
    gains = found.group_by("learner_id").agg(gain=(1.0 / (pl.col("rank") + 1).log(2)).sum())
    sizes = truth.group_by("learner_id").len().join(gains, on="learner_id", how="left").sort("learner_id")
    result: Values = sizes["gain"].fill_null(0.0).to_numpy() / ideal[np.minimum(sizes["len"].to_numpy(), 10)]
    return result


def ease(seen: Seen, *, l2: float) -> Callable[[int], Values]:
    """Plain EASE (Steck 2019)."""
    own = seen.matrix()
    said = own[seen.asked] @ ease_weights(own, l2)
    return lambda place: np.asarray(said[place])


def recent_ease(seen: Seen, *, l2: float, half_life: float) -> Callable[[int], Values]:
    """EASE from whole histories to votes that fade with their age on the day of asking: what comes lately."""
    own = seen.matrix()
    gramian = np.asarray((own.T @ own).todense())
    gramian[np.diag_indices(len(gramian))] += l2
    inverse = np.linalg.inv(gramian)
    weights = inverse @ np.asarray((own.T @ seen.matrix(faded(seen, half_life))).todense())
    weights -= inverse * (np.diag(weights) / np.diag(inverse))
    said = own[seen.asked] @ weights
    return lambda place: np.asarray(said[place])


def faded(seen: Seen, half_life: float) -> Values:
    """The weight of each engagement by its distance from the day its course asks on: `(n,)`."""
    today = today_of(seen)[seen.course_of_learner[seen.learner]]
    result: Values = 0.5 ** (np.abs(today - seen.day) / half_life)
    return result


def today_of(seen: Seen) -> Values:
    """The day of asking by course; the last day of a course that nobody asks in."""
    today = np.zeros(int(seen.course_of_learner.max()) + 1)
    np.maximum.at(today, seen.course_of_learner[seen.learner], seen.day)
    today[seen.course_of_learner[seen.asked]] = seen.asked_day
    return today


def scores_of(seen: Seen) -> Iterator[tuple[Rows, Values]]:
    """For each asked learner the rows of the unseen resources of their course, and what LambdaMART looks at."""
    today, own = today_of(seen), seen.matrix()
    popular = _popularity(seen, today)
    models = [
        (seen.matrix(), ease_weights(own, 100.0)),
        *((seen.matrix(faded(seen, h)), ease_weights(seen.matrix(faded(seen, h)), 10.0)) for h in (7.0, 21.0)),
    ]
    alike = seen.matrix(faded(seen, 14.0))
    norm = np.sqrt(np.asarray(alike.multiply(alike).sum(axis=1)).ravel()) + 1e-9
    unit = sparse.diags(1.0 / norm) @ alike
    near = unit[seen.asked] @ unit.T
    near[np.arange(len(seen.asked)), seen.asked] = 0.0
    neighbours = np.asarray((near @ seen.matrix(faded(seen, 7.0))).todense())
    linear = [np.asarray(matrix[seen.asked] @ weights) for matrix, weights in models]
    for place, learner in enumerate(seen.asked):
        mine = own[[learner]].indices
        offered = np.setdiff1d(np.flatnonzero(seen.course_of_resource == seen.course_of_learner[learner]), mine)
        share = np.bincount(seen.kind[mine], minlength=int(seen.kind.max()) + 1) / max(len(mine), 1)
        columns = [
            *(s[place, offered] for s in linear), np.log(neighbours[place, offered] + 1e-3), *popular[:, offered],
            seen.kind[offered], share[seen.kind[offered]], np.full(len(offered), float(len(mine))),
        ]  # fmt: skip
        yield offered, np.stack(columns, axis=1).astype(float)


def _popularity(seen: Seen, today: Values) -> Values:
    """Votes ever, faded both ways from today, usual and first day, and age: `(n_columns, n_resources)`."""
    n, age = len(seen.resource_ids), today[seen.course_of_learner[seen.learner]] - seen.day
    past, columns = age >= 0, [np.log1p(np.bincount(seen.resource, minlength=n))]
    for side in (past, ~past):
        for half_life in (1.0, 3.0, 7.0, 14.0, 30.0):
            votes = np.bincount(seen.resource[side], 0.5 ** (np.abs(age[side]) / half_life), n)
            columns.append(np.log(votes + 0.1))
    counts = np.maximum(np.bincount(seen.resource, minlength=n), 1)
    first = np.full(n, 999.0)
    np.minimum.at(first, seen.resource, seen.day)
    of_course = today[np.maximum(seen.course_of_resource, 0)]
    return np.stack([*columns, np.bincount(seen.resource, seen.day, n) / counts - of_course, of_course - first])
