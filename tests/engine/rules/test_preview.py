"""What a draft would change is what deciding with it and without it gives."""

import numpy as np
import pytest

from engine.rules.compiled import book_of
from engine.rules.outcome import Situation
from engine.rules.preview import Scored, Slate, changed, previewed, rows_to_score, under
from engine.rules.scope import Who


@pytest.fixture
def pupils(contents, nothing_done):
    def made(*books):
        offered = np.array([r is not None for r in contents.resources])
        found = []
        for learner_id, class_id in (("anna", "7b"), ("ben", "8a")):
            who = Who(learner_id=learner_id, class_ids=(class_id,))
            rows = rows_to_score(offered, offered, [book.plan(who, 0) for book in books])
            n = len(rows)
            found.append(
                Scored(
                    who=who, rows=rows, scores=-0.1 * rows, p=np.full(n, np.nan), minutes=np.full(n, 10.0),
                    candidates=offered, offered=offered, tie_break=np.arange(len(contents)), history=nothing_done,
                    situation=Situation(), k=3,
                )
            )  # fmt: skip
        return found

    return made


def test_what_leaves_enters_and_moves():
    change = changed("anna", Slate(resource_ids=("a", "b", "c")), Slate(resource_ids=("c", "d", "b")))
    assert (change.leaves, change.enters, change.moves) == (("a",), ("d",), (("c", 3, 1), ("b", 2, 3)))
    assert (change.n_before, change.n_after, change.few, change.is_any) == (3, 3, False, True)
    assert not changed("anna", Slate(resource_ids=("a",)), Slate(resource_ids=("a",))).is_any


def test_only_learners_under_the_draft_change(contents, rule, pupils):
    now = book_of([], contents)
    draft = book_of([rule("d", "pin", resources=["old"], scope={"class_id": "7b"})], contents)
    anna, ben = previewed(pupils(now, draft), under(now, 0), under(draft, 0))
    assert anna.enters == ("old",)
    assert anna.leaves == ("frac-video",)
    assert anna.moves == (("bridge", 1, 2), ("frac-sheet", 2, 3))
    assert not ben.is_any


def test_who_would_be_left_with_fewer_than_three_is_told_with_the_reason(contents, rule, pupils):
    now = book_of([], contents)
    draft = book_of([rule("d", "only", formats=["project"])], contents)
    anna, _ = previewed(pupils(now, draft), under(now, 0), under(draft, 0))
    assert anna.few
    assert anna.n_after == 1
    nothing = book_of([rule("d", "cap_minutes", value={"day": 5})], contents)
    anna, _ = previewed(pupils(now, nothing), under(now, 0), under(nothing, 0))
    assert anna.n_after == 0
    assert anna.conflict == ("d",)
    assert "leave nothing" in anna.message


def test_scores_are_asked_for_what_any_of_the_plans_puts_in(contents, rule):
    books = [book_of([], contents), book_of([rule("d", "pin", resources=["old", "nowhere"])], contents)]
    nothing = np.zeros(len(contents), bool)
    rows = rows_to_score(nothing, ~nothing, [b.plan(Who(learner_id="a"), 0) for b in books])
    assert rows.tolist() == [contents.resource_map.row("old")]
    assert len(rows_to_score(nothing, nothing, [b.plan(Who(learner_id="a"), 0) for b in books])) == 0
