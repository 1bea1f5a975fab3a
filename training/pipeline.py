"""The whole job: log → votes → fit → weigh → learner model → evaluate → bundle → registry."""

import hashlib
import importlib.metadata
import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from engine.bundle import Bundle
from engine.domain.errors import BadLog
from engine.domain.interaction import ENGAGED_KINDS
from engine.domain.resource import Resource
from engine.learner.model import LearnerModel
from engine.ranking.weights import ObjectiveWeights
from training.answered import silent_formats
from training.attempts import frame_of
from training.bundle_writer import check_place, write_bundle
from training.evaluation import Evaluation, evaluate
from training.fitting import School
from training.gain_models import gain_model_for
from training.learner_models import fit_learner_model
from training.log import Log, learners_of, read_log, resources_of, skills_of
from training.peers import affinity_for
from training.relevance_models import ModelSettings
from training.votes import votes_of
from training.weighing import fit_and_weigh

Report = Callable[[str, float], None]

_USUAL_WEIGHTS = ObjectiveWeights()
_PINNED = ("numpy", "scipy", "lightfm-next", "implicit", "lightgbm", "polars")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are tracked: the store's address, and the folder of its artifacts where the store is local."""

    uri: str
    artifacts: Path


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What came out: the bundle, its evaluation, and seconds by stage."""

    bundle: Bundle
    evaluation: Evaluation
    seconds: Mapping[str, float]


def train(
    log_path: Path,
    out: Path,
    *,
    settings: ModelSettings,
    seed: int,
    report: Report,
    weights: ObjectiveWeights = _USUAL_WEIGHTS,
) -> TrainReport:
    """Train on a log and write the bundle to `out`, as a whole or not at all.

    BLAS runs on one thread: more would make the last digits, and so the bytes, a matter of luck.

    Raises:
        BadLog: the log cannot be read, or nobody took anything up in it.
        BadInput: something that is not a bundle lies at `out`.
    """
    clock = _Stopwatch()
    with threadpool_limits(limits=1):
        report("reading the log", 0.0)
        check_place(out)
        log = read_log(log_path)
        school = school_of(log)
        clock.lap("read")
        trained = fit_and_weigh(school, settings, seed=seed, report=report)
        clock.lap("fit")
        report("fitting the learner model", 0.6)
        learner = _learner_model(log, seed=seed, report=report)
        clock.lap("learner")
        report("finding out what steps are worth", 0.85)
        gains, explained = gain_model_for(log, learner, seed=seed)
        clock.lap("gain")
        report("evaluating", 0.9)
        evaluation = evaluate(trained.later, trained.earlier.model, seed=seed)
        clock.lap("evaluate")
        told = {**_training(log, settings, seed, evaluation), "gain": dict(explained)}
        whole = trained.final.beside(learner, gains, weights)
        peers = affinity_for(log, seed=seed).as_json()
        whole = replace(whole, settings={**whole.settings, "skills": _skills(log), "peers": peers})
        bundle = write_bundle(out, whole, training=told, now_us=int(school.votes.at_us.max()))
        clock.lap("write")
    return TrainReport(bundle, evaluation, clock.seconds)


def register(done: TrainReport, tracking: Tracking) -> str:
    """Track a training as a run with parameters, metrics and a picture; the version its bundle is registered as.

    Raises:
        Unavailable: the tracking store cannot be reached or written; the bundle stays where it is.
    """
    from training.pictures import draw_evaluation
    from training.registry import track

    told = done.bundle.manifest["training"]
    with TemporaryDirectory() as pictures:
        if done.evaluation.metrics:
            draw_evaluation(done.evaluation, Path(pictures) / "evaluation.png")
        return track(
            tracking.uri,
            artifacts=tracking.artifacts,
            parameters={**told["models"], "seed": told["seed"], "clock": told["clock"]},
            metrics={**done.evaluation.flat(), **{f"seconds.{k}": v for k, v in done.seconds.items()}},
            tags={"bundle": done.bundle.version, "log": told["log_fingerprint"], "fingerprint": told["fingerprint"]},
            pictures=Path(pictures),
            bundle=done.bundle.path,
        )


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


def _learner_model(log: Log, *, seed: int, report: Report) -> LearnerModel:
    """The learner model of a log; without a single answer it says what nobody having answered says."""
    resources = resources_of(log.resources())
    mix = pl.LazyFrame({"resource_id": [r.resource_id for r in resources], "format": [r.format for r in resources]})
    taken = log.interactions().filter(pl.col("kind").is_in(list(ENGAGED_KINDS))).join(mix, on="resource_id")
    counts = taken.group_by("format").len().sort("format").collect()
    total = int(counts["len"].sum())
    frame = frame_of(log)
    model = fit_learner_model(
        frame,
        minutes={r.resource_id: r.minutes for r in resources if r.minutes},
        format_mix={name: n / total for name, n in counts.iter_rows()},
        seed=seed,
        report=lambda what, share: report(what, 0.6 + 0.3 * share),
    )
    return replace(model, silent_formats=silent_formats(frame, {r.resource_id: r.format for r in resources}))


def _skills(log: Log) -> list[list[Any]]:
    """Skills with their titles and what is needed before each, for schools that never tell their own."""
    return [[s.skill_id, s.title, list(s.prerequisites)] for s in skills_of(log.skills())]


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


class _Stopwatch:
    """Seconds by stage, for the report only: nothing of it goes into the bundle."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 2)
        self._last = now
