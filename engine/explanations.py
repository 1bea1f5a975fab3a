"""Reasons a learner and a teacher can read; their contributions add up to the score."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Reason
from engine.domain.query import Query
from engine.ranking.relevance import RelevanceModel

_FEW = 5


def reasons_of(
    row: int, contributions: NDArray[np.float64], *, query: Query, model: RelevanceModel, catalogue: Catalogue
) -> tuple[Reason, ...]:
    """Why this resource got its score, the weightiest first.

    `contributions`: `(n_terms,)`, weight times term; terms that speak of the same thing are said as one reason.
    """
    sums = {code: float(contributions[terms].sum()) for code, terms in model.families.items()}
    said = [
        _others(sums["others"], model.votes(query, row)),
        _course_time(sums["course_time"], model.cohort_votes(query, row)),
        _own_work(sums["own_work"], _strongest(row, query, model, catalogue)),
    ]
    return tuple(sorted((r for r in said if r is not None), key=lambda r: -abs(r.contribution)))


def _others(contribution: float, votes: float) -> Reason:
    if votes >= _FEW:
        learner = "Others in your course are taking this up."
    elif votes >= 1:
        learner = "A few others in your course tried this."
    else:
        learner = "This is new: nobody in your course has tried it yet."
    teacher = f"{votes:.0f} learners of the course took this up so far; recent ones count more."
    return Reason(
        code="others",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher,
        evidence={"learners": votes},
    )


def _course_time(contribution: float, votes: float | None) -> Reason | None:
    if votes is None:
        return None
    if votes >= 1:
        learner = "This is what usually comes next at this point of the course."
    else:
        learner = "Earlier classes did this at another time of the course."
    teacher = (
        f"{votes:.0f} learners of earlier classes first took this up within four weeks after this day of the course."
    )
    return Reason(
        code="course_time",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher,
        evidence={"learners": votes},
    )


def _own_work(contribution: float, strongest: Sequence[str] | None) -> Reason | None:
    if strongest is None:
        return None
    if strongest:
        names = " and ".join(f"“{title}”" for title in strongest)
        learner = f"It goes well with {names}, which you worked on."
        teacher = f"Learners who took up {names}, as this learner did, often take this up too."
    else:
        learner = "It is unlike what you worked on so far."
        teacher = "Nothing this learner took up speaks for this resource."
    return Reason(
        code="own_work",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher,
        evidence={"because_of": "; ".join(strongest)},
    )


def _strongest(row: int, query: Query, model: RelevanceModel, catalogue: Catalogue) -> Sequence[str] | None:
    """Titles of the up to two seen resources that speak most for this one; None for who has no history."""
    seen = query.history.seen
    if len(seen) == 0:
        return None
    weights = np.array([model.ease.weight(int(s), row) for s in seen])
    best = [int(seen[i]) for i in np.lexsort((seen, -weights))[:2] if weights[i] > 0]
    titles = [catalogue.resources[b] for b in best]
    return [r.title if r else catalogue.resource_map.ids[b] for r, b in zip(titles, best, strict=True)]
