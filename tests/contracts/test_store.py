"""Whatever stores what schools tell must pass this."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from engine.domain.decision import Decision, NearTie, Option
from engine.domain.errors import BadInput, Unavailable
from engine.domain.interaction import Interaction
from engine.domain.learner import Learner, SchoolClass
from engine.domain.resource import Resource
from engine.domain.skill import Skill
from serving.storage.opening import open_store
from serving.storage.port import Claim, KeptAnswer, KeptState, Key, Store
from tests.servers import drop_database, new_database

TENANTS = itertools.count()
T0 = datetime(2026, 9, 1, 8, 30, 0, 123456, tzinfo=UTC)
FULL = Interaction(
    event_id="e1",
    learner_id="lena",
    kind="attempted",
    source="app",
    resource_id="r/1",
    at=T0,
    order=3,
    outcome=0.5,
    duration_s=12.25,
    item_id="i1",
    skills=("a", "b"),
    class_id="7b",
    decision_id="d1",
    with_learner_ids=(),
    group_id="g",
    value='{"x": 1}',
    voids="e0",
)
BARE = Interaction(event_id="e2", learner_id="Ünal 🎒", kind="viewed", source="app", resource_id="r2")


IMPLEMENTATIONS = ["sqlite", "postgres", "sqlite-redis", "postgres-redis"]


class Room:
    """A store, the loop it lives in, and two tenants that nobody used before."""

    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        self.run = runner.run
        self.store = store
        self.move()

    def move(self) -> None:
        self.t, self.u = f"t{next(TENANTS)}", f"t{next(TENANTS)}"


@contextmanager
def opened(url: str) -> Iterator[Room]:
    """The store at this address; behind a `|`, the Redis it shares copies in."""
    with asyncio.Runner() as runner:
        database, _, redis = url.partition("|")
        context = open_store(database, redis_url=redis)
        store = runner.run(context.__aenter__())
        try:
            yield Room(runner, store)
        finally:
            runner.run(context.__aexit__(None, None, None))


@pytest.fixture(scope="module", params=IMPLEMENTATIONS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    kind, _, shared = request.param.partition("-")
    redis = "|" + request.getfixturevalue("valkey") if shared else ""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}{redis}"
        return
    postgres = request.getfixturevalue("postgres")
    made = new_database(postgres)
    yield made + redis
    drop_database(postgres, made)


@pytest.fixture(scope="module")
def open_room(url: str) -> Iterator[Room]:
    with opened(url) as found:
        yield found


@pytest.fixture
def room(open_room: Room) -> Room:
    open_room.move()
    return open_room


def everything(room: Room, tenant: str) -> list[Interaction]:
    return [event for _, event in room.run(room.store.events.after(tenant, 0, 1000))]


def test_events_come_back_as_they_went_in_and_in_order(room: Room) -> None:
    kept = room.run(room.store.events.append(room.t, [FULL, BARE]))
    assert (kept.accepted, kept.duplicates, kept.rejected) == (2, 0, ())
    assert everything(room, room.t) == [FULL, BARE]
    assert kept.seq == room.run(room.store.events.after(room.t, 0, 10))[-1][0]


def test_the_same_event_again_is_a_duplicate_and_other_content_is_refused_with_its_place(room: Room) -> None:
    room.run(room.store.events.append(room.t, [FULL, BARE]))
    again = room.run(
        room.store.events.append(
            room.t, [structs.replace(FULL, kind="viewed"), BARE, structs.replace(BARE, event_id="e3")]
        )
    )
    assert (again.accepted, again.duplicates) == (1, 1)
    assert [index for index, _ in again.rejected] == [0]
    assert everything(room, room.t)[0] == FULL


@pytest.mark.parametrize(
    "other",
    [
        structs.replace(FULL, learner_id="x"),
        structs.replace(FULL, resource_id="x"),
        structs.replace(FULL, at=T0 + timedelta(microseconds=1)),
        structs.replace(FULL, order=4),
        structs.replace(FULL, outcome=0.75),
        structs.replace(FULL, duration_s=None),
        structs.replace(FULL, skills=("a",)),
        structs.replace(FULL, with_learner_ids=None),
        structs.replace(FULL, value=None),
        structs.replace(FULL, voids=None),
    ],
)
def test_any_difference_in_content_is_seen(room: Room, other: Interaction) -> None:
    room.run(room.store.events.append(room.t, [FULL]))
    assert len(room.run(room.store.events.append(room.t, [other])).rejected) == 1


def test_an_event_without_a_time_gets_the_stamp_and_may_be_sent_again_later(room: Room) -> None:
    room.run(room.store.events.append(room.t, [BARE], stamp=T0))
    again = room.run(room.store.events.append(room.t, [BARE], stamp=T0 + timedelta(hours=1)))
    assert again.duplicates == 1
    assert everything(room, room.t) == [structs.replace(BARE, at=T0)]
    assert room.run(room.store.events.append(room.t, [structs.replace(BARE, at=T0)])).duplicates == 1


def test_an_id_twice_in_one_batch_counts_once(room: Room) -> None:
    kept = room.run(room.store.events.append(room.t, [FULL, FULL, structs.replace(FULL, kind="viewed")]))
    assert (kept.accepted, kept.duplicates, [i for i, _ in kept.rejected]) == (1, 1, [2])


def test_appends_at_once_lose_nothing_and_keep_each_event_once(room: Room) -> None:
    async def all_at_once() -> list[int]:
        batches = [[structs.replace(BARE, event_id=f"e{i}") for i in range(n, n + 6)] for n in range(12)]
        kept = await asyncio.gather(*(room.store.events.append(room.t, batch) for batch in batches))
        return [k.accepted for k in kept]

    assert sum(room.run(all_at_once())) == 17
    assert sorted(e.event_id for e in everything(room, room.t)) == sorted(f"e{i}" for i in range(17))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=4))
def test_however_events_are_cut_into_batches_and_repeated_the_log_is_the_same(
    room: Room, batches: list[list[int]]
) -> None:
    room.move()
    fates = [0, 0]
    for batch in batches:
        kept = room.run(room.store.events.append(room.t, [structs.replace(FULL, event_id=f"e{i}") for i in batch]))
        fates[0] += kept.accepted
        fates[1] += kept.duplicates
        assert kept.rejected == ()
    sent = [i for batch in batches for i in batch]
    assert [e.event_id for e in everything(room, room.t)] == [f"e{i}" for i in dict.fromkeys(sent)]
    assert fates == [len(set(sent)), len(sent) - len(set(sent))]


def test_pages_hang_together_without_a_gap(room: Room) -> None:
    events = [structs.replace(BARE, event_id=f"e{i}") for i in range(7)]
    room.run(room.store.events.append(room.t, events))
    found, seq = [], 0
    while page := room.run(room.store.events.after(room.t, seq, 3)):
        assert len(page) <= 3
        found += [event for _, event in page]
        seq = page[-1][0]
    assert found == events


def test_the_context_of_a_learner_is_theirs_alone(room: Room) -> None:
    people, events = room.store.people, room.store.events
    lena = Learner(learner_id="lena", classes=("7b",), features=("grade-7",))
    classes = [SchoolClass(class_id="7b", starts_at=T0), SchoolClass(class_id="8a"), SchoolClass(class_id="9c")]
    room.run(people.put_learners(room.t, [lena]))
    room.run(people.put_classes(room.t, classes))
    seq = room.run(events.append(room.t, [FULL, BARE])).seq
    context = room.run(events.context(room.t, "lena", "8a"))
    assert context.learner == lena
    assert (list(context.interactions), list(context.arrived), context.state) == ([FULL], [seq - 1], None)
    assert context.classes == {"7b": classes[0], "8a": classes[1]}
    assert context.seq == seq
    nobody = room.run(events.context(room.t, "nobody"))
    assert (nobody.learner, list(nobody.interactions), nobody.classes) == (None, [], {})


def test_the_contexts_of_many_are_those_of_each(room: Room) -> None:
    people, events = room.store.people, room.store.events
    lena = Learner(learner_id="lena", classes=("7b", "9c"))
    room.run(people.put_learners(room.t, [lena, Learner(learner_id="kim", classes=("8a",))]))
    room.run(people.put_classes(room.t, [SchoolClass(class_id=c, starts_at=T0) for c in ("7b", "8a", "9c", "1a")]))
    late = structs.replace(FULL, event_id="late", at=T0 + timedelta(days=1))
    room.run(events.append(room.t, [late, BARE, FULL, structs.replace(BARE, event_id="e9", learner_id="stranger")]))
    room.run(
        room.store.states.put_all(
            room.t, {"lena": KeptState(seq=1, content=b"l"), "kim": KeptState(seq=0, content=b"")}
        )
    )
    asked = ["nobody", BARE.learner_id, "lena", "kim", "lena"]
    found = room.run(events.contexts(room.t, asked, "1a"))
    assert list(found) == asked[:4]
    assert found == {x: room.run(events.context(room.t, x, "1a")) for x in asked}
    assert [e.event_id for e in found["lena"].interactions] == ["late", "e1"]
    assert room.run(events.contexts(room.t, [])) == {}
    assert found["kim"].state == KeptState(seq=0, content=b"")
    assert room.run(events.contexts(room.u, ["lena"]))["lena"].learner is None


def test_members_of_a_class_are_those_told_of_and_those_met_in_it(room: Room) -> None:
    people, strange = room.store.people, 'a"%_\\ é'
    told = [Learner(learner_id="b", classes=("7b",)), Learner(learner_id="x", classes=("7bb",), features=("7b",))]
    room.run(people.put_learners(room.t, [*told, Learner(learner_id="s", classes=(strange,))]))
    met = [structs.replace(FULL, event_id=f"{i}", learner_id=x) for i, x in enumerate(("c", "a", "c", "b"))]
    room.run(room.store.events.append(room.t, [*met, BARE]))
    assert room.run(people.members(room.t, "7b")) == ["a", "b", "c"]
    assert room.run(people.members(room.t, strange)) == ["s"]
    assert room.run(people.members(room.t, "%")) == []
    assert room.run(people.members(room.u, "7b")) == []


def test_events_of_a_learner_come_with_their_numbers_in_the_order_they_arrived(room: Room) -> None:
    numbers = {}
    for event in (structs.replace(FULL, event_id="late", at=T0 + timedelta(days=9)), BARE, FULL):
        numbers[event.event_id] = room.run(room.store.events.append(room.t, [event])).seq
    context = room.run(room.store.events.context(room.t, "lena"))
    assert [e.event_id for e in context.interactions] == ["late", "e1"]
    assert list(context.arrived) == [numbers["late"], numbers["e1"]] == sorted(context.arrived)


def kept(room: Room, learner_id: str = "lena") -> KeptState | None:
    return room.run(room.store.events.context(room.t, learner_id)).state


def test_a_state_is_kept_byte_by_byte_and_never_gives_way_to_an_older_one(room: Room) -> None:
    put = room.store.states.put
    room.run(put(room.t, "lena", 7, b"\x00\xffseven"))
    assert kept(room) == KeptState(seq=7, content=b"\x00\xffseven")
    room.run(put(room.t, "lena", 6, b"six"))
    assert kept(room) == KeptState(seq=7, content=b"\x00\xffseven")
    # Another model makes another state of the same events.
    room.run(put(room.t, "lena", 7, b"seven again"))
    room.run(put(room.t, "other", 9, b"nine"))
    assert kept(room) == KeptState(seq=7, content=b"seven again")
    room.run(put(room.t, "lena", 8, b""))
    assert (kept(room), kept(room, "nobody")) == (KeptState(seq=8, content=b""), None)


def test_of_many_states_put_at_once_the_latest_stays(room: Room) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(room.store.states.put(room.t, "lena", n, bytes([n])) for n in (3, 9, 1, 8, 2)))

    room.run(all_at_once())
    assert kept(room) == KeptState(seq=9, content=b"\x09")


def test_what_was_forgotten_is_nowhere(room: Room) -> None:
    events, states = room.store.events, room.store.states
    seq = room.run(events.append(room.t, [FULL])).seq
    room.run(events.context(room.t, "lena"))
    room.run(states.put(room.t, "lena", seq, b"state"))
    remembered = room.run(events.remembered(room.t, ["lena", "nobody"]))
    assert (remembered["lena"].state, remembered["nobody"]) == (KeptState(seq=seq, content=b"state"), None)
    room.run(states.forget(room.t, "lena"))
    assert room.run(events.remembered(room.t, ["lena"])) == {"lena": None}
    assert kept(room) is None


def test_a_text_that_no_database_can_keep_is_refused_with_its_place(room: Room) -> None:
    texts = [
        structs.replace(BARE, event_id="a\0"),
        structs.replace(BARE, event_id="b", skills=("x\0",)),
        structs.replace(BARE, value="\\u0000"),
    ]
    told = room.run(room.store.events.append(room.t, [FULL, *texts, structs.replace(FULL, kind="viewed")]))
    assert (told.accepted, [place for place, _ in told.rejected]) == (2, [1, 2, 4])
    assert [e.value for e in everything(room, room.t)] == [FULL.value, "\\u0000"]


def test_a_decision_told_twice_is_kept_once(room: Room) -> None:
    for _ in range(2):
        room.run(room.store.decisions.record(room.t, decision("d1", 2), decision("d0", 0)))
    assert len(room.run(room.store.decisions.after(room.t, 0, 9))) == 3


def test_numbers_leave_no_gap_where_events_are_sent_again(room: Room) -> None:
    events = [structs.replace(BARE, event_id=f"e{i}") for i in range(5)]
    for batch in (events[:2], events[:3], events[1:2], events):
        seq = room.run(room.store.events.append(room.t, batch)).seq
    assert [n for n, _ in room.run(room.store.events.after(room.t, 0, 99))] == [1, 2, 3, 4, 5]
    assert seq == 5


def test_a_sync_makes_the_whole_set_and_says_what_it_changed(room: Room) -> None:
    catalogue = room.store.catalogue
    a, b, c = (Resource(resource_id=x, title=x.upper(), minutes=2.5, available_from=T0) for x in "abc")

    def sync(*resources: Resource, **options: object) -> tuple[int, int, int, int]:
        counts = room.run(catalogue.sync_resources(room.t, resources, at=T0, **options))
        return counts.added, counts.changed, counts.withdrawn, counts.unchanged

    assert sync(b, a) == (2, 0, 0, 0)
    assert sync(a, b) == (0, 0, 0, 2)
    assert sync(replace(a, title="new"), c, dry_run=True) == (1, 1, 1, 0)
    assert room.run(catalogue.resources(room.t)) == [a, b]
    assert sync(replace(a, title="new"), c) == (1, 1, 1, 0)
    assert room.run(catalogue.resources(room.t)) == [replace(a, title="new"), c]
    assert room.run(catalogue.withdrawn(room.t)) == [replace(b, available_until=T0)]
    assert sync(c, keep=frozenset({"a"})) == (0, 0, 0, 2)
    assert sync(b, c) == (1, 0, 1, 1)
    assert room.run(catalogue.resources(room.t)) == [b, c]


def test_the_catalogue_version_moves_only_when_the_offer_or_a_skill_does(room: Room) -> None:
    def version() -> int:
        return int(room.run(room.store.events.context(room.t, "x")).catalogue_version)

    a = Resource(resource_id="a", title="A")
    seen = [version()]
    for resources, dry_run in (([a], True), ([a], False), ([a], False), ([], False)):
        room.run(room.store.catalogue.sync_resources(room.t, resources, at=T0, dry_run=dry_run))
        seen.append(version())
    room.run(room.store.catalogue.put_skills(room.t, [Skill(skill_id="s", title="Its name is said in answers")]))
    assert [*seen, version()] == [0, 0, 1, 1, 2, 3]


def test_records_are_replaced_as_a_whole(room: Room) -> None:
    skills = [Skill(skill_id="s2", title="B", prerequisites=("s1",)), Skill(skill_id="s1", title="A")]
    room.run(room.store.catalogue.put_skills(room.t, skills))
    room.run(room.store.catalogue.put_skills(room.t, [replace(skills[1], title="new")]))
    assert room.run(room.store.catalogue.skills(room.t)) == [replace(skills[1], title="new"), skills[0]]
    room.run(room.store.people.put_learners(room.t, [Learner(learner_id="l", sharing=True)]))
    room.run(room.store.people.put_learners(room.t, [Learner(learner_id="l", classes=("x",))]))
    assert room.run(room.store.people.learners(room.t)) == [Learner(learner_id="l", classes=("x",))]


def test_what_nobody_says_of_sharing_stays(room: Room) -> None:
    people = room.store.people
    room.run(
        people.put_learners(room.t, [Learner(learner_id="l", sharing=False), Learner(learner_id="m", sharing=True)])
    )
    told = [Learner(learner_id=x, classes=("x",)) for x in ("l", "m", "n")]
    kept = room.run(people.put_learners(room.t, told, untold={"l", "n"}))
    assert [(x.learner_id, x.sharing, x.classes) for x in kept] == [
        ("l", False, ("x",)), ("m", None, ("x",)), ("n", None, ("x",)),
    ]  # fmt: skip
    assert room.run(people.learners(room.t)) == kept


def decision(decision_id: str, n_slots: int) -> Decision:
    slate = tuple(
        Option(
            resource_id=f"r{i}",
            title="T",
            format="video",
            rank=i + 1,
            score=1 / (i + 1),
            propensity=0.5,
            p_success=None,
            expected_minutes=None,
            reasons=(),
            near_ties=(NearTie(resource_id=f"r{i}", score=1 / (i + 1), propensity=0.5),),
        )
        for i in range(n_slots)
    )
    return Decision(
        decision_id=decision_id,
        learner_id="lena",
        at=T0,
        mode="cold",
        bundle="b",
        catalogue_hash="c",
        class_id=None,
        slate=slate,
    )


def test_decisions_keep_every_slot_and_also_the_empty_slate(room: Room) -> None:
    room.run(room.store.decisions.record(room.t))
    room.run(room.store.decisions.record(room.t, decision("d1", 2), decision("d2", 0)))
    room.run(room.store.decisions.record(room.t, decision("d3", 3)))
    slots = room.run(room.store.decisions.after(room.t, 0, 2))
    assert [(s.decision_id, s.slot, s.resource_id) for s in slots] == [
        ("d1", 1, "r0"),
        ("d1", 2, "r1"),
        ("d2", 0, None),
    ]
    assert slots[1].near_ties == (NearTie(resource_id="r1", score=0.5, propensity=0.5),)
    assert (slots[0].at, slots[0].score, slots[0].propensity, slots[0].mode) == (T0, 1.0, 0.5, "cold")
    assert [s.slot for s in room.run(room.store.decisions.after(room.t, slots[-1].seq, 2))] == [1, 2, 3]


def test_keys_can_be_found_listed_and_revoked_once(room: Room) -> None:
    keys = room.store.keys
    key = Key(key_id="k1", tenant=room.t, scopes=("recommend", "events"), secret_hash="00", created_at=T0)
    room.run(keys.add(key))
    assert room.run(keys.find("k1")) == key
    assert room.run(keys.find("k2")) is None
    assert room.run(keys.revoke("other", "k1", T0)) is False
    assert room.run(keys.revoke(room.t, "k1", T0)) is True
    assert room.run(keys.revoke(room.t, "k1", T0 + timedelta(days=1))) is True
    assert room.run(keys.of_tenant(room.t)) == [replace(key, revoked_at=T0)]


DAY = timedelta(days=1)


def claimed(room: Room, fingerprint: str, *, now: datetime = T0, until: datetime = T0 + DAY, key: str = "k") -> Claim:
    return room.run(room.store.answers.claim(room.t, key, fingerprint, now=now, until=until))


def test_the_first_claim_of_a_key_is_new_and_what_is_kept_then_stands_until_it_runs_out(room: Room) -> None:
    answer, answers = KeptAnswer(status=201, content=b"\x00{}"), room.store.answers
    assert claimed(room, "f") == Claim(fingerprint="f", is_new=True, answer=None)
    assert claimed(room, "g") == Claim(fingerprint="f", is_new=False, answer=None)
    room.run(answers.keep(room.t, "k", answer, until=T0 + 2 * DAY))
    # What is kept is neither written over nor let go of.
    room.run(answers.keep(room.t, "k", KeptAnswer(status=200, content=b"other"), until=T0))
    room.run(answers.release(room.t, "k"))
    assert claimed(room, "g", now=T0 + 2 * DAY - timedelta(microseconds=1)) == Claim(
        fingerprint="f", is_new=False, answer=answer
    )
    assert claimed(room, "other", key="another").is_new
    assert claimed(room, "g", now=T0 + 2 * DAY, until=T0 + 3 * DAY).is_new


def test_a_key_that_is_let_go_of_or_held_too_long_is_free(room: Room) -> None:
    assert claimed(room, "f").is_new
    room.run(room.store.answers.release(room.t, "k"))
    assert claimed(room, "g").is_new
    assert not claimed(room, "f", now=T0 + DAY - timedelta(microseconds=1)).is_new
    assert claimed(room, "f", now=T0 + DAY, until=T0 + 2 * DAY).is_new
    # What nobody holds can be let go of, and nothing is kept under it.
    room.run(room.store.answers.release(room.t, "nobody's"))
    room.run(room.store.answers.keep(room.t, "nobody's", KeptAnswer(status=200, content=b""), until=T0 + DAY))
    assert claimed(room, "f", key="nobody's").is_new


def test_of_many_claims_at_once_exactly_one_is_new(room: Room) -> None:
    async def all_at_once() -> list[Claim]:
        claim = room.store.answers.claim
        return await asyncio.gather(*(claim(room.t, "k", f"f{n}", now=T0, until=T0 + DAY) for n in range(8)))

    claims = room.run(all_at_once())
    assert sum(c.is_new for c in claims) == 1
    assert len({c.fingerprint for c in claims}) == 1


def test_nothing_crosses_from_one_tenant_to_another(room: Room) -> None:
    store = room.store
    room.run(store.events.append(room.t, [FULL]))
    room.run(store.catalogue.sync_resources(room.t, [Resource(resource_id="a", title="A")], at=T0))
    room.run(store.catalogue.put_skills(room.t, [Skill(skill_id="s", title="S")]))
    room.run(store.people.put_learners(room.t, [Learner(learner_id="lena")]))
    room.run(store.people.put_classes(room.t, [SchoolClass(class_id="7b")]))
    room.run(store.decisions.record(room.t, decision("d", 1)))
    room.run(store.states.put(room.t, "lena", 1, b"state"))
    room.run(store.answers.claim(room.t, "k", "f", now=T0, until=T0 + DAY))
    assert room.run(store.answers.claim(room.u, "k", "g", now=T0, until=T0 + DAY)).is_new
    assert everything(room, room.u) == []
    assert room.run(store.catalogue.resources(room.u)) == []
    assert room.run(store.catalogue.skills(room.u)) == []
    assert room.run(store.people.learners(room.u)) == []
    assert room.run(store.people.classes(room.u)) == []
    assert room.run(store.decisions.after(room.u, 0, 9)) == []
    elsewhere = room.run(store.events.context(room.u, "lena", "7b"))
    assert (elsewhere.learner, elsewhere.state) == (None, None)
    assert room.run(store.events.append(room.u, [structs.replace(FULL, kind="viewed")])).accepted == 1


def test_everything_is_there_after_opening_again(url: str) -> None:
    with opened(url) as room:
        room.run(room.store.events.append(room.t, [FULL]))
        store_id = room.store.store_id
        tenant = room.t
    with opened(url) as room:
        assert everything(room, tenant) == [FULL]
        assert room.store.store_id == store_id


def test_a_store_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    import sqlite3

    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    with opened(url):
        pass
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE about SET value = '99' WHERE name = 'schema_version'")
    connection.close()
    with pytest.raises(BadInput, match="version 99"), opened(url):
        pass


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unavailable, match="not a database"), opened(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"):
        pass


def test_one_resource_comes_changes_and_goes_alone(room: Room) -> None:
    catalogue = room.store.catalogue
    a, b = (Resource(resource_id=x, title=x.upper(), available_from=T0) for x in ("a/ü", "b"))

    def version() -> int:
        return int(room.run(room.store.events.context(room.t, "x")).catalogue_version)

    def moved(deed: Awaitable[object]) -> tuple[object, int]:
        before = version()
        return room.run(_done(deed)), version() - before

    def broken(_: Resource) -> Resource:
        raise BadInput("no")

    assert moved(catalogue.put_resources(room.t, [a, b])) == (None, 1)
    assert moved(catalogue.put_resources(room.t, [a])) == (None, 0)
    assert moved(catalogue.change_resource(room.t, "a/ü", lambda r: replace(r, title="new"))) == (
        replace(a, title="new"),
        1,
    )
    assert moved(catalogue.change_resource(room.t, "a/ü", lambda r: r)) == (replace(a, title="new"), 0)
    with pytest.raises(BadInput):
        room.run(catalogue.change_resource(room.t, "a/ü", broken))
    assert moved(catalogue.change_resource(room.u, "a/ü", broken)) == (None, 0)
    assert moved(catalogue.withdraw_resource(room.u, "a/ü", at=T0)) == (None, 0)
    assert moved(catalogue.withdraw_resource(room.t, "a/ü", at=T0)) == (replace(a, title="new"), 1)
    assert moved(catalogue.withdraw_resource(room.t, "a/ü", at=T0)) == (None, 0)
    assert moved(catalogue.change_resource(room.t, "a/ü", broken)) == (None, 0)
    assert room.run(catalogue.resources(room.t)) == [b]
    assert room.run(catalogue.withdrawn(room.t)) == [replace(a, title="new", available_until=T0)]
    # A sync withdraws it no second time, and whoever puts it offers it again.
    assert room.run(catalogue.sync_resources(room.t, [b], at=T0)).withdrawn == 0
    assert moved(catalogue.put_resources(room.t, [a])) == (None, 1)
    assert room.run(catalogue.resources(room.t)) == [a, b]
    assert room.run(catalogue.withdrawn(room.t)) == []


def test_of_changes_of_one_resource_at_once_none_is_lost(room: Room) -> None:
    catalogue = room.store.catalogue
    room.run(catalogue.put_resources(room.t, [Resource(resource_id="a", title="A")]))

    def tagged(n: int) -> Callable[[Resource], Resource]:
        return lambda r: replace(r, tags=(*r.tags, f"{n}"))

    async def together() -> None:
        await asyncio.gather(*(catalogue.change_resource(room.t, "a", tagged(n)) for n in range(12)))

    room.run(together())
    (kept,) = room.run(catalogue.resources(room.t))
    assert sorted(map(int, kept.tags)) == list(range(12))


async def _done(deed: Awaitable[object]) -> object:
    return await deed
