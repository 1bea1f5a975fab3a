"""Whom one learner might learn with, and what of it which reader sees."""

import asyncio
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.collaborators.affinity import likely
from engine.collaborators.crowd import Crowd, grade_of
from engine.collaborators.fairness import ALONE_DAYS, alone
from engine.collaborators.peer_tasks import peer_tasks, teaching_of
from engine.collaborators.peer_words import PeerReason, reasons_of
from engine.collaborators.peers import MODES, Peer, Wish, peers_for
from engine.collaborators.safeguards import GRADES_APART, NOT_NEEDED, Allowed, allowed, without
from engine.collaborators.tasks import Task
from engine.domain.errors import Refused
from engine.domain.history import microseconds
from engine.domain.learner import Learner
from engine.domain.resource import Resource
from engine.rules.approvals import APPROVED, DECLINED, WAITING
from engine.rules.people import People, people_of
from serving.contact import ContactDesk, RulesOf
from serving.crowds import Crowds, Gathered, class_of
from serving.errors import UnknownName
from serving.known_names import knows_skill
from serving.learner_workflows import goal_set
from serving.schemas_together import (
    BenefitOut,
    CollaboratorOut,
    CollaboratorsIn,
    CollaboratorsOut,
    PeerFlagOut,
    PeerReasonOut,
    TaskOut,
)
from serving.storage.port import Key, Store
from serving.wire import seq_of, token_of, valid_id

