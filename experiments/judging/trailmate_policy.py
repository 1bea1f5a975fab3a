"""The engine as a policy: the very recipe that serves a school, asked for one resource at a time."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from engine.bundle import Bundle
from engine.domain.decision import Request
from engine.domain.history import NO_TIME, history_of
from engine.domain.interaction import Interaction
from engine.domain.query import Query, query_with
from engine.learner.fold import caught_up
from engine.learner.preferences import MAX_SAID, Goal, value_of
from engine.learner.state import LearnerState
from engine.recommender import Recommender, recommend, recommender_of
from experiments.judging.view import Choices, View, next_order

# A decision needs a moment also in a world without a clock; nothing is read from it there.
_NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


class Trailmate:
    """The first option of a slate of one; the goal is told as an event, the state is caught up after each step."""

    def __init__(self, recommender: Recommender) -> None:
        """For one learner; the recommender serves all."""
        assert recommender.learner is not None, "a trained bundle carries a learner model"
        self._recommender, self._model = recommender, recommender.learner
        self._ids = tuple(r.resource_id for r in recommender.catalogue.resources if r is not None)
        assert recommender.teaching is not None, "a trained bundle tells what steps are worth"
        self._usual_minutes = float(np.median(recommender.teaching.menu.usual_minutes))
        self._events: list[Interaction] = []
        self._n_heard = 0
        self._state: LearnerState | None = None

    def choose(self, view: View) -> str:
        """The id of a resource; the planned order where the engine offers nothing."""
        self._hear(view)
        request = Request(
            learner_id=view.learner_id,
            k=1,
            objective="learning",
            candidates=self._ids,
            minutes_ahead=view.steps_left * self._usual_minutes,
        )
        decision = recommend(
            request, self._query(view), self._recommender, decision_id="", now=view.now or _NO_MOMENT, state=self._state
        )
        return decision.slate[0].resource_id if decision.slate else view.useful()[0].resource_id

    def _query(self, view: View) -> Query:
        """Who asks, and when."""
        query = query_with(
            view.learner_id,
            learner=None,
            history=history_of(self._events, self._recommender.catalogue.resource_map),
            classes={},
            now=view.now or _NO_MOMENT,
        )
        return query if view.now is not None else replace(query, now_us=NO_TIME)

    def _hear(self, view: View) -> None:
        """Catch up with what happened since the last choice; before the first one the goal is set."""
        arrived = list(view.events[self._n_heard :])
        self._n_heard = len(view.events)
        if not self._events:
            arrived.append(_goal_set(view))
        self._events += arrived
        self._state = caught_up(
            self._state, arrived, lambda: self._events, model=self._model, offer=self._recommender.offer
        )


def recommender_for(bundle: Bundle, choices: Choices) -> Recommender:
    """The recommender of a bundle over a world's shelf."""
    return recommender_of(bundle, choices.resources, skills=choices.skills)


def _goal_set(view: View) -> Interaction:
    """The goal, said now: after all that happened."""
    return Interaction(
        event_id=f"{view.learner_id}~goal",
        learner_id=view.learner_id,
        kind="goal_set",
        source="judge",
        at=view.now,
        order=next_order(view.events) - 1,
        value=value_of(Goal(skills=view.goal[:MAX_SAID])),
    )
