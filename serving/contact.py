"""What peers and groups ask of those who keep rules and approvals."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from engine.domain.rule import Rule
from engine.rules.approvals import CONTACT, Setting, standing_of
from serving.approving import is_open
from serving.kept_rules import rules_kept
from serving.storage.port import Store
from serving.storage.questions import Approval, ApprovalStore

# The rules of a tenant, whatever they speak of.
RulesOf = Callable[[str], Awaitable[Sequence[Rule]]]


def standing_rules(store: Store, zone: ZoneInfo) -> RulesOf:
    """What a store keeps as rules, read as the engine reads them."""

    async def rules_of(tenant: str) -> Sequence[Rule]:
        return rules_kept((await store.rules.standing(tenant)).rules, zone)

    return rules_of


class ContactDesk(Protocol):
    """What teachers say of contact between two learners, where a rule `approve_contact` binds one of them."""

    async def said(self, tenant: str, learner_id: str, others: Sequence[str], *, now: datetime) -> Mapping[str, str]:
        """How the question about each of these others stands; who was never asked about is left out."""

    async def ask(
        self, tenant: str, learner_id: str, others: Sequence[str], *, class_id: str | None, now: datetime
    ) -> None:
        """Put the question about each of them, where it is not put yet; contact waits meanwhile."""


class Contacts:
    """`ContactDesk` over the approvals that are kept; both ways round are one question."""

    def __init__(self, approvals: ApprovalStore) -> None:
        self._approvals = approvals

    async def said(self, tenant: str, learner_id: str, others: Sequence[str], *, now: datetime) -> Mapping[str, str]:
        """One look, however many others."""
        asked = await self._asked(tenant, learner_id, others)
        return {x: standing_of(one.state, one.until, now) for x, one in asked.items()}

    async def ask(
        self, tenant: str, learner_id: str, others: Sequence[str], *, class_id: str | None, now: datetime
    ) -> None:
        """Those that are not put yet, or expired and have rested."""
        asked = await self._asked(tenant, learner_id, others)
        setting = (await self._approvals.settings(tenant)).get(class_id or "", Setting())
        questions = [
            _question(*sorted((learner_id, x)), class_id=class_id, now=now, days=setting.days)
            for x in others
            if is_open(asked.get(x), setting, now)
        ]
        if questions:
            await self._approvals.ask(tenant, questions, rested=now)

    async def _asked(self, tenant: str, learner_id: str, others: Sequence[str]) -> dict[str, Approval]:
        pairs = {tuple(sorted((learner_id, x))): x for x in others}
        found = await self._approvals.standing(tenant, CONTACT, sorted({first for first, _ in pairs}))
        return {pairs[pair]: one for one in found if (pair := (one.learner_id, one.subject_id)) in pairs}


def _question(first: str, second: str, *, class_id: str | None, now: datetime, days: int) -> Approval:
    return Approval(
        approval_id=uuid.uuid4().hex,
        kind=CONTACT,
        learner_id=first,
        subject_id=second,
        class_id=class_id,
        detail=msgspec.json.encode({"title": None, "skills": []}).decode(),
        asked_at=now,
        until=now + timedelta(days=days),
    )
