"""Questions to a teacher, and the port that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.rules.approvals import WAITING, Setting
from serving.storage.acts import Act


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


class ApprovalStore(Protocol):
    """What waits for a teacher, and what each class leaves to its teacher."""

    async def ask(self, tenant: str, questions: Sequence[Approval], *, rested: datetime) -> None:
        """Put questions, each once: one that stands already stays, unless it expired at `rested` or before."""

    async def standing(self, tenant: str, kind: str, learner_ids: Sequence[str]) -> list[Approval]:
        """Every question of this kind about these learners, whatever became of it."""

    async def of_contact(self, tenant: str, learner_id: str) -> list[Approval]:
        """Every question about this learner's contact with somebody, on whichever side of it they stand."""

    async def page(self, tenant: str, asked: Asked, *, now: datetime, limit: int) -> list[Approval]:
        """Those asked for, in the order they were put; `expired` are those that waited longer than they could."""

    async def decide(self, tenant: str, approval_id: str, state: str, act: Act) -> Approval | None:
        """Answer one, also again or after it expired; None where there is no such question."""

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Delete every question that speaks of this learner."""

    async def settings(self, tenant: str) -> dict[str, Setting]:
        """What classes leave to their teachers, by class; one without an entry leaves nothing."""

    async def put_setting(self, tenant: str, class_id: str, setting: Setting, act: Act) -> None:
        """Replace what a class leaves to its teacher; counts as a change of the rules."""
