"""Laws of the log: what may enter is one definition, and how it entered leaves no trace."""

import math
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.interaction import KINDS, Interaction, reason_to_reject, usable_duration
from training.log import add_to_log, frame_of_interactions, interactions_of, read_log
from training.log_checks import checked_interactions
from training.log_checks import usable_duration as usable_durations

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
UTF8 = st.text(st.characters(codec="utf-8"), max_size=6)
IDS = UTF8 | st.sampled_from(["x" * 512, "x" * 513, "é" * 256, "é" * 257])
MAYBE_ID = st.none() | IDS
TIMES = st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
EDGES = st.sampled_from(
    [NOW + timedelta(days=1), NOW + timedelta(days=1, microseconds=1), datetime(1900, 1, 1, tzinfo=UTC)]
)
FLOATS = st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.0, math.nextafter(1, 2), -1e-60])


def interactions(ids: st.SearchStrategy[str], **given: st.SearchStrategy) -> st.SearchStrategy[Interaction]:
    return st.builds(Interaction, **{"event_id": ids, "learner_id": ids, "source": st.just("s"), **given})


WITH = st.none() | st.sampled_from([(), ("p",), ("p",) * 200, ("p",) * 201])
ANY = interactions(
    IDS, kind=st.sampled_from([*KINDS, "clicked", ""]), resource_id=MAYBE_ID, item_id=MAYBE_ID, class_id=MAYBE_ID,
    decision_id=MAYBE_ID, group_id=MAYBE_ID, voids=MAYBE_ID, with_learner_ids=WITH,
    at=TIMES | EDGES, outcome=FLOATS,
)  # fmt: skip
SOUND_ID = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
SOUND = interactions(
    SOUND_ID, kind=st.just("viewed"), resource_id=SOUND_ID, order=st.none() | st.integers(0, 9),
    at=st.none() | st.datetimes(datetime(1990, 1, 1), datetime(2020, 1, 1), timezones=st.just(UTC)),
    outcome=st.none() | st.floats(0, 1, width=32), duration_s=st.none() | st.floats(0, 1e6, width=32),
    skills=st.none() | st.lists(SOUND_ID.filter(str.strip), max_size=3).map(tuple), value=st.none() | UTF8,
)  # fmt: skip


def wide(events: list[Interaction]) -> pl.DataFrame:
    """The events as a foreign table holds them: floats not yet narrowed."""
    given = {name: [getattr(e, name) for e in events] for name in ("outcome", "duration_s")}
    return frame_of_interactions(events).with_columns(pl.Series(name, v, pl.Float64) for name, v in given.items())


def log_of(folder: Path, *batches: list[Interaction]) -> str:
    for number, events in enumerate(batches):
        chunks = [frame_of_interactions(events)] if events else None
        add_to_log(folder, interactions=chunks, source=f"file {number}", now=NOW, report=lambda _what, _share: None)
    return read_log(folder).fingerprint()


@given(st.lists(ANY, min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_columns_reject_what_the_domain_rejects_and_for_the_same_reason(events: list[Interaction]) -> None:
    expected = {row: reason for row, e in enumerate(events, 1) if (reason := reason_to_reject(e, now=NOW)) is not None}
    rejected = checked_interactions(wide(events), source="s", now=NOW).rejected
    assert dict(rejected.select("row", "reason").iter_rows()) == expected


@given(st.lists(FLOATS, min_size=1))
@settings(max_examples=30, deadline=None)
def test_columns_keep_the_durations_that_the_domain_keeps(durations: list[float | None]) -> None:
    with np.errstate(over="ignore"):
        narrow = [None if d is None else float(np.float32(d)) for d in durations]
    frame = pl.DataFrame({"d": pl.Series(durations, dtype=pl.Float64)})
    assert frame.select(usable_durations(pl.col("d")))["d"].to_list() == [usable_duration(d) for d in narrow]


@given(st.lists(SOUND, max_size=10))
@settings(max_examples=30, deadline=None)
def test_a_frame_gives_back_the_interactions_it_was_made_of(events: list[Interaction]) -> None:
    assert list(interactions_of(frame_of_interactions(events))) == events


@given(st.lists(SOUND, min_size=1, max_size=6, unique_by=lambda e: e.event_id), st.data())
@settings(max_examples=5, deadline=None)
def test_the_fingerprint_is_blind_to_order_batches_and_repetition(
    events: list[Interaction], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(1, len(events)))
    with tempfile.TemporaryDirectory() as folder:
        whole = log_of(Path(folder, "whole"), events)
        assert log_of(Path(folder, "parts"), shuffled[:cut], shuffled[cut:], shuffled) == whole
        if len(events) > 1:
            assert log_of(Path(folder, "fewer"), events[1:]) != whole
