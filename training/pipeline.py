"""The whole job: log → votes → fit → weigh → evaluate → bundle → registry."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from threadpoolctl import threadpool_limits

from engine.bundle import Bundle
from engine.domain.errors import BadLog
from engine.domain.resource import Resource
from training.bundle_writer import write_bundle
from training.evaluation import Evaluation, evaluate
from training.fitting import School, fit_and_weigh
from training.log import Log, learners_of, read_log, resources_of
from training.relevance_models import ModelSettings
from training.votes import votes_of

Report = Callable[[str, float], None]

_PINNED = ("numpy", "scipy", "lightfm-next", "polars")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are tracked: the store's address, and the folder of its artifacts where the store is local."""

    uri: str
    artifacts: Path


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out: the bundle, its evaluation, the version it was registered as, and seconds by stage."""

    bundle: Bundle
    evaluation: Evaluation
    registered: str
    seconds: Mapping[str, float]


def train(
    log_path: Path, out: Path, *, settings: ModelSettings, seed: int, tracking: Tracking, report: Report
) -> TrainReport:
    """Train on a log and write the bundle to `out`, as a whole or not at all; then track and register the run.

    BLAS runs on one thread: more would make the last digits, and so the bytes, a matter of luck.

    Raises:
        BadLog: the log cannot be read, or nobody took anything up in it.
    """
    clock = _Stopwatch()
    with threadpool_limits(limits=1):
        log = read_log(log_path)
        report("reading the log", 0.0)
        school = school_of(log)
        clock.lap("read")
        trained = fit_and_weigh(school, settings, seed=seed, report=report)
        clock.lap("fit")
        report("evaluating", 0.9)
        evaluation = evaluate(trained.later, trained.earlier.model, seed=seed)
        clock.lap("evaluate")
        training = _training(log, settings, seed, evaluation)
        now_us = int(school.votes.at_us.max())
        bundle = write_bundle(out, trained.final, training=training, now_us=now_us)
        clock.lap("write")
    report("tracking the run", 0.95)
    registered = _track(bundle, evaluation, tracking, parameters={**asdict(settings), "seed": seed})
    clock.lap("track")
    return TrainReport(bundle, evaluation, registered, clock.seconds)


def school_of(log: Log) -> School:
    """Votes and features of a log.

    Raises:
        BadLog: no interaction in it says that somebody took something up.
    """
    votes = votes_of(log)
    if not len(votes):
        raise BadLog(f"{log.path} has no interaction of a learner with a resource to learn from: import some first")
    return School(
        votes=votes,
        resource_features=_shared({r.resource_id: _told(r) for r in resources_of(log.resources())}),
        learner_features={x.learner_id: x.features for x in learners_of(log.learners())},
    )


def _told(resource: Resource) -> tuple[str, ...]:
    tags, skills = (f"tag:{t}" for t in resource.tags), (f"skill:{s}" for s in resource.skills)
    return (f"format:{resource.format}", *tags, *skills)


def _shared(features: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Only features that two resources share say anything that a resource's own identity does not."""
    counts = Counter(f for fs in features.values() for f in set(fs))
    return {x_id: tuple(f for f in fs if counts[f] > 1) for x_id, fs in features.items()}


def _training(log: Log, settings: ModelSettings, seed: int, evaluation: Evaluation) -> dict[str, Any]:
    """What the manifest tells of the training; equal trainings tell equal things."""
    told = {
        "log_fingerprint": log.fingerprint(),
        "clock": log.clock,
        "seed": seed,
        "models": asdict(settings),
        "versions": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: importlib.metadata.version(name) for name in _PINNED},
        },
        "evaluation": evaluation.as_json(),
    }
    fingerprint = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return {**told, "fingerprint": fingerprint}


def _track(bundle: Bundle, evaluation: Evaluation, tracking: Tracking, *, parameters: dict[str, object]) -> str:
    from training.pictures import draw_evaluation
    from training.registry import track

    with TemporaryDirectory() as pictures:
        if evaluation.metrics:
            draw_evaluation(evaluation, Path(pictures) / "evaluation.png")
        manifest = bundle.manifest["training"]
        return track(
            tracking.uri,
            artifacts=tracking.artifacts,
            parameters=parameters,
            metrics=evaluation.flat(),
            tags={"bundle": bundle.version, "log": manifest["log_fingerprint"], "fingerprint": manifest["fingerprint"]},
            pictures=Path(pictures),
            bundle=bundle.path,
        )


class _Stopwatch:
    """Seconds by stage, for the report only: nothing of it goes into the bundle."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 2)
        self._last = now
