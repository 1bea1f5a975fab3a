"""What waits for a teacher's word: asked where a class says so, never shown meanwhile, in force on the next call."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from engine.domain.decision import Decision, Flag, Option, Request
from engine.domain.errors import Unavailable
from engine.domain.query import Query, current_class
from engine.recommender import Ask, Recommender
from engine.rules.approvals import (
    APPROVED,
    JUMP,
    Ahead,
    Setting,
    jumps_of,
    mastered_of,
    may_ask_again,
    standing_of,
)
from engine.rules.plan import Plan
from serving.known_learner import KnownLearner
from serving.storage.port import LearnerContext
from serving.storage.questions import Approval, ApprovalStore

FLAG = "waits_for_approval"
_MOST_NAMES = 3


class Permits(msgspec.Struct, frozen=True, kw_only=True):
    """What classes leave to their teachers, and what was said of the learners of one request.

    `settings` by class. `said`: by learner and resource, every question about a jump. `ahead` knows what comes first.
    """

    settings: Mapping[str, Setting] = msgspec.field(default_factory=dict)
    said: Mapping[tuple[str, str], Approval] = msgspec.field(default_factory=dict)
    ahead: Ahead | None = None

    def limit(self, class_id: str | None) -> int | None:
        """How far ahead a resource may lie in this class; None where nobody asks."""
        setting = self.settings.get(class_id or "")
        return None if setting is None else setting.jump

    def of(self, learner_id: str) -> dict[str, Approval]:
        """What was said of one learner, by resource."""
        return {x: one for (learner, x), one in self.said.items() if learner == learner_id}


class CurrentApprovals:
    """What classes leave to their teachers, as known at the version of the rules that each request has read."""

    def __init__(self, store: ApprovalStore) -> None:
        self._store = store
        self._settings: dict[str, tuple[int, Mapping[str, Setting]]] = {}
        self._ahead: dict[str, tuple[Recommender, Ahead]] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def permits(
        self, tenant: str, version: int, asked_in: Mapping[str, str | None], recommender: Recommender
    ) -> Permits:
        """What learners may have in the classes they are asked in.

        While the store is away nothing new is allowed, and the settings that were known hold.

        Raises Unavailable where the store is away and the settings were never known here.
        """
        settings = await self._known(tenant, version)
        strict = {x for x, setting in settings.items() if setting.jump is not None}
        mine = [x for x, class_id in asked_in.items() if class_id in strict]
        if not mine:
            return Permits()
        said: list[Approval] = []
        with suppress(Unavailable):
            said = await self._store.standing(tenant, JUMP, mine)
        kept = self._ahead.get(tenant)
        if kept is None or kept[0] is not recommender:
            kept = self._ahead[tenant] = (recommender, Ahead(recommender.graph))
        return Permits(settings=settings, said={(a.learner_id, a.subject_id): a for a in said}, ahead=kept[1])

    async def setting(self, tenant: str, version: int, class_id: str | None) -> Setting:
        """What this class leaves to its teacher; Unavailable as above."""
        return (await self._known(tenant, version)).get(class_id or "", Setting())

    async def _known(self, tenant: str, version: int) -> Mapping[str, Setting]:
        at, settings = self._settings.get(tenant, (-1, {}))
        if at >= version:
            return settings
        async with self._reading[tenant]:
            at, settings = self._settings.get(tenant, (-1, {}))
            if at < version:
                try:
                    settings = await self._store.settings(tenant)
                except Unavailable:
                    if at < 0:
                        raise
                    return settings
                self._settings[tenant] = (version, settings)
        return settings


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """A decision without anything that waits, the request that it answers, and the questions to put."""

    decision: Decision
    request: Request
    questions: tuple[Approval, ...] = ()


def asks_of(ask: Ask, barred: Mapping[str, Sequence[str]]) -> list[Ask]:
    """What to decide: the ask itself; where something waits, the ask without it, and what would be shown with it."""
    if not barred:
        return [ask]
    bound = replace(ask.request, exclude=(*ask.request.exclude, *barred))
    # In the plain order: whose turn it is among near-ties shall not put questions.
    return [replace(ask, request=bound), replace(ask, request=replace(ask.request, explore=False))]


def approved(
    asks: Sequence[Ask],
    decisions: Sequence[Decision],
    barred: Mapping[str, tuple[str, ...]],
    *,
    known: KnownLearner,
    permits: Permits,
) -> Approved:
    """The decision, out of what needs no word of the teacher; what else would be shown becomes a question.

    `decisions` are those of `asks_of`. What a teacher pinned or assigned is their word already.
    """
    decision, request, query = decisions[0], asks[0].request, asks[0].query
    if not barred:
        return Approved(decision=decision, request=request)
    held = [o for o in decisions[1].slate if o.resource_id in barred and o.origin != "teacher"]
    titles = known.recommender.titles
    flags = tuple(_flag(o.title, barred[o.resource_id], titles) for o in held)
    setting = permits.settings[query.class_id or ""]
    said = permits.of(known.learner_id)
    questions = tuple(
        _question(o, barred[o.resource_id], query, titles, setting, decision.at)
        for o in held
        if _is_open(said.get(o.resource_id), setting, decision.at)
    )
    shown = msgspec.structs.replace(decision, flags=(*decision.flags, *flags))
    return Approved(decision=shown, request=request, questions=questions)


def barred_for(known: KnownLearner, query: Query, plan: Plan | None, permits: Permits) -> dict[str, tuple[str, ...]]:
    """The jumps that nobody approved, with the skills that lie before each; none where the class leaves none."""
    limit = permits.limit(query.class_id)
    if limit is None or permits.ahead is None:
        return {}
    recommender = known.recommender
    menu = recommender.teaching.menu if recommender.teaching is not None else None
    mastered = mastered_of(menu, recommender.learner, known.state, plan=plan, now_us=query.now_us)
    jumps = jumps_of(recommender.catalogue.resources, permits.ahead, mastered, limit=limit, plan=plan)
    said = permits.of(known.learner_id)
    return {x: unmet for x, unmet in jumps.items() if x not in said or said[x].state != APPROVED}


def class_in_question(asked: str | None, context: LearnerContext, now: datetime) -> str | None:
    """The class asked for, else the learner's current one."""
    told = context.learner.classes if context.learner is not None else ()
    return asked or current_class(told, context.classes, now)


