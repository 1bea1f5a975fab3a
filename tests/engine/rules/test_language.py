"""Rules are read, refused with a next step, and written back as they were."""

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import BadInput
from engine.domain.history import microseconds
from engine.rules.language import mistakes_in, plain_of, rule_of
from engine.rules.schema import schema
from engine.rules.times import window, zone_named
from engine.rules.values import FORMS
from engine.rules.verbs import KINDS, LANGUAGE, VERBS
from engine.rules.words import said

FINE = {"id": "r", "verb": "hide", "what": {"tags": ["draft"]}}
VALUES = {
    "factor": st.sampled_from([0.5, 2, 99.5]),
    "band": st.sampled_from([[0, 0.5], [0.6, 0.9], [0.0, 1]]),
    "minutes": st.sampled_from([{"day": 30}, {"week": 90.5}, {"day": 0, "week": 1}]),
    "bounds": st.sampled_from([{"floor": 10}, {"ceiling": 60}, {"floor": 5, "ceiling": 5}]),
    "quotas": st.sampled_from([{"min": {"project": 1}}, {"max": {"video": 0}}, {"min": {"a": 1}, "max": {"a": 1}}]),
    "share": st.sampled_from([0, 0.5, 1]),
    "size": st.sampled_from([4, "4", "3-5"]),
    "count": st.integers(0, 9),
    "due": st.sampled_from([{"due": "2026-12-01"}, {"due": "2026-12-01T10:00:00+01:00"}]),
}
ids = st.text("abcdé-1 ", min_size=1, max_size=8)


@st.composite
def plains(draw):
    verb = draw(st.sampled_from(list(VERBS)))
    table = VERBS[verb]
    kinds = (
        draw(st.lists(st.sampled_from(table.kinds), unique=True, min_size=min(table.least, 1))) if table.kinds else []
    )
    names = st.lists(ids, unique=True, min_size=max(table.least, 1), max_size=4)
    plain = {"id": draw(ids), "verb": verb, "what": {kind: draw(names) for kind in kinds}}
    if table.value and not (table.value_optional and draw(st.booleans())):
        plain["value"] = draw(VALUES[table.value])
    plain |= draw(st.sampled_from([{}, {"from": "2026-11-23"}, {"from": "2026-11-23T08:00", "until": "2026-11-23"}]))
    plain |= draw(st.sampled_from([{}, {"scope": {}}, {"scope": {"class_id": "7b"}}, {"scope": {"learner_id": "l"}}]))
    plain |= draw(st.sampled_from([{}, {"strength": "soft"}, {"reason": "why", "author": "t"}, {"version": 3}]))
    return plain


@given(plains())
def test_what_is_read_and_written_back_is_the_same_rule_and_the_same_text(plain):
    rule = rule_of(plain)
    whole = plain_of(rule)
    assert rule_of(whole) == rule
    assert plain_of(rule_of(json.loads(json.dumps(whole)))) == whole
    assert {k: v for k, v in plain.items() if k != "what"}.items() <= whole.items()
    assert whole["what"] == {k: v for k, v in plain["what"].items() if v}
    assert said(rule)


def test_a_yaml_file_reads_as_its_json_does():
    from_yaml = {**FINE, "from": date(2026, 11, 23), "scope": {"class_id": 7}, "until": datetime(2026, 12, 1, 9)}
    rule = rule_of(from_yaml)
    assert (rule.starts, rule.scope.class_id, rule.until) == ("2026-11-23", "7", "2026-12-01T09:00:00")
    assert rule.verb == "hide"


BAD = [
    ({**FINE, "verb": "hidde"}, "did you mean hide?"),
    ({"id": "r"}, "needs a verb"),
    ({**FINE, "what": {}}, "needs something to speak of"),
    ({"id": "r", "verb": "hide"}, "needs something to speak of"),
    ({**FINE, "what": {"tags": []}}, "names nothing"),
    ({**FINE, "what": {"tag": ["x"]}}, "did you mean tags?"),
    ({**FINE, "what": {"learners": ["x"]}}, "does not speak of learners"),
    ({**FINE, "what": {"tags": "draft"}}, "is a list"),
    ({**FINE, "what": ["draft"]}, "object of lists"),
    ({**FINE, "untill": "2026-01-01"}, "did you mean until?"),
    ({**FINE, "until": "soon"}, "write it like 2026-12-18"),
    ({**FINE, "from": "2026-12-18", "until": "2026-12-17"}, "put until after from"),
    ({**FINE, "from": "2026-12-18T10:00", "until": "2026-12-18T10:00"}, "put until after from"),
    ({**FINE, "value": 2}, "takes no value"),
    ({**FINE, "strength": "firm"}, "hard or soft"),
    ({**FINE, "scope": {"class_id": "a", "group_id": "b"}}, "one scope"),
    ({**FINE, "scope": {"school": "a"}}, "is no scope"),
    ({**FINE, "scope": {"class_id": ""}}, "name one"),
    ({**FINE, "scope": "7b"}, "scope is an object"),
    ({**FINE, "language": 2}, "speaks version 1"),
    ({**FINE, "id": ""}, "stable id"),
    ({**FINE, "id": "x" * 513}, "stable id"),
    ({**FINE, "version": 0}, "whole number"),
    ({**FINE, "reason": 7}, "reason is a text"),
    ({**FINE, "created_at": "yesterday"}, "kept by the server"),
    ({"id": "r", "verb": "keep_apart", "what": {"learners": ["a", "a"]}}, "at least two different"),
    ({"id": "r", "verb": "boost", "what": {"tags": ["a"]}}, "needs a value"),
    ({"id": "r", "verb": "cap_minutes", "what": {"tags": ["a"]}, "value": {"day": 3}}, "leave what empty"),
    ("hide everything", "A rule is an object"),
    (None, "A rule is an object"),
]


