"""Everything a running server holds, opened in one place."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event

from prometheus_client import CollectorRegistry
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from engine.rules.times import zone_named
from serving.approving import CurrentApprovals
from serving.auth import KeyRing
from serving.contact import ContactDesk, Contacts, RulesOf, standing_rules
from serving.crowd import Crowd
from serving.crowds import Crowds
from serving.current_bundle import CurrentBundle, bundle_at
from serving.current_rules import CurrentRules
from serving.logs import json_log
from serving.metrics import Metrics
from serving.recording import Recorder, SettledDecisions
from serving.settings import Settings
from serving.storage.opening import open_store
from serving.storage.port import Store
from serving.swapping import Swapper, following


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
    rules: CurrentRules
    approvals: CurrentApprovals
    metrics: Metrics
    log: FilteringBoundLogger
    recorder: Recorder
    swapper: Swapper
    crowd: Crowd
    ending: Event = field(default_factory=Event)
    crowds: Crowds
    rules_of: RulesOf
    contacts: ContactDesk
    clock: Callable[[], datetime] = wall_clock


@asynccontextmanager
async def open_house(settings: Settings, bundles: CurrentBundle | None = None) -> AsyncIterator[House]:
    """Open everything, the bundle too where it is not given, and close it again.

    Raises BadBundle, BadInput or Unavailable before anything answers.
    """
    bundles, log = bundles or bundle_at(settings.bundle), json_log()
    metrics = Metrics(CollectorRegistry())
    metrics.bundle.labels(bundles.version).set(1)
    async with AsyncExitStack() as stack:
        opening = open_store(
            settings.store_url, redis_url=settings.redis_url, outbox=settings.data / "outbox", takes_in=settings.outbox
        )
        store = await stack.enter_async_context(opening)
        recorder = Recorder(store, metrics.unrecorded.inc)
        stack.push_async_callback(recorder.settled)
        swapper = Swapper(settings.data, bundles, store.catalogue, metrics=metrics, log=log)
        await stack.enter_async_context(following(swapper, settings.data))
        yield House(
            settings=settings,
            store=replace(store, decisions=SettledDecisions(store.decisions, recorder)),
            recorder=recorder,
            keys=KeyRing(store.keys, remember_s=settings.key_cache_s, grace_s=settings.key_grace_s),
            bundles=bundles,
            rules=CurrentRules(store.rules, zone_named(settings.time_zone)),
            approvals=CurrentApprovals(store.approvals),
            metrics=metrics,
            log=log,
            swapper=swapper,
            crowd=Crowd(most=settings.max_waiting, patience_s=settings.patience_s),
            crowds=Crowds(store, bundles),
            rules_of=standing_rules(store, zone_named(settings.time_zone)),
            contacts=Contacts(store.approvals),
        )


def house_of(scope: Scope) -> House:
    """The house that answers this request."""
    house: House = scope["app"].state.house
    return house
