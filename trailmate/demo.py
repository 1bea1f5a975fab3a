"""`make demo`: a sample school through the whole circle, simulated, trained, served and shown."""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from engine.domain.errors import TrailmateError, Unavailable
from engine.domain.learner import Learner
from experiments.simulation.generator import write_log
from experiments.simulation.picture import draw_school
from experiments.simulation.school import School, build_school
from experiments.simulation.workflows import visits
from trailmate.answers import Recommendation
from trailmate.client import Trailmate

N_LEARNERS, N_STEPS, SEED = 240, 50, 0
TENANT = "demo"
SCOPES = "recommend,events,catalogue,rules,read"
# One learner of each course, all in the running school year.
_VISITORS = (3, 4, 5)
_VISITS_EACH = 2
_START_WITHIN_S = 30.0
_STOP_WITHIN_S = 15.0


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; exit code 0 done or stopped by Ctrl-C while serving, 1 failed, 2 wrong usage, 130 interrupted."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        _demo(given.port, once=given.once)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except TrailmateError as problem:
        sys.stderr.write(f"demo: {problem}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"demo: {problem.strerror}: {problem.filename}; check its rights and the free space\n")
        return 1
    return 0


def _demo(port: int, *, once: bool) -> None:
    _check_free(port)
    # A folder for each port: a demo that is still serving on another one keeps its store.
    folder = Path(os.environ.get("TRAILMATE_DATA") or "trailmate-data").absolute() / "demo" / str(port)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    school = build_school(N_LEARNERS, seed=SEED, now=datetime.now(UTC))
    began = time.perf_counter()
    with _stage(f"simulate  {N_LEARNERS} learners in {len(school.classes)} classes"):
        write_log(school, n_steps=N_STEPS, into=folder / "log")
    with _stage("train     the models, and judge them"):
        _trailmate(folder, "train", "log", "--out", "bundle")
    with _stage("load      the log into the service's store"):
        _trailmate(folder, "load", "log", "--tenant", TENANT)
    with _stage("keys      make one for the school's app"):
        key = str(_trailmate(folder, "keys", "create", "--tenant", TENANT, "--scopes", SCOPES)["key"])
    url = f"http://127.0.0.1:{port}"
    with Trailmate(url, key=key) as trailmate, _serving(folder, port, trailmate) as server:
        learner_id = school.learner_id(_VISITORS[0])
        with _stage("ask       the first recommendation"):
            trailmate.recommend(learner_id, k=3)
        _say(f"          first answer after {time.perf_counter() - began:.1f} s")
        with _stage("visit     learners ask, choose, work and report"):
            told = _visited(trailmate, school)
        with _stage("draw      the school"):
            draw_school(school, n_steps=N_STEPS, into=folder / "school.png")
        _say(
            *told,
            "",
            *_shown(trailmate.recommend(learner_id, k=3), learner_id),
            *_where(url, key, school.learner(_VISITORS[0]), folder),
        )
        if not once:
            _wait(server)
    _say("Stopped.")


@contextmanager
def _stage(what: str) -> Iterator[None]:
    began = time.perf_counter()
    sys.stdout.write(f"{what:<58}")
    sys.stdout.flush()
    try:
        yield
    except BaseException:
        sys.stdout.write("\n")
        raise
    _say(f"{time.perf_counter() - began:6.1f} s")


def _trailmate(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run one real command in the demo's folder and give its JSON; raises Unavailable with its last words."""
    done = subprocess.run(
        _command(*arguments, "--json"),
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"`trailmate {arguments[0]}` failed: {_last_line(done.stderr)}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def _serving(folder: Path, port: int, trailmate: Trailmate) -> Iterator[subprocess.Popen[bytes]]:
    """`trailmate serve` while this lasts, then stopped gracefully."""
    log = folder / "serve.log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches only the demo, which then stops the server in order.
        server = subprocess.Popen(
            _command("serve", "--bundle", "bundle", "--port", str(port)),
            cwd=folder, env=_environment(folder), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        with _stage(f"serve     on 127.0.0.1:{port}"):
            _await_ready(server, trailmate, log)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await_ready(server: subprocess.Popen[bytes], trailmate: Trailmate, log: Path) -> None:
    until = time.monotonic() + _START_WITHIN_S
    while not trailmate.ready():
        if server.poll() is not None:
            raise Unavailable(f"`trailmate serve` stopped: {_last_line(log.read_text())}")
        if time.monotonic() > until:
            raise Unavailable(f"the service was not ready within {_START_WITHIN_S:.0f} s; look into {log}")
        time.sleep(0.1)


def _wait(server: subprocess.Popen[bytes]) -> None:
    try:
        _say("\nServing until Ctrl-C.")
        # Not server.wait(): a signal just before that blocking call would be heard only after it.
        while server.poll() is None:
            time.sleep(0.1)
    except KeyboardInterrupt:
        return
    raise Unavailable(f"`trailmate serve` stopped by itself, exit code {server.returncode}; look into serve.log")


def _visited(trailmate: Trailmate, school: School) -> list[str]:
    titles = {r.resource_id: r.title for course in school.courses for r in course.resources}
    lines = []
    for learner in _VISITORS:
        for visit in visits(trailmate, school, learner, n_steps=N_STEPS, n_visits=_VISITS_EACH):
            how = "took" if visit.followed else "chose alone"
            result = "" if visit.outcome is None else f", {visit.outcome:.0%} right"
            lines.append(f"          {visit.learner_id} {how}: {titles[visit.chosen]}{result}")
    return lines


def _shown(answer: Recommendation, learner_id: str) -> list[str]:
    """One recommendation in the words of its reasons."""
    lines = [f"What should {learner_id} do next? ({answer.mode}, model {answer.model_version})"]
    for option in answer.slate:
        minutes = f", about {option.expected_minutes:.0f} minutes" if option.expected_minutes else ""
        chance = f", succeeds with {option.p_success:.0%}" if option.p_success is not None else ""
        lines.append(f"  {option.rank}. {option.title} ({option.format}{minutes}{chance})")
        lines += [f"     to the learner: {reason.text_learner}" for reason in option.reasons]
        lines += [f"     to the teacher: {reason.text_teacher}" for reason in option.reasons]
    return lines


def _where(url: str, key: str, learner: Learner, folder: Path) -> list[str]:
    return [
        "",
        "Look around:",
        f"  page     {url}/console/#key={key}&learner={learner.learner_id}",
        f"  class    {url}/console/teacher#key={key}&class={learner.classes[0]}",
        f"  picture  {folder / 'school.png'}",
        f"  runs     mlflow ui --backend-store-uri sqlite:///{folder / 'mlflow.db'}",
        f"  key      {key}",
    ]


def _check_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except (OSError, OverflowError):
        raise Unavailable(f"port {port} is taken or not yours; choose another, as in `make demo PORT=8001`") from None


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from trailmate.cli import main; main()", *arguments]


def _environment(folder: Path) -> dict[str, str]:
    """The demo keeps to its own folder, whatever the operator has set for a real service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAILMATE_")}
    return {**kept, "TRAILMATE_DATA": str(folder), "PYTHONUNBUFFERED": "1"}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trailmate.demo",
        description="Simulate a school, train, serve and show one recommendation with its reasons.",
        epilog="example: python -m trailmate.demo --port 8001 --once",
    )
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (8000)")
    parser.add_argument("--once", action="store_true", help="show, stop and exit instead of serving until Ctrl-C")
    return parser


if __name__ == "__main__":
    sys.exit(main())
