"""Whatever keeps questions to teachers must pass this."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from engine.rules.approvals import Setting
from serving.storage.acts import Act, Wanted
from serving.storage.questions import Approval, Asked
from serving.storage.rows import to_us
from tests.contracts.test_store import T0, Room, opened
from tests.servers import drop_database, new_database

WEEK = timedelta(days=7)
ACT = Act(at=T0 + timedelta(hours=2), actor="0123456789ab", author="Ms Berg", reason="she can")
NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def open_room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    if request.param == "sqlite":
        with opened(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}") as found:
            yield found
        return
    postgres = request.getfixturevalue("postgres")
    made = new_database(postgres)
    with opened(made) as found:
        yield found
    drop_database(postgres, made)


@pytest.fixture
def room(open_room: Room) -> Room:
    open_room.move()
    return open_room


def question(subject_id: str = "r1", *, learner_id: str = "lena", kind: str = "jump", hours: int = 0) -> Approval:
    at = T0 + timedelta(hours=hours)
    return Approval(
        approval_id=f"{next(NUMBERS):032x}",
        kind=kind,
        learner_id=learner_id,
        subject_id=subject_id,
        class_id="7b",
        detail='{"title":"R","skills":["a"]}',
        asked_at=at,
        until=at + WEEK,
    )


def ask(room: Room, *questions: Approval) -> None:
    room.run(room.store.approvals.ask(room.t, questions, rested=T0))


def page(room: Room, asked: Asked, *, days: float = 0, limit: int = 50) -> list[Approval]:
    return room.run(room.store.approvals.page(room.t, asked, now=T0 + timedelta(days=days), limit=limit))


def standing(room: Room, *learner_ids: str, kind: str = "jump") -> list[Approval]:
    return room.run(room.store.approvals.standing(room.t, kind, learner_ids))


def test_contact_is_found_from_either_side(room: Room) -> None:
    asked = [question("mo", learner_id="lena", kind="contact"), question("lena", learner_id="kim", kind="contact")]
    ask(room, *asked, question("lena"), question("mo", learner_id="kim", kind="contact"))
    found = room.run(room.store.approvals.of_contact(room.t, "lena"))
    assert sorted(found, key=lambda a: a.learner_id, reverse=True) == asked
    assert room.run(room.store.approvals.of_contact(room.t, "r1")) == []
    assert room.run(room.store.approvals.of_contact(room.u, "lena")) == []


def test_a_question_is_put_once_however_often_it_is_asked(room: Room) -> None:
    first = question()
    ask(room, first)

    async def at_once() -> None:
        await asyncio.gather(*(room.store.approvals.ask(room.t, [question()], rested=T0) for _ in range(6)))

    room.run(at_once())
    assert standing(room, "lena", "kim") == [first]
    ask(room, question("r2"), question(kind="contact"), question(learner_id="kim"))
    assert len(standing(room, "lena", "kim")) == 3
    assert standing(room, "nobody") == standing(room) == []


def test_an_expired_question_is_put_again_after_its_rest_and_an_answer_never(room: Room) -> None:
    first, answered = question(), question("r2")
    ask(room, first, answered)
    room.run(room.store.approvals.decide(room.t, answered.approval_id, "declined", ACT))
    again = [question(hours=1000), question("r2", hours=1000)]
    room.run(room.store.approvals.ask(room.t, again, rested=first.until - timedelta(seconds=1)))
    assert {a.asked_at for a in standing(room, "lena")} == {T0}
    room.run(room.store.approvals.ask(room.t, again, rested=first.until))
    found = {a.subject_id: a for a in standing(room, "lena")}
    assert found["r1"] == replace(again[0], approval_id=first.approval_id)
    assert (found["r2"].state, found["r2"].asked_at) == ("declined", T0)


def test_an_answer_is_kept_with_who_and_why_and_may_be_changed(room: Room) -> None:
    one = question()
    ask(room, one)
    decided = room.run(room.store.approvals.decide(room.t, one.approval_id, "approved", ACT))
    assert decided == replace(one, state="approved", decided_at=ACT.at, author="Ms Berg", reason="she can")
    assert standing(room, "lena") == [decided]
    later = replace(ACT, at=ACT.at + WEEK, reason=None)
    room.run(room.store.approvals.decide(room.t, one.approval_id, "declined", later))
    assert standing(room, "lena")[0].state == "declined"
    assert room.run(room.store.approvals.decide(room.t, "f" * 32, "approved", ACT)) is None
    assert room.run(room.store.approvals.decide(room.u, one.approval_id, "approved", ACT)) is None
    entries = room.run(room.store.audit.entries(room.t, Wanted(learner_id="lena"), before=None, limit=9))
    assert [(e.action, e.actor) for e in entries] == [
        ("approval.decline", ACT.actor),
        ("approval.approve", ACT.actor),
    ]


def test_pages_come_in_the_order_questions_were_put_by_state_class_and_learner(room: Room) -> None:
    made = [question(f"r{i}", hours=i // 2) for i in range(5)]
    other = replace(question(learner_id="kim", hours=9), class_id="8a")
    ask(room, *reversed(made), other)
    room.run(room.store.approvals.decide(room.t, made[1].approval_id, "approved", ACT))
    seen: list[str] = []
    after = None
    while found := page(room, Asked(after=after), limit=2):
        seen += [a.approval_id for a in found]
        after = (to_us(found[-1].asked_at) or 0, found[-1].approval_id)
    assert seen == [a.approval_id for a in [*made, other]]
    waiting = [a.subject_id for a in page(room, Asked(state="waiting", class_id="7b"))]
    assert waiting == ["r0", "r2", "r3", "r4"]
    assert [a.subject_id for a in page(room, Asked(state="waiting", learner_id="lena"), days=7.01)] == [
        "r2",
        "r3",
        "r4",
    ]
    assert [a.subject_id for a in page(room, Asked(state="expired"), days=7.01)] == ["r0"]
    assert [a.subject_id for a in page(room, Asked(state="approved"))] == ["r1"]
    assert page(room, Asked(state="declined")) == []


def test_what_a_class_leaves_to_its_teacher_is_a_change_of_the_rules(room: Room) -> None:
    def version() -> int:
        return int(room.run(room.store.events.context(room.t, "x")).rules_version)

    assert room.run(room.store.approvals.settings(room.t)) == {}
    before = version()
    for setting in (Setting(jump=2), Setting(jump=None, days=3)):
        room.run(room.store.approvals.put_setting(room.t, "7b", setting, ACT))
    room.run(room.store.approvals.put_setting(room.t, "8a", Setting(jump=0), ACT))
    assert room.run(room.store.approvals.settings(room.t)) == {"7b": Setting(days=3), "8a": Setting(jump=0)}
    assert version() == before + 3
    entries = room.run(room.store.audit.entries(room.t, Wanted(object_id="7b"), before=None, limit=9))
    assert [(e.content.before, e.content.after) for e in entries if e.content] == [
        ('{"days":7,"jump":2}', '{"days":3,"jump":null}'),
        (None, '{"days":7,"jump":2}'),
    ]


def test_what_speaks_of_a_learner_is_forgotten(room: Room) -> None:
    ask(room, question(), question("lena", learner_id="kim", kind="contact"), question("lena", learner_id="kim"))
    room.run(room.store.approvals.forget(room.t, "lena"))
    assert [(a.learner_id, a.kind) for a in page(room, Asked())] == [("kim", "jump")]
