"""Track a training run and register its bundle; the only door to MLflow."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# MLflow reads these when it is imported, and sends usage data unless told not to.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

import mlflow
from mlflow.entities import Metric, Param, RunTag

from engine.domain.errors import Unavailable

EXPERIMENT = "trailmate"
MODEL = "trailmate"
CHALLENGER = "challenger"


def track(
    uri: str,
    *,
    artifacts: Path,
    parameters: Mapping[str, object],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    pictures: Path,
    bundle: Path,
) -> str:
    """Log one finished run and register its bundle as the challenger; the version it got.

    The registry keeps its own copy of the bundle under `artifacts`, so that an older one can be served again.

    Raises:
        Unavailable: the tracking store cannot be reached or written.
    """
    with _quiet(), _told_plainly(uri):
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        local = artifacts.resolve().as_uri() if uri.startswith("sqlite:") else None
        experiment_id = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT, local)
        run = client.create_run(experiment_id, run_name=tags.get("bundle"))
        run_id = run.info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric(_name(k), v, timestamp=run.info.start_time, step=0) for k, v in metrics.items()],
            params=[Param(k, str(v)[:500]) for k, v in parameters.items()],
            tags=[RunTag(k, v) for k, v in tags.items()],
        )
        client.log_artifacts(run_id, str(pictures), "pictures")
        client.log_artifacts(run_id, str(bundle), "bundle")
        client.set_terminated(run_id)
        if not client.search_registered_models(f"name='{MODEL}'"):
            client.create_registered_model(MODEL)
        version = client.create_model_version(MODEL, f"{run.info.artifact_uri}/bundle", run_id, tags=dict(tags))
        client.set_registered_model_alias(MODEL, CHALLENGER, version.version)
        return str(version.version)


def _name(metric: str) -> str:
    """MLflow knows no @ in names."""
    return metric.replace("@", "_at_")


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow and Alembic announce each migration of a new store; nobody at the command line asked."""
    names = ("mlflow", "alembic")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _told_plainly(uri: str) -> Iterator[None]:
    """Whatever the store's own libraries raise, as one sentence."""
    try:
        yield
    except Exception as problem:
        raise Unavailable(
            f"the training run could not be tracked at {uri} ({type(problem).__name__}): the bundle is written; "
            "check the address given by --track or TRAILMATE_MLFLOW_URI"
        ) from problem
