"""What a learner said joins what the school told: needs of both, languages of the learner's own."""

from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.catalogue import catalogue_of
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner
from engine.domain.query import Query, query_of
from engine.learner.preferences import Goal, Preferences, goal_of, last_said, preferences_of, value_of

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def asked(learner: Learner | None, said: Preferences | None) -> Query:
    return query_of(
        "lena", learner=learner, interactions=(), classes={}, catalogue=catalogue_of([]), now=NOW, said=said
    )


def test_needs_are_united_and_languages_said_take_the_place_of_those_told() -> None:
    told = Learner(learner_id="lena", access_needs=("captions", "keyboard"), languages=("de",))
    said = Preferences(access_needs=("keyboard", "no-flashing"), languages=("en", "tr"))
    assert asked(told, None).access_needs == ("captions", "keyboard")
    assert asked(told, said).access_needs == ("captions", "keyboard", "no-flashing")
    assert (asked(told, said).languages, asked(told, Preferences()).languages) == (("en", "tr"), ("de",))
    nobody = asked(None, said)
    assert (nobody.access_needs, nobody.languages, nobody.known) == (said.access_needs, said.languages, False)


def said(event_id: str, minute: int | None, value: str | None, **more: object) -> Interaction:
    at = None if minute is None else NOW + timedelta(minutes=minute)
    kind = str(more.pop("kind", "preferences_set"))
    return Interaction(event_id=event_id, learner_id="lena", kind=kind, source="t", at=at, value=value, **more)


def test_the_last_word_counts_whatever_arrived_last_and_what_is_voided_was_never_said() -> None:
    one, two, three = (f'{{"formats": ["{name}"]}}' for name in ("one", "two", "three"))
    goal = said("c", 9, '{"skills": ["s"]}', kind="goal_set")
    events = [said("b", 2, two), said("a", 1, one), goal, said("d", None, three), said("e", 8, "nonsense")]
    assert last_said(events, "preferences_set") == two
    assert last_said([*events, said("v", 3, None, kind="voided", voids="b")], "preferences_set") == one
    assert last_said([said("x", 2, one, order=1), said("y", 2, two)], "preferences_set") == one
    assert last_said(events, "mastery_set") is None


@pytest.mark.parametrize("goal", [Goal(skills=("s",), by="soon"), Goal(skills=("s",), floor=-1.0), Goal()])
def test_a_goal_that_makes_no_sense_is_none(goal: Goal) -> None:
    assert goal_of(value_of(goal)) is None
    assert goal_of(value_of(Goal(skills=("s",), by="2026-12-18", ceiling=9.0))) is not None


def test_a_value_that_is_no_preference_says_nothing() -> None:
    for value in (None, "", "[]", '{"formats": 3}', "\ud800"):
        assert preferences_of(value) == Preferences()
