"""Seconds, peak memory and file sizes of import, train and recommend on real data, and the judge's scores."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TRAILMATE = [sys.executable, "-m", "trailmate.cli"]
SETS = {"oulad": "oulad", "ednet": "ednet", "junyi": "junyi", "lkt": "lkt_cloze"}
SPLITS = ("oulad_dev", "oulad_cold_learner", "oulad_new_cohort", "junyi")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took: wall seconds, peak resident memory in MB, and what it printed."""

    seconds: float
    peak_mb: float
    printed: str


def measured(command: Sequence[str], *, data: Path) -> Cost:
    """Run a command as a process of its own; it must succeed."""
    start = time.perf_counter()
    environment = {**os.environ, "TRAILMATE_DATA": str(data)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(time.perf_counter() - start, usage.ru_maxrss / 1024, printed)


def circle(data: Path, work: Path) -> str:
    """Import, train and recommend on each set: a table in Markdown."""
    rows = ["| set | step | seconds | peak MB | size on disk | |", "|--|--|--:|--:|--:|--|"]
    for name, folder in SETS.items():
        place = work / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        log, bundle, out = str(place / "log"), str(place / "bundle"), str(place / "recommendations.parquet")
        steps = {
            "import": ["import", name, str(data / folder), "--into", log, "--json"],
            "train": ["train", log, "--out", bundle, "--json"],
            "recommend": ["recommend", bundle, log, "--out", out, "--json"],
        }
        for step, arguments in steps.items():
            cost = measured([*TRAILMATE, *arguments], data=place)
            size = {"import": log, "train": bundle, "recommend": out}[step]
            note = _note(step, json.loads(cost.printed))
            rows.append(
                f"| {name} | {step} | {cost.seconds:.1f} | {cost.peak_mb:.0f} | {_megabytes(Path(size))} | {note} |"
            )
    return "\n".join(rows)


def judged(judge: Path, work: Path) -> str:
    """The judge's own script on its splits: a table in Markdown."""
    rows = [
        "| split | NDCG@10 [95 %] | recall@10 | MRR | import s | train s | recommend s |",
        "|--|--|--:|--:|--:|--:|--:|",
    ]
    for split in SPLITS:
        run = [sys.executable, "run.py", f"splits/{split}", "--work", str((work / split).resolve())]
        driven = subprocess.run(
            [*run, "--trailmate", " ".join(TRAILMATE)], cwd=judge, capture_output=True, text=True, check=True
        )
        score, cost = (json.loads(line) for line in driven.stdout.splitlines())
        seconds = " | ".join(f"{step['seconds']:.1f}" for step in cost["cost"])
        low, high = score["ndcg_ci"]
        rows.append(
            f"| {split} | {score['ndcg']:.4f} [{low:.4f}, {high:.4f}] | {score['recall']:.4f} | "
            f"{score['mrr']:.4f} | {seconds} |"
        )
    return "\n".join(rows)


def _note(step: str, report: dict[str, object]) -> str:
    if step == "train":
        return ", ".join(f"{k} {v} s" for k, v in dict(report["seconds"]).items())  # type: ignore[call-overload]
    kept = ("read", "added", "rejected", "learners", "rows")
    return ", ".join(f"{k} {report[k]}" for k in kept if isinstance(report.get(k), int))


def _megabytes(path: Path) -> str:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return f"{sum(f.stat().st_size for f in files) / 1e6:.1f} MB"
