"""A learner's history has two forms, one learner from events and a whole log by columns: they are equal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from conftest import NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.catalogue import catalogue_of
from engine.domain.history import history_of
from engine.domain.interaction import Interaction
from engine.domain.resource import Resource
from training.batch import histories
from training.log import add_to_log, frame_of_interactions, read_log

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CATALOGUE = catalogue_of([Resource(resource_id=r, title=r) for r in "abc"])


@st.composite
def events(draw):
    rows = draw(st.lists(st.tuples(
        st.sampled_from(["lena", "omar"]), st.sampled_from("abcx"), st.none() | st.integers(-3, 3),
        st.none() | st.integers(0, 2), st.sampled_from(["viewed", "completed", "shown", "declined", "voided"]),
        st.integers(0, 8),
    ), min_size=1, max_size=9))  # fmt: skip
    return [
        Interaction(
            event_id=f"e{n}", learner_id=learner, kind=kind, source="t", order=order,
            resource_id=None if kind == "voided" else resource,
            at=None if hours is None else MOMENT + timedelta(hours=hours),
            voids=f"e{voided}" if kind == "voided" else None,
        )
        for n, (learner, resource, hours, order, kind, voided) in enumerate(rows)
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(events())
def test_a_log_by_columns_and_a_learner_by_events_have_the_same_history(told):
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        frame = frame_of_interactions(told)
        add_to_log(log, interactions=[frame], source="t", now=NOW, report=lambda what, share: None)
        by_columns = dict(histories(read_log(log), CATALOGUE, {"lena": MOMENT, "omar": MOMENT, "mia": MOMENT}))
    for learner in ("lena", "omar", "mia"):
        # What was voided is gone at every moment, also at those before the voiding.
        known = [e for e in told if e.kind == "voided" or e.at is None or e.at <= MOMENT]
        mine = [e for e in known if e.learner_id == learner]
        by_events = history_of(mine, CATALOGUE.resource_map)
        assert np.array_equal(by_columns[learner].resource_index, by_events.resource_index)
        assert np.array_equal(by_columns[learner].at_us, by_events.at_us)
