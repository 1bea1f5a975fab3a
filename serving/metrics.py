"""Counts and times for Prometheus; labels are routes, statuses and modes, never learners or tenants."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric there is; `docs/operator.md` lists them, and a test holds both equal."""

    registry: CollectorRegistry
    requests: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    events: Counter = field(init=False)
    decisions: Counter = field(init=False)
    unrecorded: Counter = field(init=False)
    bundle: Gauge = field(init=False)

    def __post_init__(self) -> None:
        made = {
            "requests": Counter(
                "trailmate_requests", "requests answered", ("method", "route", "status"), registry=self.registry
            ),
            "seconds": Histogram(
                "trailmate_request_seconds", "time to answer", ("route",), buckets=_SECONDS, registry=self.registry
            ),
            "events": Counter("trailmate_events", "events by what became of them", ("fate",), registry=self.registry),
            "decisions": Counter("trailmate_decisions", "decisions by mode", ("mode",), registry=self.registry),
            "unrecorded": Counter(
                "trailmate_unrecorded_decisions", "decisions answered while no store took them", registry=self.registry
            ),
            "bundle": Gauge("trailmate_bundle", "1 for the bundle served", ("version",), registry=self.registry),
        }
        for name, metric in made.items():
            object.__setattr__(self, name, metric)

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)
