"""One event between a learner and a resource, the only thing Trailmate learns from."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter

import msgspec

MAX_ID_BYTES = 512
# An event tells of a few who did something together; whoever names a school has put something else into the list.
MAX_WITH = 200
EARLIEST_AT = datetime(1900, 1, 1, tzinfo=UTC)
# Clocks of school devices are wrong by hours, not by days.
CLOCK_TOLERANCE = timedelta(days=1)

KINDS = (
    "shown", "opened", "viewed", "started", "completed", "attempted", "submitted", "rated", "accepted", "declined",
    "chosen", "too_easy", "too_hard", "not_now", "know_it", "contested", "helped", "collaborated", "goal_set",
    "preferences_set", "mastery_set", "assigned", "overridden", "voided",
)  # fmt: skip
# The kinds that say "this learner took this resource up"; only these count as seen and as votes.
ENGAGED_KINDS = frozenset({"opened", "viewed", "started", "completed", "attempted", "submitted", "rated", "chosen"})
# Saying yes is not taking up, yet it is said of a resource.
RESOURCE_KINDS = ENGAGED_KINDS | {"accepted"}


# Nothing in it refers back, so the collector need not look; see `decision.py` for what a Struct saves. Fields by name
# take five times as long as in their order, which is for what reads thousands.
class Interaction(msgspec.Struct, frozen=True, gc=False):
    """One event. `outcome` in [0, 1], `duration_s` in seconds, `at` aware UTC, `voids` an event id."""

    event_id: str
    learner_id: str
    kind: str
    source: str
    resource_id: str | None = None
    at: datetime | None = None
    order: int | None = None
    outcome: float | None = None
    duration_s: float | None = None
    item_id: str | None = None
    skills: tuple[str, ...] | None = None
    class_id: str | None = None
    decision_id: str | None = None
    with_learner_ids: tuple[str, ...] | None = None
    group_id: str | None = None
    value: str | None = None
    voids: str | None = None


_IDS = ("event_id", "learner_id", "resource_id", "item_id", "class_id", "decision_id", "group_id", "voids")
_ids_of: Callable[[Interaction], tuple[str | None, ...]] = attrgetter(*_IDS)


def reason_to_reject(interaction: Interaction, *, now: datetime) -> str | None:
    """Why this event cannot be kept, in words for the sender; None where it can.

    The importers hold the same rules over columns (`training.log`); a law keeps both equal.
    """
    for place, given in enumerate(_ids_of(interaction)):
        # No character takes more than four bytes: what is short need not be encoded to be counted.
        if given is None or 0 < len(given) <= MAX_ID_BYTES // 4:
            continue
        if not 0 < len(given.encode()) <= MAX_ID_BYTES:
            return f"{_IDS[place]} must have 1 to {MAX_ID_BYTES} bytes"
    if interaction.kind not in KINDS:
        return "kind is not one of the known kinds"
    # A yes may be said of a peer instead of a resource.
    of_a_peer = interaction.kind == "accepted" and bool(interaction.with_learner_ids)
    if interaction.resource_id is None and interaction.kind in RESOURCE_KINDS and not of_a_peer:
        return f"resource_id is missing for kind {interaction.kind}"
    if len(interaction.with_learner_ids or ()) > MAX_WITH:
        return f"with_learner_ids must name at most {MAX_WITH} learners"
    if interaction.kind == "voided" and interaction.voids is None:
        return "voids is missing for kind voided"
    if interaction.outcome is not None and not (math.isfinite(interaction.outcome) and 0 <= interaction.outcome <= 1):
        return "outcome must lie in [0, 1]"
    return None if interaction.at is None else _wrong_time(interaction.at, now)


def _wrong_time(at: datetime, now: datetime) -> str | None:
    if at > now + CLOCK_TOLERANCE:
        return "at lies more than a day in the future"
    return "at lies before the year 1900" if at < EARLIEST_AT else None


def usable_duration(duration_s: float | None) -> float | None:
    """The duration in seconds, or None where it cannot be one (negative, infinite, NaN): the event still counts."""
    if duration_s is None or not math.isfinite(duration_s) or duration_s < 0:
        return None
    return duration_s
