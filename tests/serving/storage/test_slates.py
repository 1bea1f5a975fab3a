"""What is written of a slate and its rules in few bytes is read back as it was decided."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.decision import Decision, NearTie, Option, RuleHeld
from serving.storage.migrations.in_full import rules_in_full, slots_in_full
from serving.storage.slates import rules_of, rules_text, slots_of, slots_text

NAMES = st.text('abcé"', min_size=1, max_size=3)
SCORES = st.floats(-1e6, 1e6)
CHANCES = st.sampled_from([0.0, 0.25, 1.0])
TIES = st.lists(st.builds(NearTie, resource_id=NAMES, score=SCORES, propensity=CHANCES), max_size=5).map(tuple)
OPTIONS = st.lists(
    st.builds(
        Option,
        resource_id=NAMES, title=st.just("t"), format=st.just("f"), rank=st.integers(1, 9), score=SCORES,
        propensity=CHANCES, p_success=st.none(), expected_minutes=st.none(), reasons=st.just(()), near_ties=TIES,
        origin=st.sampled_from(["model", "teacher"]),
    ),
    max_size=4,
).map(tuple)  # fmt: skip
RULES = st.lists(
    st.builds(RuleHeld, rule_id=NAMES, held=st.booleans(), effect=st.sampled_from(["took out 2", "left"]), verb=NAMES),
    max_size=6,
).map(tuple)


def decided(slate: tuple[Option, ...] = (), rules: tuple[RuleHeld, ...] = ()) -> Decision:
    return Decision(
        decision_id="d", learner_id="l", at=datetime(2026, 1, 1, tzinfo=UTC), mode="cold", bundle="b",
        catalogue_hash="c", class_id=None, slate=slate, rules=rules,
    )  # fmt: skip


def in_full(slate: tuple[Option, ...]) -> list[Any]:
    """As it was written before revision 0009."""
    return [(o.rank, o.resource_id, o.score, o.propensity, o.origin, o.near_ties) for o in slate]


@given(slate=OPTIONS)
def test_a_slate_is_read_as_it_was_decided(slate: tuple[Option, ...]) -> None:
    text = slots_text(decided(slate))
    assert [msgspec.structs.astuple(s) for s in slots_of(text)] == in_full(slate)
    before = msgspec.json.encode(in_full(slate)).decode()
    assert slots_of(before) == slots_of(text) == slots_of(slots_in_full(text))
    assert slots_in_full(before) == before


@given(rules=RULES)
def test_rules_are_read_in_their_order(rules: tuple[RuleHeld, ...]) -> None:
    text = rules_text(decided(rules=rules))
    assert rules_of(text) == rules
    before = msgspec.json.encode(rules).decode()
    assert rules_of(before) == rules == rules_of(rules_in_full(text))
    assert rules_in_full(before) == before


def test_what_is_said_many_times_is_written_once() -> None:
    ties = tuple(NearTie(resource_id=f"r{i:06d}", score=i / 7, propensity=0.0) for i in range(10))
    option = Option(
        resource_id="r000001", title="t", format="f", rank=1, score=1 / 7, propensity=1.0, p_success=None,
        expected_minutes=None, reasons=(), near_ties=ties,
    )  # fmt: skip
    rules = tuple(
        RuleHeld(rule_id=f"r{i:02d}", held=True, effect="took out 20 resources", verb="hide") for i in range(20)
    )
    made = decided((option,) * 5, rules)
    assert len(slots_text(made)) < len(msgspec.json.encode(in_full(made.slate))) / 5
    assert len(rules_text(made)) < len(msgspec.json.encode(rules)) / 5
