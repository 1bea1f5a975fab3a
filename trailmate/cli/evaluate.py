"""`trailmate evaluate`: how good a bundle's predictions are on a log, and for whom."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trailmate.cli.progress import Report, progress_bar, say

if TYPE_CHECKING:
    from rich.table import Table

    from training.learner_evaluation import LearnerEvaluation

_SECTIONS = {"answers": "Answers", "first_five": "First five answers", "pace": "Pace", "formats": "Formats"}
# What a table by subgroup shows of each section; the JSON has everything.
_SHORT = {
    "answers": ("auc", "log_loss", "ece", "bias"),
    "first_five": ("auc", "log_loss"),
    "pace": ("mae", "coverage80"),
    "formats": ("style_over_left",),
}
# In a file or a pipe no column is broken.
_WIDTH = 200


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The folder of the bundle.")],
    log: Annotated[Path, typer.Argument(help="The folder of the log; best one the bundle was not trained on.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder for evaluation.json and the pictures.", show_default="under --data")
    ] = None,
    data: Annotated[Path, typer.Option(help="Where evaluations are kept.", envvar="TRAILMATE_DATA")] = Path(
        "trailmate-data"
    ),
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the intervals' draws.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Judge predicted answers, times and formats: over all learners, by subgroup and by gain, with intervals.

    Every learner starts fresh, and no answer or duration is seen before it is predicted.

    Example: trailmate evaluate ./bundle ./log --out ./evaluation
    """
    with progress_bar() as report:
        version, trained_on, evaluation = _judged(bundle, log, seed, report)
        folder = out or data / "evaluations" / version
        about = {"bundle": version, "log": str(log), "trained_on_this_log": trained_on, "out": str(folder)}
        told = {**about, **evaluation.as_json()}
        report("drawing", 0.97)
        _write(told, evaluation, folder)
    say(told, as_json=as_json, text="" if as_json else _in_words(told))


def _judged(bundle: Path, log: Path, seed: int, report: Report) -> tuple[str, bool, "LearnerEvaluation"]:
    """The bundle's version, whether this very log taught it, and how it does on the log."""
    from engine.bundle import read_bundle
    from training.format_bits import format_bits
    from training.format_mix import format_events_of
    from training.learner_evaluation import evaluate_learners
    from training.log import read_log
    from training.prediction import predictions_of

    told, read = read_bundle(bundle), read_log(log)
    predictions = predictions_of(bundle, read, lambda what, share: report(what, 0.5 * share))
    events = format_events_of(read)
    evaluation = evaluate_learners(
        predictions,
        read.learners().select("learner_id", "subgroups"),
        (events, format_bits(events, report=lambda what, share: report(what, 0.5 + 0.1 * share))),
        ranking=told.manifest["training"].get("evaluation"),
        seed=seed,
        report=lambda what, share: report(what, 0.6 + 0.35 * share),
    )
    trained_on = told.manifest["training"].get("log_fingerprint") == read.fingerprint()
    return told.version, trained_on, evaluation


def _write(told: Mapping[str, Any], evaluation: "LearnerEvaluation", folder: Path) -> None:
    from training.learner_pictures import draw_learner_evaluation

    folder.mkdir(parents=True, exist_ok=True)
    draw_learner_evaluation(evaluation, folder)
    # Aside first, then in its place, so that nobody reads half a file.
    aside = folder / ".evaluation.json.incoming"
    aside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    aside.replace(folder / "evaluation.json")


def _in_words(told: Mapping[str, Any]) -> str:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _WIDTH, no_color=True)
    with console.capture() as captured:
        for table in _tables(told):
            console.print(table)
        if not told["all"]:
            console.print("The log holds no answers, no durations and no timed engagements, so nothing was judged.")
        if told["trained_on_this_log"]:
            console.print(
                "The bundle was trained on this very log: answers and times look better here than on new learners.",
                soft_wrap=True,
            )
        console.print(f"Everything, with the definitions: {Path(told['out']) / 'evaluation.json'}", soft_wrap=True)
    return captured.get().rstrip()


def _tables(told: Mapping[str, Any]) -> Iterator["Table"]:
    from rich.table import Table

    for section, title in _SECTIONS.items():
        if section not in told["all"]:
            continue
        table = Table("", "value", "95 % interval", "learners", title=title, title_justify="left")
        for name, metric in told["all"][section]["metrics"].items():
            table.add_row(name, _number(metric["value"]), _interval(metric), str(metric["learners"]))
        yield table
    if told["subgroups"]:
        yield _by_cell("By subgroup", told["subgroups"], told["all"])
    if told["gain_thirds"]:
        cells = {f"gain: {name}": cell for name, cell in told["gain_thirds"].items()}
        yield _by_cell("By gain: how far answers rose over the log (see definitions)", cells, told["all"])
    if ranking := (told["ranking"] or {}).get("metrics"):
        table = Table("", "NDCG@10", "95 % interval", title="Rankings, judged in training", title_justify="left")
        for name, metrics in sorted(ranking.items(), key=lambda row: -row[1]["ndcg@10"]["mean"]):
            table.add_row(name, _number(metrics["ndcg@10"]["mean"]), _interval(metrics["ndcg@10"]))
        yield table


def _by_cell(title: str, cells: Mapping[str, Any], whole: Mapping[str, Any]) -> "Table":
    """One row for each cell, each number with half the width of its interval."""
    from rich.table import Table

    shown = [(section, name) for section, names in _SHORT.items() if section in whole for name in names]
    heads = [f"{name}\n{_SECTIONS[section].lower()}" for section, name in shown]
    table = Table("", *heads, title=title, title_justify="left")
    for name, cell in cells.items():
        table.add_row(name, *(_short(cell[section], metric) for section, metric in shown))
    return table


def _short(section: Mapping[str, Any], name: str) -> str:
    if "suppressed" in section or "suppressed" in section["metrics"][name]:
        return "fewer than 20"
    metric = section["metrics"][name]
    spread = "" if metric["low"] is None else f" ±{(metric['high'] - metric['low']) / 2:.3f}"
    return _number(metric["value"]) + spread


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(metric: Mapping[str, Any]) -> str:
    return "-" if metric["low"] is None else f"[{metric['low']:.4f}, {metric['high']:.4f}]"
