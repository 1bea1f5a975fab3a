"""What a teacher said of contact between two learners, and the questions that are still to be put."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from engine.rules.approvals import CONTACT, DECLINED, EXPIRED, may_ask_again, standing_of
from serving.storage.questions import Approval, ApprovalStore

# No title and no skills: the question names the two.
_DETAIL = msgspec.json.encode({"title": None, "skills": []}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said of one learner's contact with others, by peer, and how long a question of the class stands."""

    learner_id: str
    class_id: str | None
    by_peer: Mapping[str, Approval]
    days: int
    now: datetime

    def state(self, peer_id: str) -> str | None:
        """How the question about this peer stands; None where it is to be put, first or again after it rested."""
        one = self.by_peer.get(peer_id)
        if one is None:
            return None
        state = standing_of(one.state, one.until, self.now)
        return None if state == EXPIRED and may_ask_again(one.until, self.days, self.now) else state

    def refused(self, asking: Collection[str]) -> frozenset[str]:
        """With whom contact is not to be: a teacher declined it, or let the question run out.

        A no holds until the teacher says otherwise. Silence is a no as long as one of the two is among those `asking`,
        for whom contact waits for a word, and until the question may be put again.
        """
        late = [x for x in self.by_peer if self.learner_id in asking or x in asking]
        declined = {x for x in self.by_peer if self.state(x) == DECLINED}
        return frozenset(declined.union(x for x in late if self.state(x) == EXPIRED))

    def question(self, peer_id: str) -> Approval:
        """The question to the teacher; the same whichever of the two asks."""
        first, second = sorted((self.learner_id, peer_id))
        return Approval(
            approval_id=uuid.uuid4().hex,
            kind=CONTACT,
            learner_id=first,
            subject_id=second,
            class_id=self.class_id,
            detail=_DETAIL,
            asked_at=self.now,
            until=self.now + timedelta(days=self.days),
        )


async def said_of(
    learner_id: str, *, class_id: str | None, days: int, tenant: str, store: ApprovalStore, now: datetime
) -> Said:
    """What was said of this learner's contact with anybody, whichever class it was asked in; one look at the store."""
    found = await store.of_contact(tenant, learner_id)
    by_peer = {a.subject_id if a.learner_id == learner_id else a.learner_id: a for a in found}
    return Said(learner_id=learner_id, class_id=class_id, by_peer=by_peer, days=days, now=now)


async def put_contact_questions(said: Said, peer_ids: Sequence[str], *, tenant: str, store: ApprovalStore) -> None:
    """Put the questions about these peers that are to be put."""
    questions = [said.question(x) for x in peer_ids if said.state(x) is None]
    if questions:
        await store.ask(tenant, questions, rested=said.now)
