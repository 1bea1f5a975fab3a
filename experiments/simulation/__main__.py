"""The command line of the simulated school: `python -m experiments.simulation --learners 400 --into LOG`."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from engine.domain.errors import TrailmateError


def main(arguments: list[str] | None = None) -> int:
    """Make one log; exit code 0 done, 1 failed, 2 wrong usage."""
    given = _parser().parse_args(arguments)
    try:
        made = _make(given)
    except TrailmateError as problem:
        sys.stderr.write(f"simulation: {problem}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"simulation: {problem.strerror}: {problem.filename}; check the path, its rights and space\n")
        return 1
    said = (
        f"{made['learners']} learners in {made['classes']} classes left {made['added']} events "
        f"in {made['into']}, {made['seconds']:.1f} s; next: trailmate train {made['into']} --out BUNDLE"
    )
    sys.stdout.write((json.dumps(made) if given.json else said) + "\n")
    return 0


def _make(given: argparse.Namespace) -> dict[str, object]:
    from experiments.simulation.generator import write_log
    from experiments.simulation.picture import draw_school
    from experiments.simulation.school import build_school

    began = time.perf_counter()
    school = build_school(given.learners, seed=given.seed, now=given.now)
    report = write_log(school, n_steps=given.steps, into=given.into)
    if given.picture:
        draw_school(school, n_steps=given.steps, into=given.picture)
    return {
        "into": str(given.into),
        "learners": school.n_learners,
        "classes": len(school.classes),
        "added": report.added,
        "duplicates": report.duplicates,
        "rejected": report.n_rejected,
        "seconds": round(time.perf_counter() - began, 2),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.simulation",
        description="Simulate a school for a year and add what happened to a log.",
        epilog="example: python -m experiments.simulation --learners 400 --steps 60 --seed 0 --into school-log",
    )
    parser.add_argument("--learners", type=int, default=400, help="how many learners (400)")
    parser.add_argument("--steps", type=int, default=60, help="chances of each learner in a year (60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another school (0)")
    parser.add_argument("--into", type=Path, required=True, metavar="LOG", help="the folder of the log")
    parser.add_argument("--now", type=_time, default=datetime.now(UTC), help="when the year is looked at (the present)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw the school")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
