"""Recommend for many learners straight from a log, through the same recipe that serves one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from engine.bundle import read_bundle
from engine.domain.decision import Decision, Request
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from engine.domain.query import query_of
from engine.golden import check_golden
from engine.recommender import Recommender, recommend, recommender_of
from training.log import Log, classes_of, interactions_of, learners_of, read_log, resources_of

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
    for learner_id, interactions in _by_learner(log, list(moments)):
        now = moments[learner_id]
        query = query_of(
            learner_id,
            learner=learners.get(learner_id),
            interactions=[e for e in interactions if e.at is None or e.at <= now],
            classes=classes,
            catalogue=recommender.catalogue,
            now=now,
        )
        candidates = None if wanted.candidates is None else wanted.candidates.get(learner_id, ())
        request = Request(learner_id=learner_id, k=k, objective=objective, candidates=candidates)
        yield recommend(request, query, recommender, decision_id="", now=now)


def _by_learner(log: Log, learner_ids: list[str]) -> Iterator[tuple[str, list[Interaction]]]:
    """Each learner with their interactions, none for who is not in the log; in the order asked for."""
    asked = pl.LazyFrame({"learner_id": learner_ids}, schema={"learner_id": pl.String()})
    rows = log.interactions().join(asked, on="learner_id", how="semi").collect(engine="streaming")
    groups = rows.partition_by("learner_id", as_dict=True)
    for learner_id in learner_ids:
        group = groups.pop((learner_id,), None)
        yield learner_id, [] if group is None else list(interactions_of(group))


def everyone(log: Log) -> list[str]:
    """The ids of all learners of a log, sorted."""
    seen = log.interactions().select(pl.col("learner_id").unique()).collect()["learner_id"]
    return sorted({*seen.to_list(), *log.learners()["learner_id"].to_list()})


def _last_time(log: Log) -> datetime:
    """The log's last time; this moment for a log without a clock."""
    last = log.interactions().select(pl.col("at").max()).collect().item()
    return datetime.now(UTC) if last is None else last
