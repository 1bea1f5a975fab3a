"""Whom one learner might learn with, and what of it which reader sees."""

import asyncio
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.collaborators.affinity import affinity_from, likely
from engine.collaborators.crowd import Crowd, grade_of
from engine.collaborators.fairness import ALONE_DAYS, alone
from engine.collaborators.peer_tasks import peer_tasks, teaching_of
from engine.collaborators.peer_words import PeerReason, reasons_of
from engine.collaborators.peers import MODES, Peer, Wish, peers_for
from engine.collaborators.safeguards import APPROVED, GRADES_APART, NOT_NEEDED, WAITING, Allowed, allowed
from engine.collaborators.tasks import Task
from engine.domain.errors import Refused
from engine.domain.history import microseconds
from engine.domain.learner import Learner
from engine.domain.resource import Resource
from engine.rules.people import people_of
from serving.contact import ApprovedOf, RulesOf, pair_of
from serving.crowds import Crowds, Gathered, class_of
from serving.current_bundle import CurrentBundle
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

UTC_ZONE = ZoneInfo("UTC")
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


async def collaborators_for(
    asked: CollaboratorsIn,
    *,
    key: Key,
    store: Store,
    bundles: CurrentBundle,
    crowds: Crowds,
    rules_of: RulesOf,
    approved_of: ApprovedOf,
    now: datetime,
) -> CollaboratorsOut:
    """Peers for one learner, out of their class, or with a key that may read of learners out of the school.

    Raises:
        Refused: the whole school is asked for with a key that may not read of learners.
        UnknownName: a topic that nothing teaches and nobody said they want.
    """
    learner_id = valid_id(asked.learner_id, "learner_id")
    tenant, may_read = key.tenant, not TEACHERS.isdisjoint(key.scopes)
    if asked.scope == "school" and not may_read:
        raise Refused("the key lacks the scope read, which scope school needs; ask for a key that has it")
    gathered = await _gather(asked, learner_id, tenant=tenant, store=store, crowds=crowds, now=now)
    crowd, row, now_us = gathered.crowd, gathered.crowd.rows()[learner_id], microseconds(now)
    _require_topic(asked.topic, gathered)
    people = people_of(await rules_of(tenant), gathered.roster, now_us=now_us, zone=UTC_ZONE)
    may = allowed(
        crowd,
        row,
        people,
        gathered.contacts,
        now_us=now_us,
        whole_school=asked.scope == "school",
        standing=gathered.standing,
    )
    affinity = affinity_from(bundles.bundle.settings.get("peers") if bundles.bundle else None)
    wish = Wish(tuple(dict.fromkeys(asked.modes or MODES)), asked.topic, asked.k, _aims(gathered, learner_id))
    peers = await asyncio.to_thread(
        peers_for,
        crowd,
        row,
        wish,
        allowed=may,
        contacts=gathered.contacts,
        affinity=affinity,
        now_us=now_us,
        standing=gathered.standing,
    )
    goes = likely(affinity, gathered.contacts, row, now_us, may.same_class, gathered.standing)
    offered = [r for r in gathered.recommender.catalogue.resources if r is not None and _offered(r, now)]
    tasks = peer_tasks(crowd, row, peers, teaching_of(offered))
    approvals = await _approvals(tenant, crowd, row, peers, may, approved_of)
    teacher = may_read and asked.audience != "learner"
    return CollaboratorsOut(
        learner_id=learner_id,
        options=[
            _option(
                crowd,
                peer,
                task,
                reasons_of(crowd, row, peer, likely=float(goes[peer.row])),
                approval,
                offered,
                teacher,
            )
            for peer, task, approval in zip(peers, tasks, approvals, strict=True)
        ],
        flags=_flags(gathered, row, may, now_us) if teacher else [],
        seen_token=token_of(gathered.seq),
        message=_MESSAGES.get(may.why or ("" if peers else "nobody")),
    )


async def _gather(
    asked: CollaboratorsIn, learner_id: str, *, tenant: str, store: Store, crowds: Crowds, now: datetime
) -> Gathered:
    class_id = None if asked.class_id is None else str(asked.class_id)
    theirs = await class_of(learner_id, class_id, tenant=tenant, store=store, now=now)
    at_least = 0 if asked.seen_token is None else seq_of(asked.seen_token)
    if asked.scope == "school":
        close = _close(learner_id, await store.people.learners(tenant))
        return await crowds.of_school(tenant, close, now=now, topic=asked.topic)
    skills = () if asked.topic is None else (asked.topic,)
    if theirs is None:
        return await crowds.of_school(tenant, [learner_id], now=now, topic=asked.topic)
    return await crowds.of_class(tenant, theirs, now=now, beside=[learner_id], skills=skills, at_least=at_least)


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


async def _approvals(
    tenant: str, crowd: Crowd, row: int, peers: Sequence[Peer], may: Allowed, approved_of: ApprovedOf
) -> list[str]:
    mine = crowd.learner_ids[row]
    pairs = [pair_of(mine, crowd.learner_ids[p.row]) for p in peers]
    asked = [pair for pair, p in zip(pairs, peers, strict=True) if may.waits[p.row]]
    approved = await approved_of(tenant, asked) if asked else frozenset()
    return [
        NOT_NEEDED if not may.waits[p.row] else APPROVED if pair in approved else WAITING
        for pair, p in zip(pairs, peers, strict=True)
    ]


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
