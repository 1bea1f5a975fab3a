"""The tables of the learning bench, from results that are known."""

from experiments.bench.learning import draw, table, verdict
from experiments.judging.metrics import Taught, summary


def told(gains):
    taught = [Taught(learner=f"l{n}", start=0.0, end=g, steps=4, minutes=10.0) for n, g in enumerate(gains)]
    return {"learners": [t.as_json() for t in taught], **summary(taught, seed=0)}


RESULTS = {
    "easy": {"trailmate": told([0.8, 0.6, 0.7]), "random": told([0.2, 0.3, 0.4]), "oracle": told([0.7, 0.7, 0.7])},
    "hard": {"trailmate": told([0.2, 0.1, 0.3]), "random": told([0.1, 0.1, 0.1]), "oracle": told([0.4, 0.4, 0.4])},
}


def test_rows_are_best_first_with_their_share_of_the_oracle():
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table(RESULTS).splitlines()[2:]]
    assert [(r[0], r[1], r[5]) for r in rows if r[0] == "hard"] == [
        ("hard", "oracle", "1.00"), ("hard", "trailmate", "0.50"), ("hard", "random", "0.25")
    ]  # fmt: skip


def test_the_verdict_is_learner_by_learner_and_says_the_worst():
    lines = verdict(RESULTS).splitlines()
    assert lines[0].startswith("- easy: trailmate less random, % a minute: 4.000 [3.000, 6.000]")
    assert lines[-1] == "- worst: hard, 0.50 of the one-step oracle's gain a minute"


def test_the_picture_is_drawn(tmp_path):
    draw(RESULTS, tmp_path / "learning.png")
    assert (tmp_path / "learning.png").read_bytes().startswith(b"\x89PNG")
