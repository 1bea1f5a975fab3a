"""The span around a request, within the one its caller names in `traceparent`."""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.middleware import method_of
from serving.traces import Traces


class Traced:
    """A span for each request; added only where traces are wanted."""

    def __init__(self, app: ASGIApp, *, traces: Traces) -> None:
        self._app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry import context, trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    span.set_status(trace.StatusCode.ERROR)
            await send(message)

        carrier = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"] if k.startswith(b"trace")}
        token = context.attach(TraceContextTextMapPropagator().extract(carrier))
        try:
            with self._traces.span("request") as span:
                try:
                    await self._app(scope, receive, watched)
                finally:
                    _name(span, scope)
        finally:
            context.detach(token)


def _name(span: Any, scope: Scope) -> None:
    """Known when the answer is made: which door it was, and who asked."""
    state = scope.get("state", {})
    route = state.get("route", "none")
    span.update_name(f"{method_of(scope)} {route}")
    told = {
        "http.route": route,
        "trailmate.request_id": state.get("request_id"),
        "trailmate.tenant": state.get("tenant"),
    }
    span.set_attributes({name: value for name, value in told.items() if value is not None})
