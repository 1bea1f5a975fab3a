"""The page on choosing tells the weights, the bands and the lives of words as they are."""

import re
from dataclasses import asdict
from pathlib import Path

from engine.learner.voices import DAY_US, HOLDS_US, N_KEPT
from engine.path import CHECKABLE
from engine.ranking import exploration, objective
from engine.ranking.pool import N_LEARNING
from engine.ranking.said import ACCEPTED, ALIKE, REFUSED
from engine.ranking.selection import INQUIRY_FORMATS
from engine.ranking.weights import ObjectiveWeights
from training.answered import LEAST_MET
from training.gains import LEAST_STEPS

PAGE = (Path(__file__).parents[2] / "docs" / "choosing.md").read_text()


def test_every_weight_stands_there_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", PAGE, re.MULTILINE))
    assert {name: float(value) for name, value in rows.items()} == asdict(ObjectiveWeights())


def test_bands_words_and_limits_are_those_of_the_code():
    text = " ".join(PAGE.split())
    low, high = objective.BAND
    assert f"band {str(low)[1:]} to {str(high)[1:]}" in text
    low, high = objective.GENTLE_BAND
    assert f"outside {str(low)[1:]} to {str(high)[1:]} once" in text
    assert (objective.N_PLACEMENT, objective.N_LOOP) == (6, 3)
    assert (ACCEPTED, REFUSED, ALIKE) == (1.0, -4.0, -0.5)
    assert {kind: us / DAY_US for kind, us in HOLDS_US.items() if kind != "not_now"} == dict.fromkeys(
        ("accepted", "declined", "too_easy", "too_hard"), 14
    )
    assert f"{N_KEPT} that hold are kept" in text
    assert HOLDS_US["not_now"] == 18 * 3_600_000_000
    assert (exploration.EPSILON, exploration.NEAR, N_LEARNING, CHECKABLE, LEAST_STEPS) == (0.1, 0.05, 120, 0.7, 400)
    assert (LEAST_MET, "met five times or more and never" in text) == (5, True)
    assert set(re.findall(r"`(\w+)`", re.search(r"project work \((.*?)\)", text)[1])) == INQUIRY_FORMATS