async def put_questions(tenant: str, made: Sequence[Approved], store: ApprovalStore) -> None:
    """Keep the questions; where that fails the next request puts them again, and nothing is shown meanwhile."""
    questions = [q for one in made for q in one.questions]
    if questions:
        with suppress(Unavailable):
            await store.ask(tenant, questions, rested=questions[0].asked_at)


def _is_open(said: Approval | None, setting: Setting, now: datetime) -> bool:
    """Whether the question is to be put: nobody did, or it expired and has rested."""
    if said is None:
        return True
    return standing_of(said.state, said.until, now) == "expired" and may_ask_again(said.until, setting.days, now)


def _question(
    option: Option,
    unmet: tuple[str, ...],
    query: Query,
    titles: Mapping[str, str],
    setting: Setting,
    now: datetime,
) -> Approval:
    return Approval(
        approval_id=uuid.uuid4().hex,
        kind=JUMP,
        learner_id=query.learner_id,
        subject_id=option.resource_id,
        class_id=query.class_id,
        detail=_json({"title": option.title, "skills": unmet, "names": [titles.get(x, x) for x in unmet]}),
        asked_at=now,
        until=now + timedelta(days=setting.days),
    )


def _flag(title: str, unmet: tuple[str, ...], titles: Mapping[str, str]) -> Flag:
    names = ", ".join(titles.get(x, x) for x in unmet[:_MOST_NAMES]) + (" …" if len(unmet) > _MOST_NAMES else "")
    lie = "1 skill that is not mastered lies" if len(unmet) == 1 else f"{len(unmet)} skills that are not mastered lie"
    words = f"“{title}” waits for your word and is not shown: {lie} before it ({names})."
    facts: dict[str, str | float | tuple[str, ...]] = {
        "title": title,
        "skill_ids": unmet,
        "skills": tuple(titles.get(x, x) for x in unmet),
    }
    return Flag(code=FLAG, skill_id=unmet[0], text_teacher=words, facts=facts)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
