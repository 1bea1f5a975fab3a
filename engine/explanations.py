"""Reasons a learner and a teacher can read; their contributions add up to the score."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.domain.catalogue import Catalogue
from engine.domain.decision import Reason
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.learner.evidence import teacher_text
from engine.learner.mastery import Evidence, evidence_of
from engine.learner.rows import skill_key
from engine.learner.state import Check, LearnerState
from engine.ranking.needs import Needs
from engine.ranking.relevance import RelevanceModel

_FEW = 5


def reasons_of(
    rows: NDArray[np.int32],
    contributions: NDArray[np.float64],
    *,
    query: Query,
    model: RelevanceModel,
    catalogue: Catalogue,
) -> list[tuple[Reason, ...]]:
    """Why each of these resources got its score, the weightiest reason first.

    `contributions`: `(n_terms, len(rows))`, weight times term; terms that speak of the same thing are one reason.
    """
    strongest = _strongest(rows, query, model, catalogue)
    return [
        in_order(
            _others(float(terms[model.families["others"]].sum()), model.votes(query, int(row))),
            _course_time(float(terms[model.families["course_time"]].sum()), model.cohort_votes(query, int(row))),
            _own_work(float(terms[model.families["own_work"]].sum()), titles),
        )
        for row, terms, titles in zip(rows, contributions.T, strongest, strict=True)
    ]


def in_order(*reasons: Reason | None) -> tuple[Reason, ...]:
    """The weightiest reason first."""
    return tuple(sorted((r for r in reasons if r is not None), key=lambda r: -abs(r.contribution)))


def need_reasons(
    terms: NDArray[np.float64],
    resource: Resource | None,
    needs: Needs,
    state: LearnerState,
    *,
    titles: Mapping[str, str],
    now_us: int,
) -> tuple[Reason, ...]:
    """What the learner's own state says for this resource: `terms` `(3,)` as `engine.ranking.needs.TERMS`."""
    if resource is None:
        return ()
    review, check, style = (float(term) for term in terms)
    due, promised = needs.most_due(resource.skills), needs.promised(resource.skills)
    reasons: list[Reason] = []
    if due is not None:
        told = evidence_of(state, skill_key(due))
        reasons.append(_review(review, due, titles.get(due, due), needs.reviews[due], told, now_us))
    if promised is not None:
        reasons.append(_check(check, promised, titles.get(promised.skill_id, promised.skill_id)))
    if style:
        reasons.append(_style(style, resource.format, resource.format in needs.declared))
    return tuple(reasons)


def _review(contribution: float, skill_id: str, title: str, recall: float, evidence: Evidence, now_us: int) -> Reason:
    return Reason(
        code="review",
        contribution=contribution,
        text_learner=f"It is a good time to look at {title} again.",
        text_teacher=f"A review of {title} is due: the chance that it is still remembered is about {recall:.0%}. "
        + teacher_text(evidence, title, now_us),
        evidence={"skill_id": skill_id, "recall": recall, "answers": float(evidence.n)},
    )


def _check(contribution: float, check: Check, title: str) -> Reason:
    knows = check.because == "know_it"
    return Reason(
        code="check",
        contribution=contribution,
        text_learner=f"You said you know {title}: show it here."
        if knows
        else f"You disagreed about {title}: here you can show where you stand.",
        text_teacher=f"The learner says they know {title}; this is the check that was promised."
        if knows
        else f"The learner contests the estimate of {title}; this is the check that was promised.",
        evidence={"skill_id": check.skill_id, "because": check.because},
    )


def _style(contribution: float, name: str, declared: bool) -> Reason:
    if declared:
        learner, teacher = f"You asked for this format: {name}.", f"The learner asked for this format: {name}."
    else:
        learner = f"You choose this format more often than others do: {name}."
        teacher = f"The learner chooses this format more often than is usual here: {name}."
    return Reason(
        code="style",
        contribution=contribution,
        text_learner=learner,
        text_teacher=f"{teacher} Formats only break near ties.",
        evidence={"format": name},
    )


def planned_reason(contribution: float) -> Reason:
    """The place in the teacher's plan, where no model is served."""
    return Reason(
        code="planned_order",
        contribution=contribution,
        text_learner="This is next in the plan of your course.",
        text_teacher="No model is served yet: options follow the planned order.",
    )


def variety_reason() -> Reason:
    """Put in so that there is more than one way to work."""
    return Reason(
        code="variety",
        contribution=0.0,
        text_learner="Here is another way to work, if you like a change.",
        text_teacher="Put in the last place so that the slate holds more than one format.",
    )


def _others(contribution: float, votes: float) -> Reason:
    if votes < 1:
        learner = "This is new: nobody here has tried it yet."
    elif contribution < 0:
        learner = "Others did this earlier; less is happening around it now."
    else:
        learner = "Others here are taking this up." if votes >= _FEW else "A few others here tried this."
    teacher = (
        f"{_learners(votes)} took this up so far; recent ones count more." if votes else "Nobody took this up so far."
    )
    return Reason(
        code="others",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher + _against(contribution),
        evidence={"learners": votes},
    )


def _course_time(contribution: float, votes: float | None) -> Reason | None:
    if votes is None:
        return None
    if votes >= 1 and contribution >= 0:
        learner = "This is what usually comes next at this point of the course."
    else:
        learner = "Earlier classes did this at another time of the course."
    teacher = (
        f"{_learners(votes)} of earlier classes first took this up within four weeks after this day of the course."
    )
    return Reason(
        code="course_time",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher + _against(contribution),
        evidence={"learners": votes},
    )


def _own_work(contribution: float, strongest: Sequence[str] | None) -> Reason | None:
    if strongest is None:
        return None
    if strongest and contribution > 0:
        names = " and ".join(f"“{title}”" for title in strongest)
        learner = f"It goes well with {names}, which you worked on."
        teacher = f"Learners who took up {names}, as this learner did, often take this up too."
    else:
        learner = "It is unlike what you worked on so far."
        teacher = "What this learner took up does not speak for this resource."
    return Reason(
        code="own_work",
        contribution=contribution,
        text_learner=learner,
        text_teacher=teacher,
        evidence={"because_of": "; ".join(strongest)},
    )


def _learners(n: float) -> str:
    return "1 learner" if round(n) == 1 else f"{n:.0f} learners"


def _against(contribution: float) -> str:
    return " Here this counts against it." if contribution < 0 else ""


def _strongest(
    rows: NDArray[np.int32], query: Query, model: RelevanceModel, catalogue: Catalogue
) -> Sequence[Sequence[str] | None]:
    """For each row the titles of up to two seen resources that speak most for it; None for who has no history."""
    seen = query.history.seen
    seen = seen[seen < model.n_resources]
    if len(seen) == 0:
        return [None] * len(rows)
    known = np.minimum(rows, model.n_resources - 1)
    weights = np.where(rows < model.n_resources, model.ease.speaking_for(seen, known), 0.0)
    best = np.argsort(-weights, axis=0, kind="stable")[:2]
    return [
        [catalogue.title(int(seen[i])) for i in column if weights[i, place] > 0] for place, column in enumerate(best.T)
    ]
