"""Everything a running server holds, opened in one place."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from serving.auth import KeyRing
from serving.contact import ApprovedOf, RulesOf, no_rules, none_approved
from serving.crowds import Crowds
from serving.current_bundle import CurrentBundle, bundle_at
from serving.logs import json_log
from serving.metrics import Metrics
from serving.settings import Settings
from serving.storage.opening import open_store
from serving.storage.port import Store


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What routes and middleware take their needs from."""

    settings: Settings
    store: Store
    keys: KeyRing
    bundles: CurrentBundle
    metrics: Metrics
    log: FilteringBoundLogger
    crowds: Crowds
    clock: Callable[[], datetime] = wall_clock
    rules_of: RulesOf = no_rules
    approved_of: ApprovedOf = none_approved


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Open everything and close it again; raises BadBundle, BadInput or Unavailable before anything answers."""
    bundles = bundle_at(settings.bundle)
    metrics = Metrics(CollectorRegistry())
    metrics.bundle.labels(bundles.version).set(1)
    async with AsyncExitStack() as stack:
        opening = open_store(
            settings.store_url, redis_url=settings.redis_url, outbox=settings.data / "outbox", takes_in=settings.outbox
        )
        store = await stack.enter_async_context(opening)
        yield House(
            settings=settings,
            store=store,
            keys=KeyRing(store.keys, remember_s=settings.key_cache_s, grace_s=settings.key_grace_s),
            bundles=bundles,
            metrics=metrics,
            log=json_log(),
            crowds=Crowds(store, bundles),
        )


def house_of(scope: Scope) -> House:
    """The house that answers this request."""
    house: House = scope["app"].state.house
    return house
