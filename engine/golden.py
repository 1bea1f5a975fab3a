"""Requests with the answers a bundle must give, so that a machine that computes otherwise is noticed in time."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from engine.bundle import Bundle
from engine.domain.decision import Request
from engine.domain.errors import BadBundle
from engine.domain.history import History
from engine.domain.interaction import Interaction
from engine.domain.query import Query
from engine.domain.resource import Resource
from engine.learner.fold import folded
from engine.recommender import Recommender, recommend, recommender_of

# Machines round differently in the last digits, never in these.
TOLERANCE = 1e-6


def check_golden(bundle: Bundle) -> None:
    """Ask the bundle its golden requests.

    Raises:
        BadBundle: an answer differs from the one recorded in training.
    """
    recommender = plain_recommender(bundle)
    for golden in bundle.golden:
        given = golden_answer(golden, recommender)
        expected = golden["answer"]
        same = [g[0] for g in given] == [e[0] for e in expected]
        if not (same and np.allclose([g[1:] for g in given], [e[1:] for e in expected], rtol=0, atol=TOLERANCE)):
            raise BadBundle(
                f"the bundle {bundle.version} answers its golden requests otherwise than in training: "
                "train it on this type of machine, or install the pinned versions"
            )


def plain_recommender(bundle: Bundle) -> Recommender:
    """The bundle with a catalogue of its own resources and nothing else."""
    return recommender_of(bundle, [Resource(resource_id=r, title=r) for r in bundle.resource_ids])


def golden_answer(golden: Mapping[str, Any], recommender: Recommender) -> list[tuple[str, float, float]]:
    """What the recommender answers to one golden request: resource ids, scores and chances of success in order."""
    rows = recommender.catalogue.resource_map.rows(golden["history"])
    query = Query(
        learner_id="",
        known=True,
        history=History(rows, np.full(len(rows), golden["now_us"], np.int64)),
        now_us=golden["now_us"],
        course_id=golden["course_id"],
        starts_us=golden["starts_us"],
    )
    request = Request(learner_id="", k=golden["k"], objective="uptake")
    assert recommender.learner is not None
    state = folded(_answers(golden), recommender.learner, recommender.offer)
    now = datetime(1970, 1, 1, tzinfo=UTC)
    decision = recommend(request, query, recommender, decision_id="", now=now, state=state)
    return [(option.resource_id, option.score, option.p_success or 0.0) for option in decision.slate]


def _answers(golden: Mapping[str, Any]) -> Iterator[Interaction]:
    """The history as an invented learner's answers, a day apart, every other one right."""
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(golden["now_us"], 0))
    for place, resource_id in enumerate(golden["history"]):
        yield Interaction(
            event_id=f"golden-{place}",
            learner_id="",
            kind="attempted",
            source="golden",
            resource_id=resource_id,
            at=now - timedelta(days=len(golden["history"]) - place),
            outcome=float(place % 2),
            duration_s=30.0,
        )
