"""Who is under which rule, and what a book of rules keeps ready."""

from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.history import microseconds
from engine.rules.compiled import book_of
from engine.rules.matching import fits
from engine.rules.scope import Who, counting, in_force
from tests.laws.rules_worlds import Engine, resources_of, rule

ZURICH = ZoneInfo("Europe/Zurich")
whos = st.builds(
    Who,
    learner_id=st.sampled_from(["anna", "ben", "cleo"]),
    class_ids=st.lists(st.sampled_from(["7b", "8a"]), max_size=2).map(tuple),
    group_ids=st.lists(st.sampled_from(["g", "h"]), max_size=2).map(tuple),
)
moments = st.datetimes(datetime(2026, 11, 23), datetime(2026, 11, 27), timezones=st.just(UTC)).map(microseconds)


@given(st.integers(0, 2**32), whos, moments)
def test_the_book_looks_up_what_a_walk_over_all_rules_finds(seed, who, now_us):
    r = Random(seed)
    resources = resources_of(r)
    rules = [rule(r, i, [x.resource_id for x in resources]) for i in range(8)]
    book = book_of(rules, Engine(rules, resources).contents, zone=ZURICH)
    found = book.plan(who, now_us)
    assert found.rules == in_force(rules, who, now_us, ZURICH)
    assert book.plan(who, now_us) is found


@given(st.integers(0, 2**32))
def test_a_rule_speaks_of_the_rows_whose_resources_fit(seed):
    r = Random(seed)
    resources = resources_of(r)
    contents = Engine([], resources).contents
    for i in range(6):
        what = rule(r, i, [x.resource_id for x in resources]).what
        assert contents.mask(what).tolist() == [x is not None and fits(what, x) for x in contents.resources]


def test_learners_without_rules_of_their_own_share_one_plan(contents, rule):
    book = book_of([rule("a", "hide", tags=["draft"], scope={"class_id": "7b"})], contents)
    anna, ben = (book.plan(Who(learner_id=x, class_ids=("7b",)), 0) for x in ("anna", "ben"))
    assert anna is ben
    assert book.plan(Who(learner_id="cleo", class_ids=("8a",)), 0) is not anna


def test_hard_counts_before_soft_and_the_narrower_before_the_wider(rule):
    school = rule("school", "cap_minutes", value={"day": 60})
    mine = rule("mine", "cap_minutes", value={"day": 90}, scope={"learner_id": "anna"})
    wish = rule("wish", "cap_minutes", value={"day": 5}, scope={"learner_id": "anna"}, strength="soft")
    assert counting([(school, 60), (mine, 90), (wish, 5)]) == [(mine, 90)]
    assert counting([(school, 60), (wish, 5)]) == [(school, 60)]
    assert counting([]) == []


def test_a_rule_given_twice_counts_in_its_last_version(contents, rule):
    book = book_of([rule("a", "hide", tags=["draft"]), rule("a", "hide", formats=["video"])], contents)
    assert [r.what.formats for r in book.plan(Who(learner_id="anna"), 0).rules] == [("video",)]
