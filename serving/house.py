"""Everything a running server holds, opened in one place."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from engine.rules.times import zone_named
from serving.absences import Absences
from serving.approving import CurrentApprovals
from serving.auth import KeyRing
from serving.crowds import Crowds
from serving.current_bundle import CurrentBundle, bundle_at
from serving.current_rules import CurrentRules
from serving.deciding import Deciding
from serving.logs import JsonLog, json_log
from serving.metrics import Metrics
from serving.overload import WaitingRoom
from serving.quotas import Quotas, open_quotas
from serving.recording import Recorder, SettledDecisions
from serving.seats import take_seat
from serving.settings import Settings
from serving.storage.opening import open_store
from serving.storage.port import Store
from serving.swapping import Swapper, following
from serving.traces import Traces

_LOOK_EVERY_S = 1.0


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
    quotas: Quotas
    log: JsonLog
    recorder: Recorder
    swapper: Swapper
    waiting_room: WaitingRoom
    ending: Event = field(default_factory=Event)
    crowds: Crowds
    deciding: Deciding = field(default_factory=Deciding)
    traces: Traces | None = None
    clock: Callable[[], datetime] = wall_clock

    def span(self, name: str) -> AbstractContextManager[object]:
        """A part of this request, where traces are kept."""
        return self.traces.span(name) if self.traces else nullcontext()

    def look(self) -> None:
        """Count what can only be seen by looking."""
        self.metrics.look(self.store, waiting=self.waiting_room.waiting)


@asynccontextmanager
async def open_house(
    settings: Settings,
    bundles: CurrentBundle | None = None,
    *,
    counting_in: Path | None = None,
    traces: Traces | None = None,
) -> AsyncIterator[House]:
    """Open everything, the bundle too where it is not given, and close it again.

    `counting_in` is the folder in which several processes count together.
    Raises BadBundle, BadInput or Unavailable before anything answers.
    """
    bundles, log = bundles or bundle_at(settings.bundle), json_log()
    async with AsyncExitStack() as stack:
        stack.callback(log.flush)
        if traces is not None:
            stack.callback(traces.close)
        metrics = stack.enter_context(_counting(counting_in))
        metrics.serves(bundles.version, bundles.bundle)
        quotas = stack.enter_context(open_quotas(settings))
        store = await stack.enter_async_context(_store(settings, metrics))
        store = traces.around(store) if traces else store
        recorder = Recorder(store, metrics.unrecorded.inc)
        stack.push_async_callback(recorder.settled)
        swapper = Swapper(settings.data, bundles, store.catalogue, metrics=metrics, log=log)
        await stack.enter_async_context(following(swapper, settings.data))
        rules = CurrentRules(store.rules, zone_named(settings.time_zone))
        approvals = CurrentApprovals(store.approvals)
        house = House(
            settings=settings,
            store=replace(store, decisions=SettledDecisions(store.decisions, recorder)),
            recorder=recorder,
            keys=KeyRing(store.keys, remember_s=settings.key_cache_s, grace_s=settings.key_grace_s),
            bundles=bundles,
            rules=rules,
            approvals=approvals,
            metrics=metrics,
            quotas=quotas,
            log=log,
            swapper=swapper,
            waiting_room=WaitingRoom(most=settings.max_waiting, patience_s=settings.patience_s),
            crowds=Crowds(store, bundles, rules, approvals),
            traces=traces,
        )
        await stack.enter_async_context(_looking(house))
        yield house


@contextmanager
def _counting(folder: Path | None) -> Iterator[Metrics]:
    """The metrics of this process; with a folder, it takes a seat there and counts together with the others."""
    seat = None if folder is None else take_seat(folder)
    try:
        yield Metrics(CollectorRegistry(), seat)
    finally:
        if seat is not None:
            seat.free()


def _store(settings: Settings, metrics: Metrics) -> AbstractAsyncContextManager[Store]:
    return open_store(
        settings.store_url,
        redis_url=settings.redis_url,
        outbox=settings.data / "outbox",
        takes_in=settings.outbox,
        committed=metrics.committed,
    )


@asynccontextmanager
async def _looking(house: House) -> AsyncIterator[None]:
    """Keep up what a scrape answered by another process cannot see."""

    absences = Absences(house.log)

    async def look() -> None:
        while True:
            house.look()
            absences.look(house.store)
            await asyncio.sleep(_LOOK_EVERY_S)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


def house_of(scope: Scope) -> House:
    """The house that answers this request."""
    house: House = scope["app"].state.house
    return house
