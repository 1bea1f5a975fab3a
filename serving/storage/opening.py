"""Where the seven ports of one database meet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from serving.storage.answers import SqlAnswers
from serving.storage.database import open_database
from serving.storage.decisions import SqlDecisions
from serving.storage.events import SqlEvents
from serving.storage.keys import SqlKeys
from serving.storage.port import Store
from serving.storage.records import SqlCatalogue, SqlPeople
from serving.storage.states import SqlStates


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """The store behind `url`, made where it is absent; raises Unavailable or BadInput."""
    async with open_database(url) as (database, store_id):
        yield Store(
            store_id=store_id,
            events=SqlEvents(database),
            catalogue=SqlCatalogue(database),
            people=SqlPeople(database),
            decisions=SqlDecisions(database),
            states=SqlStates(database),
            answers=SqlAnswers(database),
            keys=SqlKeys(database),
        )
