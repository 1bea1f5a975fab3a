"""Loads, repeats, who is alone, and what a teacher's changes say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.collaborators.contacts import DAY_US, HELPED, contacts_from
from engine.collaborators.edits import learned
from engine.collaborators.fairness import alone, gini, repeat_rate
from engine.domain.grouping import Group, Grouping

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_the_mean_difference_over_twice_the_mean(loads: list[int]) -> None:
    x = np.array(loads, float)
    told = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean()) if x.sum() else 0.0
    assert gini(x) == pytest.approx(told)


def test_repeats_are_pairs_that_met_in_one_of_the_last_rounds() -> None:
    one, other = [[0, 1], [2, 3]], [[0, 2], [1, 3]]
    assert repeat_rate([one, one]) == 1.0
    assert repeat_rate([one, other]) == 0.0
    assert repeat_rate([one, other, one]) == 0.5
    assert repeat_rate([one, other, one], within=1) == 0.0
    assert repeat_rate([one]) == 0.0


def test_alone_is_who_had_nobody_where_most_had_somebody() -> None:
    lines = [(0, 1, 10 * DAY_US, HELPED, float("nan")), (2, 3, 11 * DAY_US, HELPED, float("nan"))]
    contacts = contacts_from(5, lines)
    assert alone(contacts, range(5), 12 * DAY_US) == [4]
    # Where hardly anybody had somebody, nobody is left alone; what is long past does not count.
    assert alone(contacts, [0, 1, 4], 90 * DAY_US) is None
    assert alone(contacts, range(4), 12 * DAY_US) == []


def grouping(n: int, proposed: list[list[str]], chosen: list[list[str]], *, days: int = 0) -> Grouping:
    return Grouping(
        grouping_id=f"g{n}",
        class_id="7b",
        at=NOW - timedelta(days=days),
        groups=tuple(Group(learner_ids=tuple(g)) for g in chosen),
        proposed=tuple(map(tuple, proposed)),
    )


def test_pairs_that_were_parted_weigh_below_zero_and_pairs_that_were_joined_above() -> None:
    swapped = grouping(0, [["a", "b"], ["c", "d"]], [["a", "c"], ["b", "d"]])
    told = learned([swapped], NOW)
    assert {pair for pair, w in told.items() if w < 0} == {("a", "b"), ("c", "d")}
    assert {pair for pair, w in told.items() if w > 0} == {("a", "c"), ("b", "d")}
    assert abs(told["a", "b"]) < 1.0
    often = learned([swapped, grouping(1, [["a", "b"], ["c", "d"]], [["a", "d"], ["b", "c"]])], NOW)
    assert often["a", "b"] < told["a", "b"]


def test_what_was_not_changed_or_is_old_says_nothing() -> None:
    same = grouping(0, [["a", "b"], ["c", "d"]], [["d", "c"], ["b", "a"]])
    assert learned([same], NOW) == {}
    assert learned([grouping(0, [], [["a", "b"]])], NOW) == {}
    old = grouping(0, [["a", "b"], ["c", "d"]], [["a", "c"], ["b", "d"]], days=400)
    assert learned([old], NOW) == {}


def test_somebody_who_came_later_was_not_put_anywhere_by_the_teacher() -> None:
    told = learned([grouping(0, [["a", "b"]], [["a", "b", "new"]])], NOW)
    assert told == {}