@pytest.mark.parametrize(("plain", "words"), BAD)
def test_each_mistake_is_named_with_what_to_do_next(plain, words):
    found = mistakes_in(plain)
    assert len(found) == 1
    assert words in found[0]
    with pytest.raises(BadInput) as refused:
        rule_of(plain)
    assert str(refused.value) == found[0]


WRONG = {
    "factor": [0, 1, -2, 101, True, "2", None, float("nan")],
    "band": [[0.9, 0.6], [0.5, 0.5], [0.5], [-0.1, 0.5], [0.5, 1.1], 0.5, ["a", "b"], {}],
    "minutes": [{}, {"day": -1}, {"month": 3}, 30, {"day": "30"}, {"day": float("inf")}],
    "bounds": [{}, {"floor": 60, "ceiling": 10}, {"day": 3}, {"floor": -1}],
    "quotas": [
        {},
        {"min": {}},
        {"min": {"a": 2}, "max": {"a": 1}},
        {"max": {"a": 1.5}},
        {"most": {"a": 1}},
        {"min": 3},
    ],
    "share": [-0.1, 1.1, "0.5", [0.5]],
    "size": [0, -3, "5-3", "0-3", "a", "3-", 2.5, True],
    "count": [-1, 1.5, "2", True],
    "due": [{}, {"due": "soon"}, {"by": "2026-12-01"}, "2026-12-01"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_of_the_wrong_form_is_refused_with_the_right_one(form):
    verb = next(name for name, table in VERBS.items() if table.value == form)
    what = {kind: ["a", "b"] for kind in VERBS[verb].kinds[:1]}
    for value in WRONG[form]:
        found = mistakes_in({"id": "r", "verb": verb, "what": what, "value": value})
        if value is None and VERBS[verb].value_optional:
            continue
        assert len(found) == 1, value
        assert FORMS[form].write in found[0]


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


def nested(some):
    return st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3)


@given(st.recursive(leaves, nested))
def test_nothing_that_can_be_sent_breaks_the_reader(junk):
    fields = ("id", "verb", "scope", "what", "value", "strength", "from", "until", "reason", "version", "language")
    assert mistakes_in(junk)
    for name in fields:
        for verb in ("hide", "formats", "success_band", "assign", "group_size"):
            mistakes_in({"id": "r", "verb": verb, "what": {"tags": ["x"]}, name: junk})
    mistakes_in({**FINE, "what": {"tags": [junk]}})


ZURICH = ZoneInfo("Europe/Zurich")


def at(*args, zone=UTC):
    return microseconds(datetime(*args, tzinfo=zone).astimezone(UTC))


@pytest.mark.parametrize(
    ("starts", "until", "begins", "ends"),
    [
        ("2026-11-23", "2026-12-18", at(2026, 11, 22, 23), at(2026, 12, 18, 23)),
        ("2026-11-23T08:00", "2026-11-23T09:00", at(2026, 11, 23, 7), at(2026, 11, 23, 8)),
        ("2026-11-23T08:00Z", "2026-11-23T09:00-05:00", at(2026, 11, 23, 8), at(2026, 11, 23, 14)),
        ("2026-03-29", "2026-03-29", at(2026, 3, 28, 23), at(2026, 3, 29, 22)),
        ("2026-10-25", "2026-10-25", at(2026, 10, 24, 22), at(2026, 10, 25, 23)),
    ],
)
def test_dates_are_days_of_the_school_and_the_last_one_counts(starts, until, begins, ends):
    rule = rule_of({**FINE, "from": starts, "until": until}, zone=ZURICH)
    assert window(rule, ZURICH) == (begins, ends)


def test_a_time_zone_that_is_none_is_refused():
    with pytest.raises(BadInput, match="IANA"):
        zone_named("Middle/Earth")
    with pytest.raises(BadInput, match="IANA"):
        zone_named("../etc/passwd")
    assert zone_named("Europe/Zurich") == ZURICH


def test_the_schema_speaks_of_every_verb_as_the_parser_does():
    made = schema()
    assert made["properties"]["language"] == {"const": LANGUAGE}
    of_verb = {one["title"]: one for one in made["oneOf"]}
    assert set(of_verb) == set(VERBS) == set(made["properties"]["verb"]["enum"])
    for name, verb in VERBS.items():
        one = of_verb[name]["properties"]
        assert one["verb"] == {"const": name}
        assert set(one["what"]["properties"]) == set(verb.kinds) <= set(KINDS)
        assert (one["value"] == {"type": "null"}) == (verb.value is None)
        assert ("value" in of_verb[name]["required"]) == (verb.value is not None and not verb.value_optional)
    json.dumps(made)


def test_what_is_said_of_a_rule_names_no_learner():
    rule = rule_of(
        {"id": "r", "verb": "keep_apart", "scope": {"learner_id": "anna"}, "what": {"learners": ["anna", "ben"]}}
    )
    assert said(rule) == "keep 2 learners apart for one learner"
