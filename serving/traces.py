"""Spans for OpenTelemetry: of requests, decisions and the store; nothing is imported unless traces are wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from engine.domain.errors import BadInput
from serving.storage.port import Store

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Of a store, what is no port.
_NO_PORTS = {"store_id", "waiting", "away_s", "copies_away_s"}
_INSTALL = "install it with `pip install '.[otel]'`, or set OTEL_TRACES_EXPORTER=none"


@dataclass(frozen=True, slots=True)
class Traces:
    """Makes spans. They say how long what took, and name routes, statuses and tenants, never a learner."""

    provider: TracerProvider

    def span(self, name: str, **attributes: Any) -> AbstractContextManager[Any]:
        """A part of what is being done; an error shows as its type, since its words may be a learner's."""
        tracer = self.provider.get_tracer("trailmate")
        return tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        )

    def around(self, store: Store) -> Store:
        """The store, with a span for whatever is asked of its ports."""
        ports: dict[str, Any] = {port: _Port(getattr(store, port), port, self) for port in _ports()}
        return replace(store, **ports)

    def close(self) -> None:
        """Send what has not been sent."""
        self.provider.shutdown()


def _ports() -> list[str]:
    return [field.name for field in fields(Store) if field.name not in _NO_PORTS]


class _Port:
    """One port of the store; everything it does is a span."""

    def __init__(self, port: Any, name: str, traces: Traces) -> None:
        self._port = port
        self._name = name
        self._traces = traces

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        asked = getattr(self._port, name)

        async def spanned(*given: Any, **named: Any) -> Any:
            with self._traces.span(f"store.{self._name}.{name}"):
                return await asked(*given, **named)

        return spanned


def traces_wanted(environment: Mapping[str, str]) -> Traces | None:
    """Traces where `OTEL_TRACES_EXPORTER` or an OTLP endpoint asks for them; the library reads the other OTEL_ names.

    Raises BadInput where they are wanted and the extra is not installed.
    """
    exporter = _exporter_named(environment)
    if exporter == "none":
        return None
    try:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

        made: SpanExporter
        if exporter == "console":
            made = ConsoleSpanExporter()
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            made = OTLPSpanExporter()
    except ImportError:
        raise BadInput(f"traces are wanted and OpenTelemetry or its exporter is not here; {_INSTALL}") from None
    named = Resource.create({} if environment.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "trailmate"})
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(made))
    return Traces(provider)


def _exporter_named(environment: Mapping[str, str]) -> str:
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return "none"
    endpoint = any(environment.get(f"OTEL_EXPORTER_OTLP{part}_ENDPOINT") for part in ("", "_TRACES"))
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp" if endpoint else "none").strip().lower()
    if exporter not in ("none", "console", "otlp"):
        raise BadInput("OTEL_TRACES_EXPORTER is otlp, console or none; choose one of them")
    return exporter
