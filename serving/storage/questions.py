"""Questions to a teacher, as they are kept and asked for."""

from dataclasses import dataclass
from datetime import datetime

from engine.rules.approvals import WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question to the teacher: may this learner have contact with this peer, or jump to this resource.

    `detail` is a JSON object that whoever asks reads again. `state` is waiting, approved or declined.
    """

    approval_id: str
    kind: str
    learner_id: str
    subject_id: str
    class_id: str | None
    detail: str
    asked_at: datetime
    until: datetime
    state: str = WAITING
    decided_at: datetime | None = None
    author: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which questions are asked for; `after` is the time in microseconds and the id of the last one seen."""

    state: str | None = None
    class_id: str | None = None
    learner_id: str | None = None
    after: tuple[int, str] | None = None
