"""Counts and times for Prometheus; labels are routes, statuses, modes and verbs, never learners or tenants."""

import os
import struct
import time
from collections import Counter as Counted
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from engine.bundle import Bundle
from engine.domain.decision import Decision
from engine.domain.errors import TrailmateError
from serving.errors import OverQuota
from serving.overload import Overloaded
from serving.seats import Seat, set_aside
from serving.storage.port import Store

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
_WAITS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
_LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 1000)
# So often it is looked again where a file was written over meanwhile.
_LOOKS = 5
# The files of a seat, as the library names them, and the bytes set aside for each: three times what all routes with all
# statuses take.
_KINDS = ("counter", "histogram", "gauge_sum", "gauge_max")
_FILE_BYTES = 1 << 19
# What may become of a bundle that was promoted.
SWAPS = ("promoted", "rolled_back", "refused")
# What may become of an event.
FATES = ("accepted", "duplicate", "rejected")
_REFUSALS: dict[type[TrailmateError], str] = {OverQuota: "quota", Overloaded: "shed"}


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric there is; `docs/operator.md` lists them, and a test holds both equal.

    With a `seat` they live in files that all processes of a server read, so that any of them answers for all; what a
    process counted stays counted when another takes its place.
    """

    registry: CollectorRegistry
    seat: Seat | None = None
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    events: Counter = field(init=False)
    decisions: Counter = field(init=False)
    away: Counter = field(init=False)
    unrecorded: Counter = field(init=False)
    rules: Counter = field(init=False)
    refused: Counter = field(init=False)
    commits: Histogram = field(init=False)
    waits: Histogram = field(init=False)
    lags: Histogram = field(init=False)
    swaps: Counter = field(init=False)
    bundle: Gauge = field(init=False)
    bundle_written_at: Gauge = field(init=False)
    bundle_at: Gauge = field(init=False)
    last_event_at: Gauge = field(init=False)
    away_s: Gauge = field(init=False)
    outbox: Gauge = field(init=False)
    waiting: Gauge = field(init=False)
    _served: set[str] = field(init=False, default_factory=set)
    _ways: dict[tuple[str, str, int], tuple[Counter, Histogram]] = field(init=False, default_factory=dict)
    _modes: dict[str, Counter] = field(init=False, default_factory=dict)
    _fates: dict[str, Counter] = field(init=False, default_factory=dict)
    _verbs: dict[tuple[str, bool], Counter] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Files of processes do not have them, and they double the series.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        if self.seat is not None:
            _share(self.seat)
        for name, metric in (_counters(self.registry) | _gauges(self.registry)).items():
            object.__setattr__(self, name, metric)
        # Told as 0 from the start: Prometheus sees no increase in a series that begins with its first count.
        for why in _REFUSALS.values():
            self.refused.labels(why)
        for fate in FATES:
            self._fates[fate] = self.events.labels(fate)
        for what in SWAPS:
            self.swaps.labels(what)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request, in the series that were looked up once."""
        way = self._ways.get((method, route, status))
        if way is None:
            way = self.requests.labels(method, route, str(status)), self.seconds.labels(route)
            self._ways[method, route, status] = way
        way[0].inc()
        way[1].observe(seconds)

    def serves(self, version: str, bundle: Bundle | None) -> None:
        """This process serves this bundle from now on, and no longer the one before."""
        # Set to 0 and not taken away: what lies in files of processes stays.
        for before in self._served - {version}:
            self.bundle.labels(before).set(0)
        self._served.add(version)
        self.bundle.labels(version).set(1)
        self.bundle_at.set(time.time())
        self.bundle_written_at.set(0 if bundle is None else _written_at(bundle))

    def heard(self, fates: Mapping[str, int]) -> None:
        """A batch of events: how many were accepted, duplicate, rejected."""
        for fate, n in fates.items():
            if n:
                self._fates[fate].inc(n)
        if fates.get("accepted"):
            self.last_event_at.set(time.time())

    def turned_away(self, error: TrailmateError) -> None:
        """An error was answered: where it was to protect the others, it counts."""
        for kind, why in _REFUSALS.items():
            if isinstance(error, kind):
                self.refused.labels(why).inc()

    def decided(self, decision: Decision, *, is_away: bool, lag: int) -> None:
        """A decision: its step of the ladder, what rules did to it, how many events its learner's kept state lacked."""
        mode = self._modes.get(decision.mode)
        if mode is None:
            mode = self._modes[decision.mode] = self.decisions.labels(decision.mode)
        mode.inc()
        self.lags.observe(lag)
        if is_away:
            self.away.inc()
        touched = decision.beside.get("touched")
        if touched is None:
            touched = decision.beside["touched"] = Counted((rule.verb, rule.held) for rule in decision.rules)
        for key, n in touched.items():
            verb = self._verbs.get(key)
            if verb is None:
                verb = self._verbs[key] = self.rules.labels(key[0], "yes" if key[1] else "no")
            verb.inc(n)

    def committed(self, n_rows: int) -> None:
        """So many rows went to disk in one transaction."""
        self.commits.observe(n_rows)

    def look(self, store: Store, *, waiting: int) -> None:
        """What can only be seen by looking: whether the store is there, how much waits for it, who waits for us."""
        self.away_s.set(store.away_s())
        self.outbox.set(store.waiting())
        self.waiting.set(waiting)

    def text(self) -> bytes:
        """All of it, of all processes, in the text format of Prometheus."""
        return generate_latest(self.registry if self.seat is None else _Shared(self.seat.folder))


