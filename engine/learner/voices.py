"""What a learner said of resources they were offered; each word changes the next reply, until it fades or is undone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.domain.history import NO_TIME, microseconds
from engine.domain.interaction import Interaction
from engine.learner.rows import TAUGHT_KINDS, item_key

VOICE_KINDS = ("accepted", "declined", "not_now", "too_easy", "too_hard")
DAY_US = 86_400_000_000
# How long a word holds: "not now" until the next school day, the others for two weeks.
HOLDS_US: Mapping[str, int] = {
    "accepted": 14 * DAY_US,
    "declined": 14 * DAY_US,
    "not_now": DAY_US * 3 // 4,
    "too_easy": 14 * DAY_US,
    "too_hard": 14 * DAY_US,
}
# So many words that still hold are kept of one learner, some 80 bytes each: eighteen a day for two weeks.
N_KEPT = 256


@dataclass(frozen=True, slots=True)
class Spoken:
    """One word: its kind, the key of the resource it was said of, and when, in microseconds since 1970."""

    kind: str
    key: int
    at_us: int


def heard(spoken: tuple[Spoken, ...], event: Interaction) -> tuple[Spoken, ...]:
    """What was said, with one more event: a word takes the place of an earlier one on the same resource.

    With it go those that hold no longer, and the oldest where more than `N_KEPT` hold.
    Working on a resource keeps an acceptance and answers a "not now": both are done with.
    """
    if event.resource_id is None:
        return spoken
    if event.kind in VOICE_KINDS:
        key = item_key(event.resource_id)
        at_us = microseconds(event.at)
        others = tuple(s for s in standing(spoken, at_us) if s.key != key)
        return (*others[-N_KEPT + 1 :], Spoken(event.kind, key, at_us))
    if spoken and event.kind in TAUGHT_KINDS:
        key = item_key(event.resource_id)
        return tuple(s for s in spoken if s.key != key or s.kind not in ("accepted", "not_now"))
    return spoken


def all_heard(events: Iterable[Interaction]) -> tuple[Spoken, ...]:
    """What was said in all of one learner's events, in any order: what the fold keeps of it, also where no model is."""
    known = list(events)
    voided = {e.voids for e in known if e.kind == "voided"}
    spoken: tuple[Spoken, ...] = ()
    for event in sorted(known, key=lambda e: (microseconds(e.at), e.order or 0, e.event_id)):
        if event.event_id not in voided:
            spoken = heard(spoken, event)
    return spoken


def standing(spoken: Iterable[Spoken], now_us: int) -> tuple[Spoken, ...]:
    """The words that still hold at this moment; without a clock all do."""
    return tuple(s for s in spoken if NO_TIME in (s.at_us, now_us) or now_us - s.at_us < HOLDS_US[s.kind])
