"""The page of the learner model says the bytes and the thresholds that hold."""

import re
from pathlib import Path

from engine.learner.kernels import BLOCK, SELF
from engine.learner.state import _HEADER, _MEMORY
from engine.portrait import MASTERED
from engine.ranking.weights import ObjectiveWeights
from training import chances, doubt, law, lines, paces, samples

PAGE = (Path(__file__).parents[2] / "docs" / "learner-model.md").read_text()


def section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_bytes_of_a_state() -> None:
    told = dict(re.findall(r"^\| ([^|:]+)[^|]* \| ([\d,]+) \|$", section("Its bytes"), re.MULTILINE))
    sizes = [int(size.replace(",", "")) for size in told.values()]
    assert sizes == [_HEADER.size, SELF.itemsize, BLOCK.itemsize, _MEMORY.itemsize, 4]


def test_the_thresholds_of_fitting() -> None:
    mastery, pace = section("Mastery"), section("Pace")
    for number in (
        chances.LEAST_TREE_ROWS,
        chances.LEAST_NET_ROWS,
        chances.MOST_MIXED_ROWS,
        samples.MASTERY_ROWS,
        lines.LEAST_LINE_ROWS,
        law.LAWFUL_ROWS,
    ):
        assert f"{number:,}" in mastery
    assert f"fewer than {lines.LEAST_LINE_ROWS} answers, or {chances.LEAST_LEARNERS} learners" in mastery
    assert f"below {doubt._LEAST_RUNS} such runs" in " ".join(mastery.split())
    assert f"{paces.LEAST_ROWS} timed answers" in " ".join(pace.split())
    assert f"below {paces.OWN_ROWS:,} trees mend" in " ".join(pace.split())
    assert str(MASTERED)[1:] in mastery


def test_the_weights_of_needs() -> None:
    weights = ObjectiveWeights()
    assert (weights.check, weights.style) == (0.5, 0.1)
    assert f"up to {str(weights.review)[1:]} of the best gain" in " ".join(section("Style, review, checks").split())
