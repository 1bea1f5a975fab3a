"""The interactions of every tenant, in the order they were told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import select

from engine.domain.interaction import Interaction
from serving.storage import tables
from serving.storage.appending import Batch, append_all
from serving.storage.contexts import look_at_hand, look_up
from serving.storage.copies import Copies
from serving.storage.database import Database
from serving.storage.gathering import GatheredLooks
from serving.storage.port import Appended, LearnerContext
from serving.storage.rows import content_of, holding_nul, interaction_of, interaction_row, to_us

NUL = "a text of this event holds the character NUL; leave it out"
# So many learners at hand, about a class, are looked at without a thread, or together with others.
_BRIEF = 32
_events = tables.interactions.c


class SqlEvents:
    """`EventStore` in SQL."""

    def __init__(self, database: Database, copies: Copies) -> None:
        self._database = database
        self._copies = copies
        self._looks = GatheredLooks(self._looked)

    async def append(
        self, tenant: str, interactions: Sequence[Interaction], *, stamp: datetime | None = None
    ) -> Appended:
        """Written with whatever else is waiting; when this returns it is on disk."""
        contents, stamp_us = [content_of(e) for e in interactions], to_us(stamp)
        if nul := holding_nul(interactions, contents):
            return await self._append_others(tenant, interactions, stamp, tuple((i, NUL) for i in nul))
        told = zip(interactions, contents, strict=True)
        rows = [interaction_row(tenant, e, stamp_us, content) for e, content in told]
        timeless = frozenset(i for i, e in enumerate(interactions) if e.at is None)
        appended: Appended = await self._database.write(append_all, Batch(tenant, rows, timeless))
        return appended

    async def after(self, tenant: str, seq: int, limit: int) -> list[tuple[int, Interaction]]:
        """One page, oldest first."""
        page = (
            select(tables.interactions)
            .where(_events.tenant == tenant, _events.seq > seq)
            .order_by(_events.seq)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [(r.seq, interaction_of(r)) for r in await connection.execute(page)]

    async def context(self, tenant: str, learner_id: str, class_id: str | None = None) -> LearnerContext:
        """One learner's."""
        return (await self.contexts(tenant, [learner_id], class_id))[learner_id]

    async def contexts(
        self, tenant: str, learner_ids: Sequence[str], class_id: str | None = None
    ) -> dict[str, LearnerContext]:
        """What is at hand, continued by the database in one look."""
        if not learner_ids:
            return {}
        known = await self._copies.known(tenant, list(dict.fromkeys(learner_ids)))
        # Of who is at hand, only what came since is asked for.
        at_hand = {x: before for x, before in known.items() if before is not None and before.arrived}
        if len(known) > _BRIEF or len(at_hand) < len(known):
            found = await self._looked(tenant, known, class_id)
        else:
            look = partial(look_at_hand, tenant=tenant, known=at_hand, class_id=class_id)
            glanced = self._database.glance(look)
            found = glanced if glanced is not None else await self._looks.contexts(tenant, at_hand, class_id)
        self._copies.keep(tenant, found, unknown=[x for x, before in known.items() if before is None])
        return found

    async def remembered(self, tenant: str, learner_ids: Sequence[str]) -> dict[str, LearnerContext | None]:
        """What is at hand, without asking the database."""
        return await self._copies.known(tenant, list(dict.fromkeys(learner_ids)))

    async def _looked(
        self, tenant: str, known: Mapping[str, LearnerContext | None], class_id: str | None
    ) -> dict[str, LearnerContext]:
        return await self._database.look(partial(look_up, tenant=tenant, known=known, class_id=class_id))

    async def _append_others(
        self,
        tenant: str,
        interactions: Sequence[Interaction],
        stamp: datetime | None,
        refused: tuple[tuple[int, str], ...],
    ) -> Appended:
        """Append all but those refused, and say each place as the sender counts."""
        gone = {place for place, _ in refused}
        places = [i for i in range(len(interactions)) if i not in gone]
        kept = await self.append(tenant, [interactions[i] for i in places], stamp=stamp)
        rejected = sorted([*refused, *((places[i], reason) for i, reason in kept.rejected)])
        return Appended(accepted=kept.accepted, duplicates=kept.duplicates, rejected=tuple(rejected), seq=kept.seq)
