"""What a teacher asks and says of what waits for them."""

import re
from datetime import datetime

import msgspec

from engine.domain.errors import Unknown
from engine.rules.approvals import APPROVED, CONTACT, DECLINED, Setting, standing_of
from serving.errors import WrongShape
from serving.schemas_approvals import ApprovalIn, ApprovalOut, ApprovalSettingIn, ApprovalSettingOut, ApprovalsOut
from serving.storage.acts import Act
from serving.storage.questions import Approval, ApprovalStore, Asked
from serving.storage.rows import to_us
from serving.wire import valid_id


async def approvals_for(
    state: str | None,
    *,
    class_id: str | None,
    learner_id: str | None,
    cursor: str | None,
    limit: int,
    tenant: str,
    store: ApprovalStore,
    now: datetime,
) -> ApprovalsOut:
    """A page of questions, in the order they were put."""
    asked = Asked(state=state, class_id=class_id, learner_id=learner_id, after=_after(cursor))
    found = await store.page(tenant, asked, now=now, limit=limit + 1)
    page = found[:limit]
    more = f"{to_us(page[-1].asked_at)}.{page[-1].approval_id}" if len(found) > limit else None
    return ApprovalsOut(approvals=[_out(one, now) for one in page], next_cursor=more)


async def decide(approval_id: str, given: ApprovalIn, *, act: Act, tenant: str, store: ApprovalStore) -> ApprovalOut:
    """Keep a teacher's word; it counts from the next call on. Raises Unknown where there is no such question."""
    state = APPROVED if given.decision == "approve" else DECLINED
    found = await store.decide(tenant, approval_id, state, act)
    if found is None:
        raise Unknown("nothing with this id waits or waited; GET /v1/approvals lists what does")
    return _out(found, act.at)


async def setting_of(class_id: str, *, tenant: str, store: ApprovalStore) -> ApprovalSettingOut:
    """What a class leaves to its teacher; one that nobody set leaves nothing."""
    setting = (await store.settings(tenant)).get(class_id, Setting())
    return ApprovalSettingOut(class_id=class_id, jump=setting.jump, days=setting.days)


async def put_setting(
    class_id: str, given: ApprovalSettingIn, *, act: Act, tenant: str, store: ApprovalStore
) -> ApprovalSettingOut:
    """Replace what a class leaves to its teacher, from the next call on."""
    setting = Setting(jump=given.jump, days=given.days)
    await store.put_setting(tenant, valid_id(class_id, "class_id"), setting, act)
    return ApprovalSettingOut(class_id=class_id, jump=setting.jump, days=setting.days)


def _after(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    found = re.fullmatch(r"(-?[0-9]{1,18})\.([0-9a-f]{32})", cursor)
    if found is None:
        raise WrongShape("cursor is not one that GET /v1/approvals gave; hand on next_cursor unchanged or leave it out")
    return int(found[1]), found[2]


def _out(one: Approval, now: datetime) -> ApprovalOut:
    detail = msgspec.json.decode(one.detail)
    return ApprovalOut(
        approval_id=one.approval_id,
        kind=one.kind,
        learner_id=one.learner_id,
        subject_id=one.subject_id,
        title=detail["title"],
        skills=tuple(detail["skills"]),
        class_id=one.class_id,
        asked_at=one.asked_at,
        until=one.until,
        state=standing_of(one.state, one.until, now),
        decided_at=one.decided_at,
        author=one.author,
        reason=one.reason,
        words=_words(one, detail),
    )


def _words(one: Approval, detail: dict[str, object]) -> str:
    if one.kind == CONTACT:
        return f"May {one.learner_id} and {one.subject_id} have contact with each other?"
    names = detail.get("names", detail["skills"])
    assert isinstance(names, list)
    before = f"{len(names)} skill{'s' if len(names) != 1 else ''} not mastered before it"
    return f"May {one.learner_id} jump ahead to “{detail['title']}”, with {before}: {', '.join(names)}?"
