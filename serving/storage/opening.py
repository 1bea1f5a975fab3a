"""Where the eleven ports of one database meet, and what stands around them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from serving.storage.answers import SqlAnswers
from serving.storage.approvals import SqlApprovals
from serving.storage.audit import SqlAudit
from serving.storage.catalogue import SqlCatalogue
from serving.storage.copies import Copies
from serving.storage.database import PATIENCE_S, connected
from serving.storage.decisions import SqlDecisions
from serving.storage.events import SqlEvents
from serving.storage.groupings import SqlGroupings
from serving.storage.keys import SqlKeys
from serving.storage.migrating import prepared
from serving.storage.patient import patient
from serving.storage.port import Store
from serving.storage.records import SqlPeople
from serving.storage.rules import SqlRules
from serving.storage.states import SqlStates

if TYPE_CHECKING:
    from serving.storage.redis_copies import RedisCopies


@asynccontextmanager
async def open_store(
    url: str,
    *,
    redis_url: str = "",
    outbox: Path | None = None,
    takes_in: bool = True,
    patience_s: float = PATIENCE_S,
    committed: Callable[[int], None] | None = None,
) -> AsyncIterator[Store]:
    """The store behind `url`, made where it is absent; `redis_url` names the Redis that servers share copies in.

    `outbox` is the folder in which events wait while the database is away. Without one they are refused then, and
    where it no longer `takes_in` anything too; what still waits in it is put into the store all the same. A server that
    takes longer than `patience_s` seconds for a statement counts as away. `committed` is told the rows of each group
    that was written together.

    Raises Unavailable where the database is away, BadInput where it is of another version; Redis may be away.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connected(url, patience_s=patience_s))
        database.tell(committed)
        store_id = await prepared(database)
        shared: RedisCopies | None = None
        if redis_url:
            # Imported only where there is one: it takes 100 ms.
            from serving.storage.redis_copies import redis_copies

            shared = await stack.enter_async_context(redis_copies(redis_url, store_id))
        copies = Copies(shared)
        store = Store(
            store_id=store_id,
            events=SqlEvents(database, copies),
            catalogue=SqlCatalogue(database),
            people=SqlPeople(database),
            groupings=SqlGroupings(database),
            decisions=SqlDecisions(database),
            states=SqlStates(database, copies),
            answers=SqlAnswers(database),
            rules=SqlRules(database),
            approvals=SqlApprovals(database),
            keys=SqlKeys(database),
            audit=SqlAudit(database),
            away_s=database.away_s,
            copies_away_s=float if shared is None else shared.away_s,
        )
        if outbox is not None:
            waiting_for_it = await stack.enter_async_context(patient(store, outbox))
            store = waiting_for_it if takes_in else store
        yield store
