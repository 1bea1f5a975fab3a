"""Whatever stores teachers' rules must pass this."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.domain.decision import Decision, RuleHeld
from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from serving.storage.port import KeptRule, RuleStore, Standing
from tests.servers import drop_database, new_database

T0 = datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)
RULE = KeptRule(
    rule_id="no-drafts",
    origin="rule",
    verb="hide",
    scope=("class_id", "7b"),
    version=1,
    record='{"id":"no-drafts"}',
    created_at=T0,
    at=T0,
    action="created",
    author="k1",
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('rules') / 'store.db'}"
        return
    postgres = request.getfixturevalue("postgres")
    made = new_database(postgres)
    yield made
    drop_database(postgres, made)


class Room:
    def __init__(self, runner: asyncio.Runner, store) -> None:
        self.run, self.store = runner.run, store
        self.rules: RuleStore = store.rules

    def standing(self, tenant: str) -> Standing:
        return self.run(self.rules.standing(tenant))

    def put(self, tenant: str, rule: KeptRule, **more) -> bool:
        return self.run(self.rules.put(tenant, rule, **{"seen": self.standing(tenant).version, **more}))


@pytest.fixture(scope="module")
def open_room(url: str) -> Iterator[Room]:
    with asyncio.Runner() as runner:
        context = open_store(url)
        store = runner.run(context.__aenter__())
        yield Room(runner, store)
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def t(request: pytest.FixtureRequest) -> str:
    return request.node.name[:60]


def test_a_rule_comes_back_as_it_went_in_with_every_version_of_it(open_room: Room, t: str) -> None:
    room = open_room
    assert room.standing(t) == Standing(version=0, catalogue_version=0, rules=(), frozen={})
    assert room.put(t, RULE)
    changed = replace(
        RULE, version=2, record='{"id":"no-drafts","x":1}', at=T0 + timedelta(hours=1), action="changed", author="k2"
    )
    assert room.put(t, changed)
    assert room.run(room.rules.find(t, "no-drafts")) == changed
    assert room.run(room.rules.find(t, "other")) is None
    assert room.run(room.rules.versions(t, "no-drafts")) == [RULE, changed]
    assert room.standing(t) == Standing(version=2, catalogue_version=0, rules=(changed,), frozen={})
    assert room.standing("elsewhere").rules == ()


def test_what_was_ended_stands_no_more_and_is_remembered(open_room: Room, t: str) -> None:
    room = open_room
    room.put(t, RULE)
    room.put(t, replace(RULE, version=2, action="ended", ended_at=T0 + timedelta(days=1)))
    assert room.standing(t) == Standing(version=2, catalogue_version=0, rules=(), frozen={})
    ended = room.run(room.rules.find(t, "no-drafts"))
    assert (ended.ended_at, ended.version) == (T0 + timedelta(days=1), 2)
    assert [v.action for v in room.run(room.rules.versions(t, "no-drafts"))] == ["created", "ended"]


def test_who_looked_at_older_rules_changes_nothing(open_room: Room, t: str) -> None:
    room = open_room
    assert room.put(t, RULE)
    late = replace(RULE, rule_id="late")
    assert not room.put(t, late, seen=0)
    assert room.standing(t) == Standing(version=1, catalogue_version=0, rules=(RULE,), frozen={})
    assert room.run(room.rules.versions(t, "late")) == []
    assert room.put(t, late, seen=1)


def test_of_many_at_once_exactly_one_goes_through(open_room: Room, t: str) -> None:
    room = open_room

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(room.rules.put(t, replace(RULE, rule_id=f"r{i}"), seen=0) for i in range(6)))

    assert sorted(room.run(all_at_once())) == [False] * 5 + [True]
    assert len(room.standing(t).rules) == 1


def test_pages_go_by_id_and_know_scope_verb_and_origin(open_room: Room, t: str) -> None:
    room = open_room
    for i in range(5):
        room.put(t, replace(RULE, rule_id=f"r{i}", scope=("class_id", "7b") if i % 2 else ("tenant", "")))
    room.put(t, replace(RULE, rule_id="pin", verb="pin"))
    room.put(t, replace(RULE, rule_id="override-1", origin="override"))

    def page(after: str = "", limit: int = 10, **more) -> list[str]:
        wanted = {"origin": "rule", "scope": None, "verb": None} | more
        return [r.rule_id for r in room.run(room.rules.page(t, after=after, limit=limit, **wanted))]

    assert page(limit=2) == ["pin", "r0"]
    assert page(after="r0", limit=2) == ["r1", "r2"]
    assert page(scope=("class_id", "7b")) == ["pin", "r1", "r3"]
    assert page(scope=("class_id", "7b"), verb="hide") == ["r1", "r3"]
    assert page(origin="override") == ["override-1"]


def test_frozen_paths_go_with_their_rule(open_room: Room, t: str) -> None:
    room = open_room
    freeze = replace(RULE, rule_id="freeze", verb="freeze_path")
    room.put(t, freeze, frozen={"lena": ("r1", "r2"), "Ünal 🎒": ()})
    assert room.standing(t).frozen == {"freeze": {"lena": ("r1", "r2"), "Ünal 🎒": ()}}
    # A change that says nothing of paths leaves them, another takes their place.
    room.put(t, replace(freeze, version=2))
    assert room.standing(t).frozen["freeze"]["lena"] == ("r1", "r2")
    room.put(t, replace(freeze, version=3), frozen={"lena": ("r3",)})
    assert room.standing(t).frozen == {"freeze": {"lena": ("r3",)}}
    room.put(t, replace(freeze, version=4, ended_at=T0))
    assert room.standing(t).frozen == {}


def test_every_look_at_a_learner_tells_the_version_of_the_rules(open_room: Room, t: str) -> None:
    room = open_room
    assert room.run(room.store.events.context(t, "lena")).rules_version == 0
    room.put(t, RULE)
    assert room.run(room.store.events.context(t, "lena")).rules_version == 1
    room.put(t, replace(RULE, version=2))
    seen = room.run(room.store.events.contexts(t, ["lena", "kim"]))
    assert {c.rules_version for c in seen.values()} == {2}


def test_where_learners_were_met_is_told_in_the_order_they_were_met(open_room: Room, t: str) -> None:
    room = open_room

    def told(n: int, learner_id: str, class_id: str | None, group_id: str | None) -> None:
        event = Interaction(
            event_id=f"e{n}", learner_id=learner_id, kind="viewed", source="t", resource_id="r", class_id=class_id,
            group_id=group_id,
        )  # fmt: skip
        room.run(room.store.events.append(t, [event]))

    for n, where in enumerate(
        [("lena", "7b", "red"), ("lena", "7b", "blue"), ("kim", None, None), ("lena", "7b", "red")]
    ):
        told(n, *where)
    met = room.run(room.store.people.met(t))
    assert [(m.learner_id, m.class_id, m.group_id) for m in met] == [
        ("lena", "7b", "blue"), ("kim", None, None), ("lena", "7b", "red"),
    ]  # fmt: skip


def test_what_rules_did_is_kept_with_the_decision(open_room: Room, t: str) -> None:
    room = open_room
    held = RuleHeld(rule_id="no-drafts", held=True, effect="took out 3 candidates")
    made = Decision(
        decision_id="d1", learner_id="lena", at=T0, mode="cold", bundle="b", catalogue_hash="c", class_id=None,
        slate=(), rules=(held,),
    )  # fmt: skip
    room.run(room.store.decisions.record(t, made))
    assert room.run(room.store.decisions.after(t, 0, 5))[0].rules == (held,)


def test_a_store_is_what_it_was_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"

    async def opened(work):
        async with open_store(url) as store:
            return await work(store.rules)

    assert asyncio.run(opened(lambda rules: rules.put("t", RULE, seen=0, frozen={"lena": ("r1",)})))
    standing = asyncio.run(opened(lambda rules: rules.standing("t")))
    assert standing == Standing(version=1, catalogue_version=0, rules=(RULE,), frozen={"no-drafts": {"lena": ("r1",)}})
