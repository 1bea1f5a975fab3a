"""Whom one learner might learn with, and what of it which reader sees."""

import asyncio
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.collaborators.affinity import Affinity, affinity_from, likely
from engine.collaborators.crowd import grade_of
from engine.collaborators.discretion import few_who_know
from engine.collaborators.lots import lots_of
from engine.collaborators.peer_tasks import peer_tasks, teaching_of
from engine.collaborators.peer_words import reasons_of
from engine.collaborators.peers import MODES, Peer, Wish, peers_for
from engine.collaborators.safeguards import GRADES_APART, NOT_NEEDED, WAITING, Allowed, allowed
from engine.collaborators.tasks import Task
from engine.domain.errors import Refused
from engine.domain.history import microseconds
from engine.domain.learner import Learner
from engine.domain.resource import Resource
from engine.rules.people import People
from serving.contact import Said, put_contact_questions, said_of
from serving.crowds import Crowds, Gathered
from serving.errors import UnknownName
from serving.in_class import class_of
from serving.known_names import knows_skill
from serving.learner_workflows import goal_set
from serving.peer_messages import flags_on, message_on
from serving.schemas_together import (
    BenefitOut,
    CollaboratorOut,
    CollaboratorsIn,
    CollaboratorsOut,
    PeerReasonOut,
    TaskOut,
)
from serving.storage.port import Key
from serving.wire import seq_of, token_of, valid_id

