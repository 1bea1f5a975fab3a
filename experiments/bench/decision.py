"""How long one whole decision takes in-process, by the size of the catalogue: an invented log, medians, one core."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from engine.bundle import read_bundle
from engine.domain.decision import Request
from engine.domain.history import history_of
from engine.domain.query import query_with
from engine.learner.fold import folded
from engine.recommender import Recommender, recommend, recommender_of
from training.log import add_to_log, interactions_of, read_log, resources_of, skills_of
from training.pipeline import train
from training.relevance_models import ModelSettings

MORNING = datetime(2026, 1, 5, 8, tzinfo=UTC)
_FORMATS = ("video", "exercise", "reading", "project")
_LEARNERS, STEPS, _CALLS, CLASS = 600, 40, 60, 30
_READS = 20


def decision(work: Path, sizes: tuple[int, ...] = (1_000, 10_000)) -> str:
    """Median milliseconds of a decision, of a class of thirty, and of one read of the first-stage arrays."""
    head = (
        "| resources | objective | one, median ms | p95 ms | class of 30, in single decisions | reads of the arrays |"
    )
    rows = [head, "|--:|--|--:|--:|--:|--:|"]
    for n in sizes:
        recommender, ask = _prepared(work / str(n), n)
        reads = _median([_timed(partial(_read, recommender)) for _ in range(_READS)])
        for objective in ("uptake", "learning"):
            single = [_timed(partial(ask, i % CLASS, objective)) for i in range(_CALLS)]
            together = _median([sum(_timed(partial(ask, i, objective)) for i in range(CLASS)) for _ in range(3)])
            one = _median(single)
            rows.append(
                f"| {n:,} | {objective} | {one * 1e3:.2f} | {np.quantile(single, 0.95) * 1e3:.2f} | "
                f"{together / one:.1f} | {one / reads:.0f} |"
            )
    return "\n".join(rows)


def _prepared(place: Path, n: int) -> tuple[Recommender, Callable[[int, str], object]]:
    """A recommender over `n` resources, and what asks it for one of thirty learners."""
    log_path, bundle = place / "log", place / "bundle"
    trained_on(place, n)
    log = read_log(log_path)
    recommender = recommender_of(read_bundle(bundle), resources_of(log.resources()), skills=skills_of(log.skills()))
    now = MORNING + timedelta(days=STEPS)
    events = list(interactions_of(log.interactions().filter(pl.col("learner_id") < f"l{CLASS:04d}").collect()))
    assert recommender.learner is not None
    states, queries = [], []
    for learner in range(CLASS):
        own = [e for e in events if e.learner_id == f"l{learner:04d}"]
        states.append(folded(own, recommender.learner, recommender.offer))
        history = history_of(own, recommender.catalogue.resource_map)
        queries.append(query_with(f"l{learner:04d}", learner=None, history=history, classes={}, now=now))
    goals = [tuple(f"s{(7 * i + j) % (n // 10):05d}" for j in range(4)) for i in range(CLASS)]

    def ask(i: int, objective: str) -> object:
        request = Request(learner_id="l", objective=objective, goal=goals[i], k=5)
        return recommend(request, replace(queries[i]), recommender, decision_id="d", now=now, state=states[i])

    for i in range(CLASS):
        ask(i, "uptake")
    return recommender, ask


def trained_on(place: Path, n: int) -> None:
    """A log over `n` resources in `place / "log"` and its bundle in `place / "bundle"`, unless they are there."""
    if not (place / "bundle").exists():
        place.mkdir(parents=True, exist_ok=True)
        _write_log(place / "log", n)
        train(place / "log", place / "bundle", settings=ModelSettings(factor_epochs=3), seed=0, report=_quietly)


def _write_log(folder: Path, n: int) -> None:
    """Learners who wander over neighbouring resources of their own corner of the catalogue."""
    rng = np.random.default_rng(0)
    start = rng.integers(0, n, _LEARNERS)
    rows = [
        (
            f"e{u}-{t}", f"l{u:04d}", f"r{(start[u] + int(rng.exponential(20.0)) + t) % n:06d}",
            MORNING + timedelta(days=t, minutes=int(u)), float(rng.random() < 0.6), float(rng.uniform(20, 200)),
        )
        for u in range(_LEARNERS)
        for t in range(STEPS)
    ]  # fmt: skip
    columns = ["event_id", "learner_id", "resource_id", "at", "outcome", "duration_s"]
    events = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        kind=pl.lit("attempted"), source=pl.lit("bench"), at=pl.col("at").cast(pl.Datetime("us", "UTC"))
    )
    resources = pl.DataFrame(
        [(f"r{i:06d}", f"r{i}", _FORMATS[i % 4], [f"s{i // 10:05d}"], 8.0) for i in range(n)],
        schema=["resource_id", "title", "format", "skills", "minutes"], orient="row",
    )  # fmt: skip
    skills = pl.DataFrame(
        [(f"s{k:05d}", f"s{k}", [f"s{k - 1:05d}"] if k % 5 else []) for k in range(n // 10)],
        schema={"skill_id": pl.String(), "title": pl.String(), "prerequisites": pl.List(pl.String())}, orient="row",
    )  # fmt: skip
    add_to_log(
        folder, interactions=[events], resources=resources, skills=skills, source="bench",
        now=MORNING + timedelta(days=99), report=_quietly,
    )  # fmt: skip


def _read(recommender: Recommender) -> float:
    """One read of what the first stage looks at: a vector of each resource."""
    assert recommender.model is not None
    vectors = recommender.model.factors._vectors
    return float(vectors.sum())


def _quietly(_what: str, _share: float) -> None:
    """No progress: what is measured comes later."""


def _timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _median(seconds: list[float]) -> float:
    return float(np.median(seconds))
