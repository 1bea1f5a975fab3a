"""`python -m experiments.bench`: measure the circle on real data and print the tables of docs/figures.md."""

import argparse
from pathlib import Path

from experiments.bench.circle import circle, judged

HOUSE = Path(__file__).parents[2]


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m experiments.bench", description=__doc__)
    parser.add_argument("--shared", type=Path, default=HOUSE.parent / "shared", help="the folder of data/ and judge/")
    parser.add_argument("--work", type=Path, default=Path("trailmate-data/bench"), help="where the runs go")
    parser.add_argument("--only", choices=["circle", "judge"], help="measure one of the two")
    given = parser.parse_args()
    if not given.shared.is_dir():
        raise SystemExit(f"{given.shared} does not exist: name the folder of data/ and judge/ with --shared")
    if given.only != "judge":
        print(circle(given.shared / "data", given.work), flush=True)
    if given.only != "circle":
        print(judged(given.shared / "judge", given.work), flush=True)


if __name__ == "__main__":
    main()
