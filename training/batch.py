"""Recommend for many learners straight from a log, through the same recipe that serves one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
from engine.recommender import Recommender, recommend, recommender_of
from training.log import Log, classes_of, learners_of, read_log, resources_of

Report = Callable[[str, float], None]


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
    recommender = recommender_of(loaded, resources_of(log.resources()))
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
    for learner_id, history in histories(log, recommender.catalogue, moments):
        now = moments[learner_id]
        query = query_with(learner_id, learner=learners.get(learner_id), history=history, classes=classes, now=now)
        candidates = None if wanted.candidates is None else wanted.candidates.get(learner_id, ())
        request = Request(learner_id=learner_id, k=k, objective=objective, candidates=candidates)
        yield recommend(request, query, recommender, decision_id="", now=now)


def histories(log: Log, catalogue: Catalogue, moments: Mapping[str, datetime]) -> Iterator[tuple[str, History]]:
    """Each learner's history up to their moment, in the order asked for: `history_of`, a whole log at once."""
    asked = pl.LazyFrame(
        {"learner_id": list(moments), "moment": list(moments.values())},
        schema={"learner_id": pl.String(), "moment": pl.Datetime("us", "UTC")},
    )
    resources = pl.LazyFrame(
        {"resource_id": catalogue.resource_map.ids, "row": np.arange(len(catalogue), dtype=np.int32)},
        schema={"resource_id": pl.String(), "row": pl.Int32()},
    )
    rows = (
        log.interactions()
        .filter(pl.col("kind").is_in(list(ENGAGED_KINDS)))
        .join(asked, on="learner_id")
        .filter(pl.col("at").is_null() | (pl.col("at") <= pl.col("moment")))
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
