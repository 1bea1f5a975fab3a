"""What a learner said is kept for as long as it holds, and no longer."""

from datetime import UTC, datetime, timedelta

from engine.domain.history import microseconds
from engine.domain.interaction import Interaction
from engine.learner.rows import item_key
from engine.learner.voices import HOLDS_US, N_KEPT, all_heard, standing

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def said(n: int, at: datetime | None, kind: str = "declined") -> Interaction:
    return Interaction(
        event_id=f"e{n:05d}", learner_id="lena", kind=kind, source="t", resource_id=f"r{n}", at=at, order=n
    )


def test_every_word_of_two_busy_weeks_is_remembered_to_its_last_minute() -> None:
    per_day = N_KEPT // 14
    events = [said(n, NOW + timedelta(days=n / per_day)) for n in range(14 * per_day)]
    spoken = all_heard(events)
    assert spoken[0].key == item_key("r0")
    assert len(spoken) == len(events)
    until = microseconds(NOW) + HOLDS_US["declined"]
    assert item_key("r0") in {s.key for s in standing(spoken, until - 1)}
    assert item_key("r0") not in {s.key for s in standing(spoken, until)}


def test_beyond_the_bound_the_oldest_goes() -> None:
    spoken = all_heard(said(n, NOW + timedelta(seconds=n)) for n in range(N_KEPT + 3))
    assert [s.key for s in spoken] == [item_key(f"r{n}") for n in range(3, N_KEPT + 3)]
    assert len(all_heard(said(n, None) for n in range(N_KEPT + 3))) == N_KEPT


def test_what_holds_no_longer_goes_with_the_next_word() -> None:
    old, brief = said(0, NOW), said(1, NOW + timedelta(days=13), "not_now")
    late = said(2, NOW + timedelta(days=14))
    assert [s.key for s in all_heard([old, brief, late])] == [item_key("r2")]
    # Without a clock nothing grows old.
    assert len(all_heard([said(n, None) for n in range(3)])) == 3
