"""Rules about people as pairs, locks and limits."""

from itertools import combinations, product
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rules.people import binding, can_group, people_of
from engine.rules.scope import Who
from engine.rules.values import size_of

UTC = ZoneInfo("UTC")
ROSTER = tuple(Who(learner_id=x, class_ids=("7b",), group_ids=g) for x, g in
               [("a", ("g1",)), ("b", ("g1",)), ("c", ("g2",)), ("d", ())])  # fmt: skip


def people(*rules, roster=ROSTER):
    return people_of(rules, roster, now_us=0, zone=UTC)


def test_pairs_are_told_once_with_the_rules_that_ask_for_them(rule):
    found = people(
        rule("x", "keep_apart", learners=["b", "a", "c"], strength="soft"),
        rule("y", "keep_apart", learners=["a", "b"]),
        rule("z", "keep_together", learners=["c", "d", "zoe"]),
    )
    assert [(p.learners, p.hard, p.rule_ids) for p in found.apart] == [
        (("a", "b"), True, ("x", "y")), (("a", "c"), False, ("x",)), (("b", "c"), False, ("x",)),
    ]  # fmt: skip
    assert [p.learners for p in found.together] == [("c", "d")]
    assert not found.may_meet("b", "a")
    assert found.may_meet("a", "c")
    assert found.conflict == ()


def test_rules_of_others_and_of_other_days_do_not_count(rule):
    found = people(
        rule("x", "keep_apart", learners=["a", "b"], scope={"class_id": "8a"}),
        rule("y", "keep_apart", learners=["a", "b"], until="1969-12-30"),
        rule("z", "keep_apart", learners=["e", "f"]),
    )
    assert found.apart == ()


def test_locks_hold_the_group_of_their_scope_or_the_one_learners_are_in(rule):
    held = people(rule("x", "lock", scope={"group_id": "g1"}), rule("y", "lock", learners=["c", "d"]),
                  rule("z", "lock", learners=["d"], scope={"group_id": "g2"}))  # fmt: skip
    assert {(lock.learner_id, lock.group_id, lock.rule_id) for lock in held.locks} == {
        ("a", "g1", "x"), ("b", "g1", "x"), ("c", "g2", "y"), ("d", "g2", "z"),
    }  # fmt: skip


def test_limits_of_the_narrowest_count_and_equals_hold_together(rule):
    found = people(
        rule("s", "group_size", value="2-6"),
        rule("t", "group_size", value="3-5", scope={"class_id": "7b"}),
        rule("u", "group_size", value="2-4", scope={"class_id": "7b"}),
        rule("h", "helper_limit", value=5),
        rule("i", "helper_limit", value=1, learners=["a"], scope={"class_id": "7b"}),
    )
    assert (found.size.low, found.size.high, found.size.rule_ids) == (3, 4, ("t", "u"))
    assert {x: limit.high for x, limit in found.helping.items()} == {"a": 1, "b": 5, "c": 5, "d": 5}


def test_contact_waits_for_whom_the_rule_holds(rule):
    assert set(people(rule("x", "approve_contact", scope={"group_id": "g1"})).approval) == {"a", "b"}
    assert people(rule("x", "approve_contact", learners=["c"])).approval == {"c": ("x",)}


def test_company_is_told_with_whom_it_is_for(rule):
    found = people(rule("x", "no_one_alone", learners=["a", "zoe", "b"]), rule("y", "no_one_alone", strength="soft"))
    assert [(c.learners, c.hard) for c in found.company] == [(("a", "b"), True), ((), False)]


pairs = st.lists(
    st.tuples(
        st.sampled_from(["keep_apart", "keep_together", "lock", "group_size"]),
        st.sets(st.sampled_from("abcd"), min_size=2, max_size=3),
        st.sampled_from(["g1", "g2"]),
    ),
    max_size=6,
)


def all_groupings(n):
    """Every way to put learners into groups 0…n-1; groups 0 and 1 are g1 and g2."""
    return product(range(n + 2), repeat=n)


def keeps(rule, where):
    named = [where[x] for x in rule.what.learners]
    if rule.verb == "keep_apart":
        return all(x != y for x, y in combinations(named, 2))
    if rule.verb == "keep_together":
        return len(set(named)) == 1
    if rule.verb == "lock":
        return all(x == {"g1": 0, "g2": 1}[rule.scope.group_id] for x in named)
    return all(list(where.values()).count(g) <= size_of(rule)[1] for g in where.values())


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_what_is_said_to_be_possible_is_what_trying_every_grouping_finds(rule, drawn):
    rules = [
        rule(f"r{i}", verb, value="1-2") if verb == "group_size" else
        rule(f"r{i}", verb, learners=sorted(names), scope={"group_id": g} if verb == "lock" else None)
        for i, (verb, names, g) in enumerate(drawn)
    ]  # fmt: skip
    everyone = [dict(zip("abcd", where, strict=True)) for where in all_groupings(4)]

    def possible(some):
        return any(all(keeps(r, where) for r in some) for where in everyone)

    known = binding(rules)
    assert can_group(ROSTER)(known) == possible(known)
    conflict = people(*rules).conflict
    assert bool(conflict) == (not possible(known))
    by_id = {r.rule_id: r for r in known}
    named = [by_id[x] for x in conflict]
    assert not named or not possible(named)
    assert all(possible(few) for size in range(len(named)) for few in combinations(known, size))