# Keys with one of these may read of learners, so they see the teacher's words.
TEACHERS = frozenset({"read", "rules", "teach", "admin"})
# Of so many options of an answer, the first, questions are put to the teacher.
ASKED_AT_ONCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One learner looking for others: who they are among, what they want, who may be offered, and what was said.

    `morning` is when the day began where the school is.
    """

    gathered: Gathered
    row: int
    wish: Wish
    may: Allowed
    people: People
    said: Said
    affinity: Affinity
    now: datetime
    morning: datetime

    @property
    def now_us(self) -> int:
        return microseconds(self.now)


async def collaborators_for(asked: CollaboratorsIn, *, key: Key, crowds: Crowds, now: datetime) -> CollaboratorsOut:
    """Peers for one learner, out of their class, or with a key that may read of learners out of the school.

    Raises:
        Refused: the whole school is asked for with a key that may not read of learners.
        UnknownName: a topic that nothing teaches and nobody said they want.
    """
    may_read = not TEACHERS.isdisjoint(key.scopes)
    if asked.scope == "school" and not may_read:
        raise Refused("the key lacks the scope read, which scope school needs; ask for a key that has it")
    look = await _look(asked, tenant=key.tenant, crowds=crowds, now=now)
    is_teacher = may_read and asked.audience != "learner"
    peers = await asyncio.to_thread(_peers, look, is_teacher)
    first = [look.gathered.crowd.learner_ids[p.row] for p in peers[:ASKED_AT_ONCE] if look.may.waits[p.row]]
    await put_contact_questions(look.said, first, tenant=key.tenant, store=crowds.store.approvals)
    return await asyncio.to_thread(_answer, asked, look, peers, is_teacher=is_teacher)


async def _look(asked: CollaboratorsIn, *, tenant: str, crowds: Crowds, now: datetime) -> _Look:
    learner_id = valid_id(asked.learner_id, "learner_id")
    asked_in = None if asked.class_id is None else str(asked.class_id)
    context = await crowds.store.events.context(tenant, learner_id, asked_in)
    class_id = class_of(context, asked_in, now)
    gathered = await _gather(asked, learner_id, class_id, tenant=tenant, crowds=crowds, now=now)
    _require_topic(asked.topic, gathered)
    version = max(context.rules_version, gathered.rules_version)
    people = await crowds.people(tenant, gathered, version=version, now=now)
    days = (await crowds.approvals.setting(tenant, version, class_id)).days
    said = await said_of(learner_id, class_id=class_id, days=days, tenant=tenant, store=crowds.store.approvals, now=now)
    row = gathered.crowd.rows()[learner_id]
    morning = now.astimezone(crowds.rules.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    may = allowed(
        gathered.crowd,
        row,
        people,
        gathered.contacts,
        now_us=microseconds(now),
        whole_school=asked.scope == "school",
        standing=gathered.standing,
        refused=said.refused(people.approval),
    )
    # Days are those of the school.
    may = replace(may, lot=lots_of(len(gathered.crowd), row, morning.toordinal()))
    bundle = crowds.bundles.bundle
    return _Look(
        gathered=gathered,
        row=row,
        wish=Wish(tuple(dict.fromkeys(asked.modes or MODES)), asked.topic, asked.k, _aims(gathered, learner_id)),
        may=may,
        people=people,
        said=said,
        affinity=affinity_from(bundle.settings.get("peers") if bundle else None),
        now=now,
        morning=morning,
    )


def _peers(look: _Look, is_teacher: bool) -> list[Peer]:
    may, crowd = look.may, look.gathered.crowd
    if not is_teacher:
        few = few_who_know(
            crowd,
            look.row,
            people=look.people,
            allowed=may,
            contacts=look.gathered.contacts,
            affinity=look.affinity,
            since_us=microseconds(look.morning),
        )
        may = replace(may, few=few)
    return peers_for(
        crowd,
        look.row,
        look.wish,
        allowed=may,
        contacts=look.gathered.contacts,
        affinity=look.affinity,
        now_us=look.now_us,
        standing=look.gathered.standing,
    )


def _answer(asked: CollaboratorsIn, look: _Look, peers: Sequence[Peer], *, is_teacher: bool) -> CollaboratorsOut:
    gathered, may = look.gathered, look.may
    crowd, row = gathered.crowd, look.row
    goes = likely(look.affinity, gathered.contacts, row, look.now_us, may.same_class, gathered.standing)
    offered = [r for r in gathered.recommender.catalogue.resources if r is not None and _offered(r, look.now)]
    by_id = {r.resource_id: r for r in offered}
    tasks = peer_tasks(crowd, row, peers, teaching_of(offered))
    options = [
        _option(look, peer, task_out(task, by_id), likely=float(goes[peer.row]), is_teacher=is_teacher)
        for peer, task in zip(peers, tasks, strict=True)
    ]
    for option in options[:ASKED_AT_ONCE]:
        option.asked = option.asked or option.approval == WAITING
    return CollaboratorsOut(
        learner_id=crowd.learner_ids[row],
        options=options,
        flags=flags_on(gathered, row, may, look.now_us) if is_teacher else [],
        seen_token=token_of(gathered.seq),
        message=message_on(asked, peers, may),
    )


async def _gather(
    asked: CollaboratorsIn, learner_id: str, class_id: str | None, *, tenant: str, crowds: Crowds, now: datetime
) -> Gathered:
    if asked.scope == "school":
        close = _close(learner_id, await crowds.store.people.learners(tenant))
        return await crowds.of_school(tenant, close, now=now, topic=asked.topic)
    if class_id is None:
        return await crowds.of_school(tenant, [learner_id], now=now, topic=asked.topic)
    skills = () if asked.topic is None else (asked.topic,)
    at_least = 0 if asked.seen_token is None else seq_of(asked.seen_token)
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


def _option(look: _Look, peer: Peer, task: TaskOut | None, *, likely: float, is_teacher: bool) -> CollaboratorOut:
    crowd = look.gathered.crowd
    benefit = BenefitOut(mine=round(peer.mine, 4), theirs=round(peer.theirs, 4), both=round(peer.both, 4))
    reasons = reasons_of(crowd, look.row, peer, likely=likely)
    peer_id, waits = crowd.learner_ids[peer.row], look.may.waits[peer.row]
    stands = look.said.state(peer_id) if waits else None
    return CollaboratorOut(
        option_id=uuid.uuid4().hex,
        mode=peer.mode,
        learner_id=peer_id,
        topic=peer.topic,
        topic_title=None if peer.topic is None else crowd.title(peer.topic),
        in_return=peer.in_return,
        # What a side gets out of it tells what the other knows: that is for teachers.
        benefit=benefit if is_teacher else None,
        task=task,
        reasons=[
            PeerReasonOut(
                r.code, r.text_learner, r.text_teacher if is_teacher else None, r.evidence if is_teacher else None
            )
            for r in reasons
        ],
        approval=(stands or WAITING) if waits else NOT_NEEDED,
        asked=stands is not None,
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
