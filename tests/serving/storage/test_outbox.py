"""The outbox keeps what it acknowledged, in order, through kills, torn lines and full disks."""

import asyncio
import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.domain.errors import Unavailable
from engine.domain.interaction import Interaction
from serving.storage.opening import open_store
from serving.storage.outbox import Entry, Outbox
from serving.storage.patient import patient
from serving.storage.port import Store
from tests.contracts.test_store import BARE, FULL, decision

T0 = datetime(2026, 9, 1, 8, 30, 0, 123456, tzinfo=UTC)


class Database:
    """Takes entries, or is away."""

    def __init__(self) -> None:
        self.taken: list[Entry] = []
        self.is_away = True

    async def __call__(self, entry: Entry) -> None:
        if self.is_away:
            raise Unavailable("the store did not answer; check it")
        self.taken.append(entry)


def entry(i: int) -> Entry:
    event = Interaction(event_id=f"e{i}", learner_id="Ünal\n🎒", kind="viewed", source="t", outcome=0.1 + i)
    return Entry(tenant="t", events=[event, FULL], stamp=T0, decisions=[decision(f"d{i}", 2)])


def run(folder: Path, act: Callable[[Outbox, Database], object]) -> Database:
    """Act on an outbox, then go away without emptying it."""
    database = Database()

    async def acted() -> None:
        outbox = Outbox(folder, database)
        await act(outbox, database)
        await outbox.close()

    asyncio.run(acted())
    return database


def taken_over(folder: Path) -> list[Entry]:
    async def act(outbox: Outbox, database: Database) -> None:
        database.is_away = False
        await outbox.take_over()

    return run(folder, act).taken


def test_what_waits_is_replayed_in_its_order_and_the_file_is_empty_then(tmp_path: Path) -> None:
    async def act(outbox: Outbox, database: Database) -> None:
        await asyncio.gather(*(outbox.add(entry(i)) for i in range(20)))
        assert (await outbox.empty(), len(outbox)) == (False, 20)
        database.is_away = False
        assert (await outbox.empty(), len(outbox)) == (True, 0)
        await outbox.add(entry(20))
        assert len(outbox) == 1

    assert run(tmp_path, act).taken[:20] == [entry(i) for i in range(20)]
    assert taken_over(tmp_path) == [entry(20)]
    assert list(tmp_path.iterdir()) == []


def test_it_tries_by_itself_until_the_database_is_back(tmp_path: Path) -> None:
    async def act(outbox: Outbox, database: Database) -> None:
        await outbox.add(entry(1))
        await asyncio.sleep(0.1)
        database.is_away = False
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not len(outbox):
                return
        raise AssertionError("it still waits")

    assert run(tmp_path, act).taken == [entry(1)]


def test_many_are_replayed_together_and_who_comes_meanwhile_goes_behind_them_after_a_second(tmp_path: Path) -> None:
    started: list[str] = []

    class Slow(Database):
        async def __call__(self, entry: Entry) -> None:
            started.append(entry.events[0].event_id)
            await asyncio.sleep(0 if self.is_away else 0.4)
            await super().__call__(entry)

    async def act() -> list[Entry]:
        database = Slow()
        outbox = Outbox(tmp_path, database)
        for i in range(900):
            await outbox.add(entry(i))
        database.is_away = False
        started.clear()
        assert not await outbox.empty(within_s=0.1)
        assert started == [f"e{i}" for i in range(333)]
        await outbox.add(entry(900))
        before = asyncio.get_running_loop().time()
        assert await outbox.empty()
        assert asyncio.get_running_loop().time() - before < 3
        await outbox.close()
        return database.taken

    assert asyncio.run(act()) == [entry(i) for i in range(901)]


def test_many_may_ask_at_once_whether_it_is_empty(tmp_path: Path) -> None:
    async def act(outbox: Outbox, database: Database) -> None:
        async def asks_again_and_again() -> None:
            while not await outbox.empty(within_s=0.01):
                pass

        await outbox.add(entry(0))
        asking = asyncio.gather(*(asks_again_and_again() for _ in range(8)))
        await asyncio.sleep(0.01)
        database.is_away = False
        await asyncio.wait_for(asking, 5)
        assert len(outbox) == 0

    assert run(tmp_path, act).taken == [entry(0)]


