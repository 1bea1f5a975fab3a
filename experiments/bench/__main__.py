"""`python -m experiments.bench`: measure on real data and print the tables of docs/figures.md."""

import argparse
from collections.abc import Callable
from pathlib import Path

from experiments.bench.acceptance import acceptance
from experiments.bench.changed import changed, workers
from experiments.bench.circle import circle, judged
from experiments.bench.decision import decision
from experiments.bench.events import events
from experiments.bench.first_offers import first_offers
from experiments.bench.groups import groups
from experiments.bench.http import http
from experiments.bench.learner import attempts, speed
from experiments.bench.learning import learning
from experiments.bench.memory import memory
from experiments.bench.peers_speed import peers_speed
from experiments.bench.plans import plans
from experiments.bench.preview import preview
from experiments.bench.relevance import relevance
from experiments.bench.rules import rules
from experiments.bench.scale import scale
from experiments.bench.start import start
from experiments.bench.store import store
from experiments.bench.swaps import swaps
from experiments.bench.who_answers import who_answers

HOUSE = Path(__file__).parents[2]
PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "circle": lambda given: circle(given.shared / "data", given.work),
    "judge": lambda given: judged(given.shared / "judge", given.work),
    "relevance": lambda given: relevance(given.shared / "judge", given.work / "relevance"),
    "attempts": lambda given: attempts(given.shared / "judge", given.work),
    "learner": lambda given: speed(given.work / "learner"),
    "store": lambda given: store(given.work / "store"),
    "decision": lambda given: decision(given.work / "decision"),
    "start": lambda given: start(given.work / "decision"),
    "swaps": lambda given: swaps(given.work / "decision"),
    "events": lambda given: events(given.work / "decision"),
    "changed": lambda given: changed(given.work / "decision"),
    "workers": lambda given: workers(given.work / "decision"),
    "scale": lambda given: scale(given.work / "decision", n_learners=given.crowd),
    "memory": lambda given: memory(
        given.work / "memory", minutes=given.minutes, picture=given.work / "memory" / "memory.png"
    ),
    "http": lambda given: http(given.work / "decision"),
    "rules": lambda _given: rules(),
    "preview": lambda given: preview(given.work / "decision"),
    "groups": lambda _given: groups(),
    "peers": lambda given: "\n\n".join([who_answers(given.shared / "data"), acceptance(), peers_speed()]),
    "plans": lambda given: plans(given.work / "plans", n_learners=50),
    "offers": lambda _given: first_offers(),
    "learning": lambda given: learning(given.work / "learning", n_learners=given.learners),
}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__)
    parser.add_argument("--shared", type=Path, default=HOUSE.parent / "shared", help="the folder of data/ and judge/")
    parser.add_argument("--work", type=Path, default=Path("trailmate-data/bench"), help="where the runs go")
    parser.add_argument("--only", choices=[*PARTS], help="measure one of them")
    parser.add_argument("--learners", type=int, default=200, help="how many each policy teaches in each world")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long the load for `memory` lasts")
    parser.add_argument("--crowd", type=int, default=100_000, help="how many learners `scale` puts into the store")
    given = parser.parse_args()
    if not given.shared.is_dir():
        raise SystemExit(f"{given.shared} does not exist: name the folder of data/ and judge/ with --shared")
    for name in [given.only] if given.only else PARTS:
        print(PARTS[name](given), flush=True)


if __name__ == "__main__":
    main()
