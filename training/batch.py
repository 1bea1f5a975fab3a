"""Recommend for many learners straight from a log, through the same recipe that serves one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

import numpy as np
import polars as pl

from engine.bundle import read_bundle
from engine.domain.catalogue import Catalogue
from engine.domain.decision import Decision, Request
from engine.domain.history import NO_TIME, History
from engine.domain.interaction import ENGAGED_KINDS
from engine.domain.learner import Learner, SchoolClass
from engine.domain.query import query_with
from engine.golden import check_golden
from engine.learner.fold import folded
from engine.learner.preferences import Preferences, preferences_of
from engine.learner.state import LearnerState
from engine.recommender import Ask, Recommender, recommend_each, recommender_of
from training.log import Log, classes_of, interactions_of, learners_of, read_log, resources_of, skills_of

Report = Callable[[str, float], None]
# So many learners' events are in memory at a time.
_LEARNERS_AT_ONCE = 2_000
# So many are answered in one pass.
_TOGETHER = 64
_SEQUENCE = (pl.col("at").dt.epoch("us").fill_null(NO_TIME), pl.col("order").fill_null(0), "event_id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who is asked for: learner ids with the moment of asking, None meaning the log's last time."""

    learners: Mapping[str, datetime | None]
    candidates: Mapping[str, tuple[str, ...]] | None


def recommend_log(
    bundle: Path,
    log_path: Path,
    wanted: Wanted | None,
    *,
    k: int,
    objective: str,
    as_of: datetime | None,
    report: Report,
) -> pl.DataFrame:
    """`learner_id, resource_id, rank, score`, ranks from 1; `wanted` None asks for every learner of the log.

    A learner's events after their own moment of asking are not known to it yet.
    """
    log = read_log(log_path)
    loaded = read_bundle(bundle)
    check_golden(loaded)
    recommender = recommender_of(loaded, resources_of(log.resources()), skills=skills_of(log.skills()))
    wanted = wanted or Wanted(dict.fromkeys(everyone(log)), None)
    now = as_of or _last_time(log)
    moments = {learner_id: at or now for learner_id, at in wanted.learners.items()}
    rows: list[tuple[str, str, int, float]] = []
    for done, decision in enumerate(_decisions(log, recommender, wanted, moments, k=k, objective=objective)):
        rows += [(decision.learner_id, o.resource_id, o.rank, o.score) for o in decision.slate]
        if done % 200 == 0:
            report("recommending", done / len(moments))
    schema = {"learner_id": pl.String(), "resource_id": pl.String(), "rank": pl.Int64(), "score": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _decisions(
    log: Log, recommender: Recommender, wanted: Wanted, moments: Mapping[str, datetime], *, k: int, objective: str
) -> Iterator[Decision]:
    classes: dict[str, SchoolClass] = {c.class_id: c for c in classes_of(log.classes())}
    learners: dict[str, Learner] = {x.learner_id: x for x in learners_of(log.learners())}
    said = preferences(log, moments)
    known = states(log, recommender, moments) if objective == "learning" else repeat(None, len(moments))
    asks: list[Ask] = []
    for (learner_id, history), state in zip(histories(log, recommender.catalogue, moments), known, strict=True):
        now = moments[learner_id]
        query = query_with(
            learner_id,
            learner=learners.get(learner_id),
            history=history,
            classes=classes,
            now=now,
            said=said.get(learner_id),
        )
        candidates = None if wanted.candidates is None else wanted.candidates.get(learner_id, ())
        request = Request(learner_id=learner_id, k=k, objective=objective, candidates=candidates, again=False)
        asks.append(Ask(request=request, query=query, decision_id="", now=now, state=state))
        if len(asks) == _TOGETHER:
            yield from recommend_each(asks, recommender)
            asks = []
    yield from recommend_each(asks, recommender)


def preferences(log: Log, moments: Mapping[str, datetime]) -> dict[str, Preferences]:
    """What learners had said by their moment; those who said nothing are left out."""
    said = _until(log, moments).filter(pl.col("kind") == "preferences_set").sort("learner_id", *_SEQUENCE)
    last = said.group_by("learner_id", maintain_order=True).agg(pl.col("value").last()).collect(engine="streaming")
    return {learner_id: preferences_of(value) for learner_id, value in last.iter_rows()}


def states(log: Log, recommender: Recommender, moments: Mapping[str, datetime]) -> Iterator[LearnerState]:
    """What each learner's events come to up to their moment, in the order asked for."""
    model, ids = recommender.learner, list(moments)
    assert model is not None, "a bundle carries a learner model"
    for first in range(0, len(ids), _LEARNERS_AT_ONCE):
        some = ids[first : first + _LEARNERS_AT_ONCE]
        rows = _until(log, {x: moments[x] for x in some}).collect(engine="streaming")
        groups = rows.partition_by("learner_id", as_dict=True)
        for learner_id in some:
            theirs = groups.get((learner_id,))
            yield folded(() if theirs is None else interactions_of(theirs), model, recommender.offer)


def _until(log: Log, moments: Mapping[str, datetime]) -> pl.LazyFrame:
    """The events of these learners up to the moment of each."""
    asked = pl.LazyFrame(
        {"learner_id": list(moments), "moment": list(moments.values())},
        schema={"learner_id": pl.String(), "moment": pl.Datetime("us", "UTC")},
    )
    return (
        log.interactions()
        .join(asked, on="learner_id")
        .filter(pl.col("at").is_null() | (pl.col("at") <= pl.col("moment")))
        .drop("moment")
    )


def histories(log: Log, catalogue: Catalogue, moments: Mapping[str, datetime]) -> Iterator[tuple[str, History]]:
    """Each learner's history up to their moment, in the order asked for: `history_of`, a whole log at once."""
    resources = pl.LazyFrame(
        {"resource_id": catalogue.resource_map.ids, "row": np.arange(len(catalogue), dtype=np.int32)},
        schema={"resource_id": pl.String(), "row": pl.Int32()},
    )
    rows = (
        _until(log, moments)
        .filter(pl.col("kind").is_in(list(ENGAGED_KINDS)))
        .join(resources, on="resource_id")
        .select(
            "learner_id", "row", "event_id", pl.col("order").fill_null(0),
            at_us=pl.col("at").dt.epoch("us").fill_null(NO_TIME),
        )
        .sort("learner_id", "at_us", "order", "event_id")
        .select("learner_id", "row", "at_us")
        .collect(engine="streaming")
    )  # fmt: skip
    groups = rows.partition_by("learner_id", as_dict=True, include_key=False)
    for learner_id in moments:
        group = groups.get((learner_id,))
        yield learner_id, History.empty() if group is None else History(*(c.to_numpy() for c in group.get_columns()))


def everyone(log: Log) -> list[str]:
    """The ids of all learners of a log, sorted."""
    seen = log.interactions().select(pl.col("learner_id").unique()).collect()["learner_id"]
    return sorted({*seen.to_list(), *log.learners()["learner_id"].to_list()})


def _last_time(log: Log) -> datetime:
    """The log's last time; this moment for a log without a clock."""
    last = log.interactions().select(pl.col("at").max()).collect().item()
    return datetime.now(UTC) if last is None else last