def test_what_the_database_did_not_take_of_several_stays_in_its_order(tmp_path: Path) -> None:
    refused = {"e2", "e4"}

    class Picky(Database):
        async def __call__(self, entry: Entry) -> None:
            self.is_away = entry.events[0].event_id in refused
            await super().__call__(entry)

    async def act() -> list[Entry]:
        database = Picky()
        outbox = Outbox(tmp_path, database)
        for i in range(6):
            await outbox.add(entry(i))
        assert not await outbox.empty() and len(outbox) == 4
        refused.clear()
        assert await outbox.empty()
        await outbox.close()
        return database.taken

    # Those behind the one that was not taken come once more: they are known by their ids.
    assert [e.events[0].event_id for e in asyncio.run(act())] == ["e0", "e1", "e3", "e5", "e2", "e3", "e4", "e5"]


def test_a_line_that_was_cut_off_anywhere_takes_nothing_else_with_it(tmp_path: Path) -> None:
    async def act(outbox: Outbox, _: Database) -> None:
        for i in range(3):
            await outbox.add(entry(i))

    run(tmp_path / "made", act)
    [file] = (tmp_path / "made").glob("*.log")
    content = file.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in (0, 1, ends[0] - 1, ends[0], ends[0] + 9, ends[1] + 20, ends[2] - 2, ends[2]):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "x.log").write_bytes(content[:cut])
        whole = sum(end - 1 <= cut for end in ends)
        assert taken_over(folder) == [entry(i) for i in range(whole)]


def test_the_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    async def act(outbox: Outbox, _: Database) -> None:
        await outbox.add(entry(1))
        other = Database()
        other.is_away = False
        await Outbox(tmp_path, other).take_over()
        assert other.taken == []

    run(tmp_path, act)
    assert taken_over(tmp_path) == [entry(1)]


def test_a_file_stays_where_its_entries_could_not_be_replayed(tmp_path: Path) -> None:
    async def act(outbox: Outbox, _: Database) -> None:
        await outbox.add(entry(1))

    async def too_early(outbox: Outbox, _: Database) -> None:
        await outbox.take_over()

    run(tmp_path, act)
    run(tmp_path, too_early)
    assert taken_over(tmp_path) == [entry(1)]


def test_a_disk_that_is_full_refuses_and_hides_nothing_that_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    synced = os.fdatasync

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def act(outbox: Outbox, _: Database) -> None:
        await outbox.add(entry(1))
        monkeypatch.setattr(os, "fdatasync", full)
        with pytest.raises(Unavailable, match="No space left"):
            await outbox.add(entry(2))
        monkeypatch.setattr(os, "fdatasync", synced)
        await outbox.add(entry(3))

    run(tmp_path, act)
    assert taken_over(tmp_path) == [entry(1), entry(3)]


def test_the_store_takes_in_what_waited_before_what_comes_and_sets_aside_what_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the store did not answer; check it")

    async def told(store: Store) -> list[Interaction]:
        return [event for _, event in await store.events.after("t", 0, 100)]

    async def act() -> None:
        async with open_store(f"sqlite+aiosqlite:///{tmp_path}/store.db") as inner, patient(inner, tmp_path) as store:
            await store.events.append("t", [FULL])
            with monkeypatch.context() as patched:
                for port in (inner.events, inner.decisions):
                    patched.setattr(type(port), "append" if hasattr(port, "append") else "record", away)
                kept = await store.events.append(
                    "t", [BARE, Interaction(**as_given(FULL) | {"kind": "opened"})], stamp=T0
                )
                assert (kept.accepted, kept.seq, store.waiting()) == (2, 1, 1)
                await store.decisions.record("t", decision("d1", 2))
                assert await told(store) == [FULL]
            await store.events.append("t", [Interaction(**as_given(BARE) | {"event_id": "last"})])
            assert [e.event_id for e in await told(store)] == ["e1", "e2", "last"]
            assert (await told(store))[1].at == T0
            assert [s.decision_id for s in await store.decisions.after("t", 0, 9)] == ["d1", "d1"]
            assert store.waiting() == 0

    asyncio.run(act())
    [refused] = (tmp_path / "refused.jsonl").read_text().splitlines()
    assert '"kind":"opened"' in refused


def as_given(event: Interaction) -> dict[str, object]:
    return {name: getattr(event, name) for name in Interaction.__struct_fields__}
