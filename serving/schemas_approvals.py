"""The wire of what waits for a teacher."""

from datetime import datetime
from typing import Annotated

import msgspec

from engine.rules.approvals import DAYS


class ApprovalOut(msgspec.Struct, kw_only=True):
    """One question: contact of a learner with a peer, or a jump to a resource: `subject_id` names either.

    `state` is waiting, approved, declined, or expired: then nothing of it happens. `skills` lie before a jump and are
    not mastered. `words` ask the teacher.
    """

    approval_id: str
    kind: str
    learner_id: str
    subject_id: str
    title: str | None
    skills: tuple[str, ...]
    class_id: str | None
    asked_at: datetime
    until: datetime
    state: str
    decided_at: datetime | None
    author: str | None
    reason: str | None
    words: str


class ApprovalsOut(msgspec.Struct):
    """One page, in the order they were put; `next_cursor` gets the next one, None where there is none."""

    approvals: list[ApprovalOut]
    next_cursor: str | None


class ApprovalIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A teacher's word on a question; it may be changed later."""

    decision: Annotated[str, msgspec.Meta(pattern="^(approve|decline)$")]
    reason: str | None = None
    author: str | None = None


class ApprovalSettingIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a class leaves to its teacher.

    `jump`: how many skills that are not mastered may lie before a resource until it waits; null lets all through.
    `days`: how long a question waits.
    """

    jump: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=365)] = DAYS
    reason: str | None = None
    author: str | None = None


class ApprovalSettingOut(msgspec.Struct, kw_only=True):
    """What a class leaves to its teacher now."""

    class_id: str
    jump: int | None
    days: int
