"""`trailmate train`: a log in, a bundle out."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from trailmate.cli.progress import progress_bar, say

if TYPE_CHECKING:
    from engine.ranking.weights import ObjectiveWeights
    from training.pipeline import TrainReport
    from training.relevance_models import ModelSettings

Settings = TypeVar("Settings")


def train(
    log: Annotated[Path, typer.Argument(help="The folder of the log.")],
    out: Annotated[Path, typer.Option(help="The bundle's folder; replaced as a whole or not at all.")],
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Same log, seed, versions and machine type: the same bytes.")
    ] = 0,
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings to change.")] = None,
    engine: Annotated[str, typer.Option(help="What runs the features: polars.")] = "polars",
    track: Annotated[
        str | None, typer.Option(help="MLflow's address.", envvar="TRAILMATE_MLFLOW_URI", show_default="sqlite")
    ] = None,
    data: Annotated[Path, typer.Option(help="Where runs and models are kept.", envvar="TRAILMATE_DATA")] = Path(
        "trailmate-data"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Fit the models on a log, judge them on its latest slice, and write a bundle.

    Example: trailmate train ./log --out ./bundle --seed 0
    """
    if engine != "polars":
        raise typer.BadParameter("this version trains with --engine polars only", param_hint="--engine")
    if not out.parent.is_dir():
        raise typer.BadParameter(f"{out.parent} is not a folder: make it first", param_hint="--out")
    settings, weights = _settings(config)
    from training.pipeline import Tracking, register
    from training.pipeline import train as run

    data.mkdir(parents=True, exist_ok=True)
    # Found out now and not after the training: whether the runs can be kept.
    (data / f".writable-{os.getpid()}").touch()
    (data / f".writable-{os.getpid()}").unlink()
    tracking = Tracking(track or f"sqlite:///{data.resolve() / 'mlflow.db'}", data / "mlflow-artifacts")
    with progress_bar() as report:
        done = run(log, out, settings=settings, weights=weights, seed=seed, report=report)
        report("tracking the run", 0.95)
        version = register(done, tracking)
    say(_as_json(done, version), as_json=as_json, text=_in_words(done, version))


def _settings(config: Path | None) -> "tuple[ModelSettings, ObjectiveWeights]":
    """The defaults, changed by a YAML file of the same names; the weights of the objective stand under `objective`.

    Raises:
        BadInput: not YAML, an unknown name, a value of another type.
    """
    import yaml

    from engine.domain.errors import BadInput
    from engine.ranking.weights import ObjectiveWeights
    from training.relevance_models import ModelSettings

    if config is None:
        return ModelSettings(), ObjectiveWeights()
    try:
        given = yaml.safe_load(config.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadInput(f"{config} is not YAML: write one `name: value` a line") from None
    weights = given.pop("objective", {}) if isinstance(given, dict) else {}
    return _changed(ModelSettings(), given, config, "settings"), _changed(
        ObjectiveWeights(), weights, config, "settings of objective", least=0
    )


def _changed(defaults: Settings, given: Any, config: Path, what: str, least: float | None = None) -> Settings:
    """The defaults with what was given in their place."""
    from dataclasses import asdict, replace

    from engine.domain.errors import BadInput

    known = asdict(defaults)  # type: ignore[call-overload]
    if not isinstance(given, dict) or (unknown := sorted(map(str, set(given) - set(known)))):
        named = ", ".join(unknown) if isinstance(given, dict) else "no names"
        raise BadInput(f"{config} holds {named}; the {what} are {', '.join(known)}")
    changes = {name: _like(known[name], value, f"{name} in {config}", least) for name, value in given.items()}
    return replace(defaults, **changes)  # type: ignore[type-var]


def _like(default: Any, value: Any, where: str, least: float | None = None) -> Any:
    """The value in the type of the default; positive, or where `least` is given from there up."""
    from engine.domain.errors import BadInput

    values = value if isinstance(default, tuple) and isinstance(value, list) else [value]
    kind = float if isinstance(default, tuple) else type(default)
    numbers = all(isinstance(v, int | kind) and not isinstance(v, bool) for v in values)
    if not numbers or not all(v > 0 if least is None else least <= v < float("inf") for v in values):
        kind_of = "positive " if least is None else ""
        floor = "" if least is None else f" from {least:g} up"
        raise BadInput(
            f"{where} must be a {kind_of}{'list of numbers' if isinstance(default, tuple) else 'number'}{floor}"
        )
    return tuple(float(v) for v in values) if isinstance(default, tuple) else kind(value)


def _as_json(done: "TrainReport", version: str) -> dict[str, Any]:
    return {
        "bundle": str(done.bundle.path),
        "version": done.bundle.version,
        "registered": version,
        "evaluation": done.evaluation.as_json(),
        "seconds": dict(done.seconds),
    }


def _in_words(done: "TrainReport", version: str) -> str:
    lines = [f"Bundle {done.bundle.version} written to {done.bundle.path}, registered as version {version}."]
    if not done.evaluation.metrics:
        lines.append("The log is too short to hold anything out, so nothing was judged.")
    for name in sorted(done.evaluation.metrics, key=lambda n: -done.evaluation.metrics[n]["ndcg@10"]["mean"]):
        m = done.evaluation.metrics[name]
        ndcg, recall, mrr = m["ndcg@10"], m["recall@10"], m["mrr"]
        lines.append(
            f"  {name:<12} NDCG@10 {ndcg['mean']:.4f} [{ndcg['low']:.4f}, {ndcg['high']:.4f}]   recall@10 "
            f"{recall['mean']:.4f}   MRR {mrr['mean']:.4f}   coverage {done.evaluation.coverage[name]:.3f}"
        )
    lines.append("Seconds: " + ", ".join(f"{stage} {seconds}" for stage, seconds in done.seconds.items()))
    return "\n".join(lines)