class _Shared:
    """The files of all seats, added up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """As one process would have counted it all."""
        for _ in range(_LOOKS):
            # A process that begins writes over what the one before it saw last.
            with suppress(FileNotFoundError, ValueError, RuntimeError, struct.error):
                return self._merged()
        return self._merged()

    def _merged(self) -> Iterable[Metric]:
        # A file without content is one that a process is making this very moment.
        files = sorted(str(path) for path in self._folder.glob("*.db") if path.stat().st_size)
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return merged


def _share(seat: Seat) -> None:
    """From now on, metrics made in this process live in files named after the seat.

    The library offers this only to the whole process, and names files by process id where it is left to itself.
    """
    for kind in _KINDS:
        set_aside(seat.folder / f"{kind}_{seat.number}.db", _FILE_BYTES)
    # What the one before served, and what waited for it, is over; what it counted, and when it saw what, stays. Emptied
    # and not taken away, for on a full disk there would be no room for another: its first bytes say how much it holds.
    with (seat.folder / f"gauge_sum_{seat.number}.db").open("r+b") as file:
        file.write(bytes(8))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(seat.folder)
    values.ValueClass = values.MultiProcessValue(lambda: seat.number)  # type: ignore[no-untyped-call]


def _written_at(bundle: Bundle) -> float:
    """When its manifest was written, in seconds since 1970; 0 where nobody can say any more."""
    try:
        return (bundle.path / "manifest.json").stat().st_mtime
    except OSError:
        return 0


def _counters(registry: CollectorRegistry) -> dict[str, Counter | Histogram]:
    def counter(name: str, words: str, *labels: str) -> Counter:
        return Counter(f"trailmate_{name}", words, labels, registry=registry)

    def histogram(name: str, words: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"trailmate_{name}", words, labels, buckets=buckets, registry=registry)

    return {
        "requests": counter("requests", "requests answered", "method", "route", "status"),
        "seconds": histogram("request_seconds", "time to answer", _SECONDS, "route"),
        "events": counter("events", "events by what became of them", "fate"),
        "decisions": counter("decisions", "decisions by mode, the step of the ladder", "mode"),
        "away": counter("away_decisions", "decisions made of what was last known, the store being away"),
        "unrecorded": counter("unrecorded_decisions", "decisions answered while no store took them"),
        "rules": counter("rules", "rules that touched a decision, by whether they held", "verb", "held"),
        "refused": counter("refused_requests", "requests turned away to protect the others", "why"),
        "commits": histogram("commit_rows", "rows written in one transaction", _ROWS),
        "waits": histogram("seen_wait_seconds", "time an answer waited for the events of its seen_token", _WAITS),
        "lags": histogram("state_lag_events", "events that the kept state of a learner lacked when asked for", _LAGS),
        "swaps": counter("bundle_swaps", "changes of the bundle, counted by each process", "what"),
    }


def _gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def summed(name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"trailmate_{name}", words, labels, registry=registry, multiprocess_mode="sum")

    def largest(name: str, words: str) -> Gauge:
        return Gauge(f"trailmate_{name}", words, registry=registry, multiprocess_mode="max")

    return {
        "bundle": summed("bundle", "processes that serve this bundle", "version"),
        "bundle_written_at": largest("bundle_written_timestamp_seconds", "when the bundle served was written"),
        "bundle_at": largest("bundle_taken_up_timestamp_seconds", "when the bundle served was taken up"),
        "last_event_at": largest("last_event_timestamp_seconds", "when an event was last accepted"),
        "away_s": largest("store_away_seconds", "for how long the store has not answered, 0 while it does"),
        "outbox": summed("outbox_entries", "entries that wait in the outbox for the store"),
        "waiting": summed("waiting_requests", "recommendations that wait or are being made"),
    }
