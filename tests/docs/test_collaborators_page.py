"""The page on peers says what the code does: its modes, and the numbers it promises in words."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.collaborators.affinity import NAMES, TURN_WEEKS
from engine.collaborators.discretion import FEW
from engine.collaborators.edits import _HALF_LIFE_DAYS, _LEAST, _ONCE, learned
from engine.collaborators.fairness import ALONE_DAYS
from engine.collaborators.peers import MODES
from engine.collaborators.safeguards import GRADES_APART, USUAL_HELPS, YES_A_DAY
from engine.collaborators.teachers import ROUNDS_APART
from engine.domain.grouping import Group, Grouping
from serving.collaborating import ASKED_AT_ONCE

DOCS = Path(__file__).parents[2] / "docs"
PAGE = " ".join((DOCS / "collaborators.md").read_text().split())
WORDS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 8: "eight"}


def test_every_mode_has_its_row() -> None:
    rows = re.findall(r"^\| (\w+) \|", (DOCS / "collaborators.md").read_text(), re.MULTILINE)
    assert tuple(row for row in rows if row != "mode") == MODES


def test_the_promised_numbers_are_those_of_the_code() -> None:
    assert f"who helped {WORDS[USUAL_HELPS]} times this week" in PAGE
    assert f"at most {WORDS[FEW]} for each topic" in PAGE
    assert f"for the first {WORDS[ASKED_AT_ONCE]} options of an answer" in PAGE
    assert f"accepted {WORDS[YES_A_DAY]} peers within a day" in PAGE
    assert f"no more than {WORDS[GRADES_APART]} apart" in PAGE
    assert f"nobody for {WORDS[ALONE_DAYS // 7]} weeks" in PAGE
    assert f"last {WORDS[ROUNDS_APART]} groupings" in PAGE
    assert f"classmates in {WORDS[TURN_WEEKS]} weeks" in PAGE
    assert f"after {WORDS[round(_HALF_LIFE_DAYS / 30)]} months" in PAGE
    assert (_ONCE, "moving a learner weighs half a repeat" in PAGE) == (0.5, True)
    assert (_LEAST, "less than a tenth is not counted" in PAGE) == (0.1, True)


@pytest.mark.parametrize(("size", "words", "share"), [(3, "a quarter", 1 / 4), (4, "a sixth", 1 / 6), (7, "", 0.0)])
def test_a_move_weighs_what_the_page_says(size: int, words: str, share: float) -> None:
    proposed = tuple(tuple(f"{group}{i}" for i in range(size)) for group in "ab")
    chosen = (("b0", *proposed[0][1:]), ("a0", *proposed[1][1:]))
    at = datetime(2026, 9, 15, tzinfo=UTC)
    groups = tuple(Group(learner_ids=ids, group_id=None, resource_id=None, title=None) for ids in chosen)
    kept = Grouping(grouping_id="w", class_id="7b", at=at, mode=None, groups=groups, proposed=proposed)
    weights = learned([kept], at)
    told = {(sign, round(abs(w), 9)) for w in weights.values() for sign in (w > 0,)}
    assert told == ({(True, round(share, 9)), (False, round(share, 9))} if share else set())
    assert words in PAGE


def test_the_decision_counts_the_features_there_are() -> None:
    record = (DOCS / "decisions" / "0012-peers.md").read_text()
    assert "Seventeen features" in record
    assert f"keeps {2 * len(NAMES)} numbers" in record
