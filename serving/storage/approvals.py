"""Questions that wait for a teacher, and what each class leaves to its teacher."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, delete, or_, select, update

from engine.rules.approvals import CONTACT, DECLINED, EXPIRED, WAITING, Setting
from serving.storage import tables
from serving.storage.acts import Act, Change
from serving.storage.audit import write_entries
from serving.storage.database import Database
from serving.storage.inserting import rules_counted
from serving.storage.questions import Approval, Asked
from serving.storage.rows import from_us, known_time, to_us

_table, _settings = tables.approvals, tables.approval_settings
_c = _table.c


class SqlApprovals:
    """`ApprovalStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, tenant: str, questions: Sequence[Approval], *, rested: datetime) -> None:
        """One statement for each, so that of two at once one is kept."""
        insert: Any = self._database.insert(_table)
        anew = {name: insert.excluded[name] for name in ("class_id", "detail", "asked_us", "until_us")}
        put = insert.on_conflict_do_update(
            index_elements=["tenant", "kind", "learner_id", "subject_id"],
            set_=anew,
            where=(_c.state == WAITING) & (_c.until_us <= to_us(rested)),
        )
        rows = sorted((_row(tenant, one) for one in questions), key=lambda r: (r["learner_id"], r["subject_id"]))
        async with self._database.writing() as connection:
            await connection.execute(put, rows)

    async def standing(self, tenant: str, kind: str, learner_ids: Sequence[str]) -> list[Approval]:
        """All of these learners, decided or not."""
        mine = select(_table).where(_c.tenant == tenant, _c.kind == kind, _c.learner_id.in_(learner_ids))
        return await self._read(mine.order_by(_c.asked_us, _c.approval_id))

    async def of_contact(self, tenant: str, learner_id: str) -> list[Approval]:
        """Whichever of the two has the smaller id."""
        mine = or_(_c.learner_id == learner_id, _c.subject_id == learner_id)
        wanted = select(_table).where(_c.tenant == tenant, _c.kind == CONTACT, mine)
        return await self._read(wanted.order_by(_c.asked_us, _c.approval_id))

    async def page(self, tenant: str, asked: Asked, *, now: datetime, limit: int) -> list[Approval]:
        """In the order they were put."""
        wanted = select(_table).where(_c.tenant == tenant)
        if asked.state is not None:
            wanted = wanted.where(_c.state == (WAITING if asked.state == EXPIRED else asked.state))
        if asked.state in (WAITING, EXPIRED):
            is_late = _c.until_us <= to_us(now)
            wanted = wanted.where(is_late if asked.state == EXPIRED else ~is_late)
        if asked.class_id is not None:
            wanted = wanted.where(_c.class_id == asked.class_id)
        if asked.learner_id is not None:
            wanted = wanted.where(_c.learner_id == asked.learner_id)
        if asked.after is not None:
            at_us, x_id = asked.after
            wanted = wanted.where(or_(_c.asked_us > at_us, (_c.asked_us == at_us) & (_c.approval_id > x_id)))
        return await self._read(wanted.order_by(_c.asked_us, _c.approval_id).limit(limit))

    async def decide(self, tenant: str, approval_id: str, state: str, act: Act) -> Approval | None:
        """The row and its entry in the audit, in one transaction."""
        mine = (_c.tenant == tenant) & (_c.approval_id == approval_id)
        said = {"state": state, "decided_us": to_us(act.at), "author": act.author, "reason": act.reason}
        async with self._database.writing() as connection:
            locking = select(_table).where(mine).with_for_update()
            before = (await connection.execute(locking)).mappings().one_or_none()
            if before is None:
                return None
            await connection.execute(update(_table).where(mine).values(**said))
            after = (await connection.execute(select(_table).where(mine))).mappings().one()
            about = (("learner", before["subject_id"]),) if before["kind"] == "contact" else ()
            change = Change(
                action=f"approval.{'decline' if state == DECLINED else 'approve'}",
                kind="approval",
                object_id=approval_id,
                scope={"learner_id": before["learner_id"]},
                before={"state": before["state"]},
                after={"state": state, "kind": before["kind"], "subject_id": before["subject_id"]},
                about=about,
            )
            await connection.run_sync(write_entries, tenant, act, [change])
        return _approval(after)

    async def forget(self, tenant: str, learner_id: str) -> None:
        """Theirs, and those of others that speak of them."""
        spoken = (_c.kind == "contact") & (_c.subject_id == learner_id)
        async with self._database.writing() as connection:
            gone = delete(_table).where(_c.tenant == tenant, or_(_c.learner_id == learner_id, spoken))
            await connection.execute(gone)

    async def settings(self, tenant: str) -> dict[str, Setting]:
        """By class."""
        wanted = select(_settings).where(_settings.c.tenant == tenant)
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).mappings()
            return {row["class_id"]: Setting(jump=row["jump"], days=row["days"]) for row in rows}

    async def put_setting(self, tenant: str, class_id: str, setting: Setting, act: Act) -> None:
        """Counts as a change of the rules, so that every server notices."""
        insert: Any = self._database.insert(_settings)
        put = insert.on_conflict_do_update(
            index_elements=["tenant", "class_id"], set_={x: insert.excluded[x] for x in ("jump", "days")}
        )
        mine = select(_settings).where(_settings.c.tenant == tenant, _settings.c.class_id == class_id)
        async with self._database.writing() as connection:
            await connection.run_sync(rules_counted, tenant)
            stood = (await connection.execute(mine)).mappings().one_or_none()
            row = {"tenant": tenant, "class_id": class_id, "jump": setting.jump, "days": setting.days}
            await connection.execute(put, row)
            change = Change(
                action="approvals.set",
                kind="class",
                object_id=class_id,
                scope={"class_id": class_id},
                before=None if stood is None else {"jump": stood["jump"], "days": stood["days"]},
                after={"jump": setting.jump, "days": setting.days},
            )
            await connection.run_sync(write_entries, tenant, act, [change])

    async def _read(self, wanted: Select[Any]) -> list[Approval]:
        async with self._database.reading() as connection:
            return [_approval(row) for row in (await connection.execute(wanted)).mappings()]


def _approval(row: RowMapping) -> Approval:
    return Approval(
        approval_id=row["approval_id"],
        kind=row["kind"],
        learner_id=row["learner_id"],
        subject_id=row["subject_id"],
        class_id=row["class_id"],
        detail=row["detail"],
        asked_at=known_time(row["asked_us"]),
        until=known_time(row["until_us"]),
        state=row["state"],
        decided_at=from_us(row["decided_us"]),
        author=row["author"],
        reason=row["reason"],
    )


def _row(tenant: str, one: Approval) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "approval_id": one.approval_id,
        "kind": one.kind,
        "learner_id": one.learner_id,
        "subject_id": one.subject_id,
        "class_id": one.class_id,
        "detail": one.detail,
        "asked_us": to_us(one.asked_at),
        "until_us": to_us(one.until),
        "state": one.state,
    }
