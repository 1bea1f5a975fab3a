"""A recommender trained on a small simulated world with skills and prerequisites, and learners to ask it for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from engine.domain.decision import Request
from engine.domain.history import history_of
from engine.domain.interaction import Interaction
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.recommender import Recommender, recommend
from experiments.judging.setup import Schooling, prepared
from experiments.worlds import knowledge_space

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)


def trained(folder: Path, n_learners: int = 120) -> tuple[Recommender, object]:
    """The recommender of a world's log, and the world."""
    world = knowledge_space.world()
    schooling = Schooling(seed=0, n_learners=n_learners, bundle=folder / "bundle")
    choices, _, _ = prepared("trailmate", world, schooling, lambda what, share: None)
    from engine.bundle import read_bundle
    from experiments.judging.trailmate_policy import recommender_for

    return recommender_for(read_bundle(folder / "bundle"), choices), world


def event(n, kind="attempted", resource_id=None, *, outcome=None, at=None, **more):
    """One event of Lena's, `n` counts backwards in hours from now."""
    return Interaction(
        event_id=f"e{n}-{kind}-{resource_id}",
        learner_id="lena",
        kind=kind,
        source="t",
        resource_id=resource_id,
        at=at or NOW - timedelta(hours=n),
        outcome=outcome,
        **more,
    )


def ask(recommender, events=(), *, now=NOW, decision_id="d1", **wanted):
    """The decision for Lena after these events."""
    state = folded(list(events), recommender.learner, recommender.offer)
    query = query_with(
        "lena",
        learner=None,
        history=history_of(events, recommender.catalogue.resource_map),
        classes={},
        now=now,
    )
    request = Request(learner_id="lena", **wanted)
    return recommend(request, query, recommender, decision_id=decision_id, now=now, state=state)


def resources_of(recommender, skill):
    """The ids of the resources that teach a skill."""
    ids = recommender.catalogue.resource_map.ids
    return [ids[r] for r in recommender.skill_rows[skill]]


def practice(recommender, seed, n=12):
    """Some answers on random resources, half of them right."""
    rng = np.random.default_rng(seed)
    ids = recommender.catalogue.resource_map.ids
    return [event(n - i + 1, resource_id=str(rng.choice(ids)), outcome=float(rng.random() < 0.5)) for i in range(n)]
