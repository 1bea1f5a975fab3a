"""Whatever keeps the audit must pass this: one chain, in the transaction of each change, that shows any tampering."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from engine.domain.errors import Unavailable
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from engine.domain.skill import Skill
from serving.auditing import verify
from serving.storage.acts import COMMAND, Act, Change, Entry, Wanted
from serving.storage.chain import ROOT, Verified, hash_of, linked
from serving.storage.database import connected
from serving.storage.port import KeptRule, Key
from tests.contracts.test_store import T0, Room, opened
from tests.servers import drop_database, new_database

ACT = Act(at=T0, actor="0123456789ab", author="Ms Bérg", reason="unit test on the 18th")
RULE = Change(action="rule.create", kind="rule", object_id="r1", scope={"class_id": "7b"}, after={"verb": "hide"})
ALL = Wanted()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}"
        return
    postgres = request.getfixturevalue("postgres")
    made = new_database(postgres)
    yield made
    drop_database(postgres, made)


@pytest.fixture(scope="module")
def open_room(url: str) -> Iterator[Room]:
    with opened(url) as found:
        yield found


@pytest.fixture
def room(open_room: Room) -> Room:
    open_room.move()
    return open_room


def found(room: Room, wanted: Wanted = ALL, *, before: int | None = None, limit: int = 100) -> list[Entry]:
    return room.run(room.store.audit.entries(room.t, wanted, before=before, limit=limit))


def walked(room: Room, kept: str | None = None) -> Verified:
    return room.run(verify(room.t, room.store.audit, kept=kept))


def written(room: Room, n: int = 5) -> list[Entry]:
    for i in range(n):
        change = replace(RULE, object_id=f"r{i}", about=(("learner", "lena"),) if i == 2 else ())
        room.run(room.store.audit.append(room.t, ACT, change))
    return found(room)[::-1]


def forced(url: str, *statements: str) -> None:
    """What somebody does who has the database itself, and takes the guards away first."""

    async def act() -> None:
        async with connected(url) as database, database.writing() as connection:
            if database.dialect == "sqlite":
                named = await connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
                guards = named.all()
                for name, _ in guards:
                    await connection.execute(text(f"DROP TRIGGER {name}"))
                for statement in statements:
                    await connection.execute(text(statement))
                for _, sql in guards:
                    await connection.execute(text(sql))
                return
            for change in ("DISABLE", "ENABLE"):
                for table in ("audit", "audit_contents"):
                    await connection.execute(text(f"ALTER TABLE {table} {change} TRIGGER ALL"))
                for statement in statements if change == "DISABLE" else ():
                    await connection.execute(text(statement))

    asyncio.run(act())


def test_an_entry_says_who_changed_what_for_whom_when_and_why(room: Room) -> None:
    room.run(room.store.audit.append(room.t, ACT, RULE, replace(RULE, action="rule.update", before={"é": [1, None]})))
    second, first = found(room)
    assert (first.seq, first.actor, first.action, first.kind) == (1, ACT.actor, "rule.create", "rule")
    assert first.content is not None
    told = '{"author":"Ms Bérg","object_id":"r1","reason":"unit test on the 18th","scope":{"class_id":"7b"}}'
    assert (first.content.told, first.content.before, first.content.after) == (told, None, '{"verb":"hide"}')
    assert (first.previous, second.previous) == (ROOT, first.hash)
    assert second.content is not None
    assert second.content.before == '{"é":[1,null]}'
    assert second.content.salt != first.content.salt
    assert walked(room) == Verified(entries=2, erased=0, head=second.hash, broken=None)
    assert room.run(room.store.audit.head(room.t)) == (2, second.hash)
    assert room.run(room.store.audit.head(room.u)) == (0, ROOT)


def test_the_same_act_twice_has_other_hashes_so_that_nothing_can_be_guessed(room: Room) -> None:
    room.run(room.store.audit.append(room.t, ACT, RULE, RULE))
    assert len({e.told_hash for e in found(room)}) == len({e.after_hash for e in found(room)}) == 2


def test_entries_are_found_by_what_they_speak_of_and_by_whom_in_pages(room: Room) -> None:
    written(room)
    other = replace(ACT, actor=COMMAND)
    room.run(room.store.audit.append(room.t, other, replace(RULE, scope={"learner_id": "lena"})))
    room.run(room.store.audit.append(room.t, other, Change(action="learner.put", kind="learner", object_id="lena")))
    assert [e.seq for e in found(room)] == [7, 6, 5, 4, 3, 2, 1]
    assert [e.seq for e in found(room, Wanted(learner_id="lena"))] == [7, 6, 3]
    assert [e.seq for e in found(room, Wanted(kind="rule", object_id="r1"))] == [6, 2]
    assert [e.seq for e in found(room, Wanted(object_id="r1"))] == [6, 2]
    assert [e.seq for e in found(room, Wanted(kind="learner"))] == [7]
    assert [e.seq for e in found(room, Wanted(actor=COMMAND, learner_id="lena"), before=7)] == [6]
    assert [e.seq for e in found(room, before=6, limit=2)] == [5, 4]
    assert [e.seq for e in room.run(room.store.audit.after(room.t, 2, 3))] == [3, 4, 5]
    assert room.t in room.run(room.store.audit.tenants())


def test_appends_at_once_stay_one_chain(room: Room, url: str) -> None:
    async def many() -> None:
        audit = room.store.audit
        await asyncio.gather(*(audit.append(room.t, ACT, RULE, replace(RULE, object_id=str(i))) for i in range(12)))

    # Another server on the same database.
    with opened(url) as other:
        room.run(many())
        other.run(other.store.audit.append(room.t, ACT, RULE))

        async def together() -> None:
            await asyncio.gather(*(room.store.audit.append(room.t, ACT, RULE) for _ in range(8)))

        room.run(together())
    assert walked(room).entries == 33
    assert walked(room).broken is None


def test_keys_resources_and_people_are_audited_with_what_they_were_before(room: Room) -> None:
    store = room.store
    key = Key(key_id=f"k-{room.t}", tenant=room.t, scopes=("read",), secret_hash="s3cret", created_at=T0)
    room.run(store.keys.add(key))
    for _ in range(2):
        room.run(store.keys.revoke(room.t, key.key_id, T0 + timedelta(hours=1), act=ACT))
    a, b = Resource(resource_id="a", title="A"), Resource(resource_id="b", title="B")
    for _ in range(2):
        room.run(store.catalogue.sync_resources(room.t, [a, b], at=T0, act=ACT))
    room.run(store.catalogue.sync_resources(room.t, [b], at=T0, act=ACT, dry_run=True))
    room.run(store.catalogue.sync_resources(room.t, [replace(b, title="new")], at=T0, act=ACT))
    room.run(store.catalogue.put_resources(room.t, [a], act=ACT))
    room.run(store.catalogue.put_skills(room.t, [Skill(skill_id="s", title="S")], act=ACT))
    for learner in (
        Learner(learner_id="lena"),
        Learner(learner_id="lena"),
        Learner(learner_id="lena", classes=("7b",)),
    ):
        room.run(store.people.put_learners(room.t, [learner], act=ACT))
    room.run(store.people.put_classes(room.t, [SchoolClass(class_id="7b")], act=ACT))
    # Without an act nothing is told: a copy that is restored is no change.
    room.run(store.people.put_classes(room.t, [SchoolClass(class_id="8a")]))
    entries = found(room)[::-1]
    assert [(e.action, e.actor) for e in entries] == [
        ("key.create", COMMAND),
        *((action, ACT.actor) for action in (
            "key.revoke", "catalogue.sync", "catalogue.sync", "resource.put", "skill.put", "learner.put", "learner.put",
            "class.put",
        )),
    ]  # fmt: skip
    assert "s3cret" not in repr([(e.content.told, e.content.after) for e in entries if e.content])
    sync, learner = entries[3].content, entries[7].content
    assert sync is not None
    assert learner is not None
    assert '"title":"B"' in str(sync.before)
    assert '"title":"A"' in str(sync.before)
    assert '"title":"new"' in str(sync.after)
    assert '"a"' not in str(sync.after)
    assert ('"classes":[]' in str(learner.before), '"classes":["7b"]' in str(learner.after)) == (True, True)
    assert [e.seq for e in found(room, Wanted(kind="catalogue", object_id="resources"))] == [4, 3]
    assert [e.seq for e in found(room, Wanted(object_id="a"))] == [5, 4, 3]
    assert walked(room).broken is None


def kept_rule(version: int, *, action: str = "created") -> KeptRule:
    record = '{"id": "x", "reason": "too loud", "verb": "keep_apart", "what": {"learners": ["kim", "noor"]}}'
    at = T0 + timedelta(minutes=version)
    return KeptRule(
        rule_id="x", origin="rule", verb="keep_apart", scope=("class_id", "7b"), version=version, record=record,
        created_at=T0, at=at, action=action, author="Ms Berg", ended_at=at if action == "ended" else None,
    )  # fmt: skip


def test_each_version_of_a_rule_is_audited_for_those_it_names_and_one_that_came_late_is_not(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = room.store.rules
    assert room.run(rules.put(room.t, kept_rule(1), seen=0, act=ACT))
    assert not room.run(rules.put(room.t, kept_rule(2), seen=0, act=ACT))
    assert room.run(rules.put(room.t, kept_rule(2, action="ended"), seen=1))
    second, first = found(room)
    assert [(e.action, e.kind, e.actor) for e in (first, second)] == [
        ("rule.created", "rule", ACT.actor),
        ("rule.ended", "rule", COMMAND),
    ]
    assert first.content is not None
    assert second.content is not None
    assert '"scope":{"class_id":"7b"}' in first.content.told
    assert ('"author":"Ms Berg"' in second.content.told, '"reason":"too loud"' in second.content.told) == (True, True)
    assert second.content.before == first.content.after
    assert '"ended_at":"2026' in str(second.content.after)
    assert [e.seq for e in found(room, Wanted(learner_id="noor"))] == [2, 1]
    assert [e.seq for e in found(room, Wanted(kind="rule", object_id="x"))] == [2, 1]

    def breaks(*_: Any) -> None:
        raise RuntimeError("no room left")

    monkeypatch.setattr("serving.storage.rules.write_entries", breaks)
    with pytest.raises(RuntimeError):
        room.run(rules.put(room.t, kept_rule(3), seen=2, act=ACT))
    assert room.run(rules.standing(room.t)).version == 2
    assert len(room.run(rules.versions(room.t, "x"))) == 2


def test_a_change_that_fails_leaves_no_entry_and_an_entry_that_fails_no_change(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Key(key_id=f"k-{room.t}", tenant=room.t, scopes=("read",), secret_hash="x", created_at=T0)
    room.run(room.store.keys.add(key))
    with pytest.raises(Unavailable):
        room.run(room.store.keys.add(key))
    assert len(found(room)) == 1

    def breaks(*_: Any) -> None:
        raise RuntimeError("no room left")

    for module in ("keys", "catalogue", "records"):
        monkeypatch.setattr(f"serving.storage.{module}.write_entries", breaks)
    with pytest.raises(RuntimeError):
        room.run(room.store.people.put_learners(room.t, [Learner(learner_id="lena")], act=ACT))
    with pytest.raises(RuntimeError):
        room.run(room.store.catalogue.sync_resources(room.t, [Resource(resource_id="a", title="A")], at=T0, act=ACT))
    with pytest.raises(RuntimeError):
        room.run(room.store.keys.revoke(room.t, key.key_id, T0))
    assert room.run(room.store.people.learners(room.t)) == []
    assert room.run(room.store.catalogue.resources(room.t)) == []
    assert room.run(room.store.keys.of_tenant(room.t)) == [key]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'x' WHERE tenant = '{t}'",
        "DELETE FROM audit WHERE tenant = '{t}'",
        "UPDATE audit_contents SET told = 'x' WHERE tenant = '{t}'",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE tenant = '{t}'",
        "INSERT OR REPLACE INTO audit_contents SELECT * FROM audit_contents WHERE tenant = '{t}'",
        "TRUNCATE audit",
        "TRUNCATE audit_contents",
    ],
)
def test_the_database_itself_refuses_to_change_what_stands(room: Room, url: str, statement: str) -> None:
    dialect = "REPLACE" if url.startswith("postgres") else "TRUNCATE"
    if dialect in statement:
        pytest.skip("the other database's way to say it")
    entries = written(room, 2)

    async def act() -> None:
        async with connected(url) as database, database.writing() as connection:
            await connection.execute(text(statement.format(t=room.t)))

    with pytest.raises(Unavailable):
        asyncio.run(act())
    assert found(room)[::-1] == entries


@pytest.mark.parametrize(
    ("statements", "seq", "what"),
    [
        (["UPDATE audit_contents SET after = '{{}}' WHERE {mine} AND seq = 3"], 3, "content (after)"),
        (["UPDATE audit_contents SET told = '{{}}' WHERE {mine} AND seq = 2"], 2, "content (told)"),
        (["UPDATE audit_contents SET before = '1' WHERE {mine} AND seq = 5"], 5, "content (before)"),
        (["UPDATE audit_contents SET salt = '00' WHERE {mine} AND seq = 5"], 5, "content (told)"),
        (["UPDATE audit SET actor = 'somebody' WHERE {mine} AND seq = 4"], 4, "facts"),
        (["UPDATE audit SET at_us = at_us + 1 WHERE {mine} AND seq = 1"], 1, "facts"),
        (["DELETE FROM audit WHERE {mine} AND seq = 3"], 3, "missing"),
        (["DELETE FROM audit WHERE {mine} AND seq = 1"], 1, "missing"),
        (["DELETE FROM audit_contents WHERE {mine} AND seq = 3"], 3, "content is gone"),
        (
            [
                "UPDATE audit SET seq = 99 WHERE {mine} AND seq = 2",
                "UPDATE audit SET seq = 2 WHERE {mine} AND seq = 3",
                "UPDATE audit SET seq = 3 WHERE {mine} AND seq = 99",
            ],
            2,
            "follow",
        ),
        (["UPDATE audit SET previous = hash WHERE {mine} AND seq = 4"], 4, "follow"),
    ],
)
def test_tampering_is_found_at_the_first_entry_it_touched(
    room: Room, url: str, statements: list[str], seq: int, what: str
) -> None:
    written(room)
    forced(url, *(s.format(mine=f"tenant = '{room.t}'") for s in statements))
    broken = walked(room).broken
    assert broken is not None
    assert (broken.seq, what in broken.what) == (seq, True), broken


def test_a_chain_that_was_cut_off_or_forged_anew_is_found_by_a_head_that_was_kept(room: Room, url: str) -> None:
    entries = written(room)
    kept = entries[-1].hash
    room.run(room.store.audit.append(room.t, ACT, RULE))
    # It has grown since, and the head that was kept is still in it.
    assert walked(room, kept).broken is None
    assert walked(room, "f" * 64).broken is not None
    mine = f"tenant = '{room.t}'"
    forced(url, *(f"DELETE FROM {t} WHERE {mine} AND seq >= 5" for t in ("audit", "audit_contents")))
    assert walked(room).broken is None
    broken = walked(room, kept).broken
    assert broken is not None
    assert (broken.seq, "cut off" in broken.what) == (5, True)
    # Forged as a whole, every hash made anew.
    forged = linked(room.t, 1, ROOT, replace(ACT, actor="other"), RULE, salt="ab")
    forced(
        url,
        *(f"DELETE FROM {t} WHERE {mine}" for t in ("audit", "audit_contents")),
    )
    assert forged.hash == hash_of(forged)
    assert walked(room, kept).broken is not None
    assert walked(room, ROOT).broken is None


def test_what_speaks_of_a_learner_is_erased_and_the_chain_stays_whole(room: Room, url: str) -> None:
    written(room)
    room.run(room.store.audit.append(room.t, ACT, replace(RULE, scope={"learner_id": "lena"}, after={"x": "lena"})))
    act = Act(at=T0, actor=COMMAND, reason="erased on request")
    assert room.run(room.store.audit.erase(room.t, "nobody", act)) == 0
    assert room.run(room.store.audit.erase(room.t, "lena", act)) == 2
    assert [e.content is None for e in found(room)[::-1]] == [False, False, True, False, False, True, False]
    assert found(room, Wanted(learner_id="lena")) == []
    assert "lena" not in repr([(e.content.told, e.content.after) for e in found(room) if e.content])
    told = walked(room)
    assert (told.entries, told.erased, told.broken) == (7, 2, None)
    assert room.run(room.store.audit.erase(room.t, "lena", act)) == 0
    # Nobody can hide a deletion behind the erasure of others.
    forced(url, f"DELETE FROM audit_contents WHERE tenant = '{room.t}' AND seq = 4")
    broken = walked(room).broken
    assert broken is not None
    assert broken.seq == 4


def test_many_entries_at_once_are_kept_and_erased(room: Room) -> None:
    people = [Learner(learner_id=f"l{i}") for i in range(1_200)]
    room.run(room.store.people.put_learners(room.t, people, act=ACT))
    assert walked(room).entries == 1_200
    room.run(room.store.audit.append(room.t, ACT, replace(RULE, about=tuple(("learner", f"l{i}") for i in range(600)))))
    assert room.run(room.store.audit.erase(room.t, "l7", ACT)) == 2
    assert walked(room) == replace(walked(room), entries=1_202, erased=2, broken=None)
