"""What is a jump, and how long a question stands."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.resource import Resource
from engine.rules.approvals import Ahead, jumps_of, mastered_of, may_ask_again, standing_of

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
# a ← b ← c ← d, and e beside them, needed for d too.
GRAPH = {"a": (), "b": ("a",), "c": ("b",), "d": ("c", "e"), "e": ()}


def of(*skills: str, x_id: str = "r") -> Resource:
    return Resource(resource_id=x_id, title=x_id.upper(), skills=skills)


@pytest.mark.parametrize(
    ("skills", "mastered", "unmet"),
    [
        (("a",), (), ()),
        (("b",), (), ("a",)),
        (("b",), ("a",), ()),
        (("d",), (), ("a", "b", "c", "e")),
        (("d",), ("c",), ("a", "b", "e")),
        # What the resource teaches itself does not lie before it.
        (("c", "d"), (), ("a", "b", "e")),
        (("x",), (), ()),
        ((), (), ()),
    ],
)
def test_unmet_is_what_is_needed_and_not_mastered_through_all_that_lies_before(
    skills: tuple[str, ...], mastered: tuple[str, ...], unmet: tuple[str, ...]
) -> None:
    assert Ahead(GRAPH).unmet(skills, mastered) == unmet


@pytest.mark.parametrize(("limit", "found"), [(0, "bcd"), (1, "cd"), (2, "d"), (3, "d"), (4, "")])
def test_a_jump_lies_more_than_the_limit_ahead(limit: int, found: str) -> None:
    resources = [of(x, x_id=x) for x in "abcde"]
    jumps = jumps_of([None, *resources], Ahead(GRAPH), (), limit=limit, plan=None)
    assert "".join(jumps) == found


def edges() -> st.SearchStrategy[dict[str, tuple[str, ...]]]:
    names = st.sampled_from("abcdefgh")
    return st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=8)


@given(edges(), st.sets(st.sampled_from("abcdefgh")), st.lists(st.sampled_from("abcdefgh"), max_size=3))
def test_what_lies_before_is_what_can_be_reached_whatever_the_graph(
    graph: dict[str, tuple[str, ...]], mastered: set[str], skills: list[str]
) -> None:
    # Step by step until nothing is added: another way to the same, cycles among them.
    reached = set(skills)
    for _ in range(9):
        reached |= {p for x in reached for p in graph.get(x, ())}
    expected = tuple(sorted(reached - set(skills) - mastered))
    ahead = Ahead(graph)
    assert ahead.unmet(skills, mastered) == expected
    assert ahead.unmet(skills, mastered) == expected


@given(edges(), st.sets(st.sampled_from("abcdefgh")), st.integers(0, 5))
def test_who_masters_more_or_may_go_further_has_fewer_jumps(
    graph: dict[str, tuple[str, ...]], mastered: set[str], limit: int
) -> None:
    resources = [of(x, x_id=x) for x in "abcdefgh"]

    def jumps(known: set[str], most: int) -> set[str]:
        return set(jumps_of(resources, Ahead(graph), known, limit=most, plan=None))

    assert jumps(mastered | {"a"}, limit) <= jumps(mastered, limit)
    assert jumps(mastered, limit + 1) <= jumps(mastered, limit)


def test_nothing_is_mastered_where_nothing_is_known() -> None:
    assert mastered_of(None, None, None, plan=None, now_us=0) == frozenset()


def test_what_waits_expires_with_the_safe_answer_and_rests_before_it_is_asked_again() -> None:
    until = NOW + timedelta(days=7)
    assert standing_of("waiting", until, until - timedelta(seconds=1)) == "waiting"
    assert standing_of("waiting", until, until) == "expired"
    assert (standing_of("approved", NOW, until), standing_of("declined", NOW, until)) == ("approved", "declined")
    assert not may_ask_again(until, 7, until + timedelta(days=6, hours=23))
    assert may_ask_again(until, 7, until + timedelta(days=7))