# Keys with one of these may read of learners, so they see the teacher's words.
TEACHERS = frozenset({"read", "rules", "teach", "admin"})
_MESSAGES = {
    "opted_out": "You chose not to be matched with others; whoever keeps your record can change that.",
    "enough_for_today": "That is enough for today: new partners come tomorrow.",
    "nobody": "There is nobody to suggest right now; ask your teacher whom to work with.",
}
_FLAGS = {
    "opted_out": "The learner chose not to be matched with others, so they are neither asked nor offered.",
    "nobody": "There is nobody the learner may be offered: look at rules, languages, and who is in the class.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One request for peers, with everybody who may be looked at, and what teachers say of contact with whom.

    `row` is the learner's in the crowd, `said` how the question about each of those stands who may not be met before a
    teacher's word.
    """

    asked: CollaboratorsIn
    class_id: str | None
    gathered: Gathered
    row: int
    may: Allowed
    said: Mapping[str, str]
    now: datetime

    @property
    def learner_id(self) -> str:
        """Whom it is for."""
        return self.gathered.crowd.learner_ids[self.row]

    def peers(self) -> list[Peer]:
        """The best of those who may be offered."""
        asked, gathered = self.asked, self.gathered
        return peers_for(
            gathered.crowd,
            self.row,
            Wish(tuple(dict.fromkeys(asked.modes or MODES)), asked.topic, asked.k, _aims(gathered, self.learner_id)),
            allowed=self.may,
            contacts=gathered.contacts,
            affinity=gathered.affinity,
            now_us=microseconds(self.now),
            standing=gathered.standing,
        )

    def approval(self, peer: Peer) -> str:
        """Whether this contact needs a teacher's word, and has it."""
        if not self.may.waits[peer.row]:
            return NOT_NEEDED
        return APPROVED if self.said.get(self.gathered.crowd.learner_ids[peer.row]) == APPROVED else WAITING


async def collaborators_for(
    asked: CollaboratorsIn,
    *,
    key: Key,
    store: Store,
    crowds: Crowds,
    rules_of: RulesOf,
    contacts: ContactDesk,
    zone: ZoneInfo,
    now: datetime,
) -> CollaboratorsOut:
    """Peers for one learner, out of their class, or with a key that may read of learners out of the school.

    Whom a teacher declined is not offered. The days of rules are those of `zone`.

    Raises:
        Refused: the whole school is asked for with a key that may not read of learners.
        UnknownName: a topic that nothing teaches and nobody said they want.
    """
    learner_id = valid_id(asked.learner_id, "learner_id")
    tenant, may_read = key.tenant, not TEACHERS.isdisjoint(key.scopes)
    if asked.scope == "school" and not may_read:
        raise Refused("the key lacks the scope read, which scope school needs; ask for a key that has it")
    named = None if asked.class_id is None else str(asked.class_id)
    class_id = await class_of(learner_id, named, tenant=tenant, store=store, now=now)
    gathered = await _gather(asked, learner_id, class_id, tenant=tenant, store=store, crowds=crowds, now=now)
    _require_topic(asked.topic, gathered)
    people = people_of(await rules_of(tenant), gathered.roster, now_us=microseconds(now), zone=zone)
    may = _may(gathered, learner_id, people, asked, now)
    waiting = [
        x for x, open_, waits in zip(gathered.crowd.learner_ids, may.may, may.waits, strict=True) if open_ & waits
    ]
    said = await contacts.said(tenant, learner_id, waiting, now=now) if waiting else {}
    asking = _Asking(
        asked=asked,
        class_id=class_id,
        gathered=gathered,
        row=gathered.crowd.rows()[learner_id],
        may=without(may, [row for x, row in gathered.crowd.rows().items() if said.get(x) == DECLINED]),
        said=said,
        now=now,
    )
    peers = await asyncio.to_thread(asking.peers)
    held = [gathered.crowd.learner_ids[p.row] for p in peers if asking.approval(p) == WAITING]
    if held:
        await contacts.ask(tenant, learner_id, held, class_id=class_id, now=now)
    return _told(asking, peers, teacher=may_read and asked.audience != "learner")


def _told(asking: _Asking, peers: Sequence[Peer], *, teacher: bool) -> CollaboratorsOut:
    """The answer, as this reader may see it."""
    gathered, row, may, now = asking.gathered, asking.row, asking.may, asking.now
    crowd, now_us = gathered.crowd, microseconds(now)
    goes = likely(gathered.affinity, gathered.contacts, row, now_us, may.same_class, gathered.standing)
    offered = [r for r in gathered.recommender.catalogue.resources if r is not None and _offered(r, now)]
    tasks = peer_tasks(crowd, row, peers, teaching_of(offered))
    options = []
    for peer, task in zip(peers, tasks, strict=True):
        reasons = reasons_of(crowd, row, peer, likely=float(goes[peer.row]))
        options.append(_option(crowd, peer, task, reasons, asking.approval(peer), offered, teacher))
    return CollaboratorsOut(
        learner_id=asking.learner_id,
        options=options,
        flags=_flags(gathered, row, may, now_us) if teacher else [],
        seen_token=token_of(gathered.seq),
        message=_MESSAGES.get(may.why or ("" if peers else "nobody")),
    )


def _may(gathered: Gathered, learner_id: str, people: People, asked: CollaboratorsIn, now: datetime) -> Allowed:
    return allowed(
        gathered.crowd,
        gathered.crowd.rows()[learner_id],
        people,
        gathered.contacts,
        now_us=microseconds(now),
        whole_school=asked.scope == "school",
        standing=gathered.standing,
    )


async def _gather(
    asked: CollaboratorsIn,
    learner_id: str,
    class_id: str | None,
    *,
    tenant: str,
    store: Store,
    crowds: Crowds,
    now: datetime,
) -> Gathered:
    at_least = 0 if asked.seen_token is None else seq_of(asked.seen_token)
    if asked.scope == "school":
        close = _close(learner_id, await store.people.learners(tenant))
        return await crowds.of_school(tenant, close, now=now, topic=asked.topic)
    skills = () if asked.topic is None else (asked.topic,)
    if class_id is None:
        return await crowds.of_school(tenant, [learner_id], now=now, topic=asked.topic)
    return await crowds.of_class(tenant, class_id, now=now, beside=[learner_id], skills=skills, at_least=at_least)


def _close(learner_id: str, learners: Sequence[Learner]) -> list[str]:
    """Those of a school who share a class or lie close by in age, by id: nobody else may be offered anyway."""
    mine = next((x for x in learners if x.learner_id == learner_id), Learner(learner_id=learner_id))
    grade, classes = grade_of(mine.features), set(mine.classes)

    def fits(other: Learner) -> bool:
        theirs = grade_of(other.features)
        unknown = math.isnan(grade) and math.isnan(theirs)
        return unknown or abs(theirs - grade) <= GRADES_APART or not classes.isdisjoint(other.classes)

    return sorted({x.learner_id for x in learners if fits(x)} | {learner_id})


def _require_topic(topic: str | None, gathered: Gathered) -> None:
    if topic is None or not gathered.recommender.offer.skills or knows_skill(topic, gathered.recommender):
        return
    formats = {r.format for r in gathered.recommender.catalogue.resources if r is not None}
    if topic not in gathered.crowd.interests and topic.removeprefix("format:") not in formats:
        raise UnknownName(
            "topic names no skill that anything teaches and no format on offer; mend it, or leave it out for any topic"
        )


def _aims(gathered: Gathered, learner_id: str) -> tuple[str, ...]:
    """The skills of the learner's goal and all they build on."""
    goal, graph = goal_set(gathered.known[learner_id]), gathered.recommender.graph
    found: dict[str, None] = {}
    todo = list(goal.skills) if goal else []
    while todo:
        skill = todo.pop()
        if skill not in found:
            found[skill] = None
            todo += graph.get(skill, ())
    return tuple(found)


def _offered(resource: Resource, now: datetime) -> bool:
    return (resource.available_from is None or resource.available_from <= now) and (
        resource.available_until is None or now < resource.available_until
    )


def _option(
    crowd: Crowd,
    peer: Peer,
    task: Task | None,
    reasons: Iterable[PeerReason],
    approval: str,
    offered: Iterable[Resource],
    teacher: bool,
) -> CollaboratorOut:
    benefit = BenefitOut(mine=round(peer.mine, 4), theirs=round(peer.theirs, 4), both=round(peer.both, 4))
    return CollaboratorOut(
        option_id=uuid.uuid4().hex,
        mode=peer.mode,
        learner_id=crowd.learner_ids[peer.row],
        topic=peer.topic,
        topic_title=None if peer.topic is None else crowd.title(peer.topic),
        in_return=peer.in_return,
        # What a side gets out of it tells what the other knows: that is for teachers.
        benefit=benefit if teacher else None,
        task=task_out(task, {r.resource_id: r for r in offered} if task else {}),
        reasons=[
            PeerReasonOut(r.code, r.text_learner, r.text_teacher if teacher else None, r.evidence if teacher else None)
            for r in reasons
        ],
        approval=approval,
    )


def task_out(task: Task | None, resources: Mapping[str, Resource]) -> TaskOut | None:
    """A task as it is told."""
    if task is None:
        return None
    resource = resources[task.resource_id]
    return TaskOut(
        resource_id=task.resource_id,
        title=resource.title,
        format=resource.format,
        skills=task.skills,
        inquiry=task.inquiry,
        artifact=task.artifact,
    )


def _flags(gathered: Gathered, row: int, may: Allowed, now_us: int) -> list[PeerFlagOut]:
    learner_id = gathered.crowd.learner_ids[row]
    told = [PeerFlagOut(may.why, learner_id, _FLAGS[may.why])] if may.why in _FLAGS else []
    members = [r for r in range(len(gathered.crowd)) if may.same_class[r]]
    if row in alone(gathered.contacts, members, now_us):
        words = (
            f"Nobody worked with the learner in the last {ALONE_DAYS} days, while most of the class had somebody: "
            "a good moment to look after that."
        )
        told.append(PeerFlagOut("alone", learner_id, words))
    return told
