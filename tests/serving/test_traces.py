"""Spans show what took how long and nobody's name; without a wish for them nothing of it is loaded."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from engine.domain.errors import BadInput
from serving import app as app_module
from serving.app import create_app
from serving.settings import Settings
from serving.traces import Traces, traces_wanted
from tests.served import environment, key_for

LEARNER = "lena-the-learner"


@contextmanager
def traced(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TestClient, InMemorySpanExporter]]:
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(app_module, "traces_wanted", lambda _environment: Traces(provider))
    headers = {"Authorization": f"Bearer {key_for(data, 'recommend')}"}
    with TestClient(create_app(Settings(data=data)), headers=headers) as client:
        yield client, kept


def by_name(kept: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in kept.get_finished_spans()}


def test_a_recommendation_is_a_request_with_a_decision_with_the_store_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with traced(tmp_path, monkeypatch) as (client, kept):
        parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        answer = client.post("/v1/recommendations", json={"learner_id": LEARNER}, headers={"traceparent": parent})
        assert answer.status_code == 200
    spans = by_name(kept)
    request, decision = spans["POST /v1/recommendations"], spans["decision"]
    assert f"{request.context.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert request.parent is not None and decision.parent is not None
    assert request.parent.span_id == 0x00F067AA0BA902B7
    assert decision.parent.span_id == request.context.span_id
    looked = spans["store.events.contexts"].parent
    assert looked is not None and looked.span_id == decision.context.span_id
    # What was decided is written with what others decided meanwhile: that is part of no request.
    assert spans["store.decisions.record"].parent is None
    assert request.attributes == {
        "http.response.status_code": 200,
        "http.route": "/v1/recommendations",
        "trailmate.request_id": answer.headers["x-request-id"],
        "trailmate.tenant": "school",
    }


def test_no_span_names_a_learner_also_where_things_go_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(tmp_path, monkeypatch) as (client, kept):
        client.get(f"/v1/learners/{LEARNER}?x={LEARNER}")
        client.post("/v1/recommendations", json={"learner_id": LEARNER, "goal": [f"{LEARNER}-skill"]})
    told = "".join(span.to_json() for span in kept.get_finished_spans())
    assert "GET /v1/learners/{learner_id" in told
    assert LEARNER not in told


def test_what_broke_shows_as_nothing_that_an_error_may_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(tmp_path, monkeypatch) as (client, kept):
        house = client.app.state.house  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match=LEARNER), house.span("decision"):
            raise ValueError(f"{LEARNER} broke it")
    (span,) = [span for span in kept.get_finished_spans() if span.name == "decision"]
    assert LEARNER not in span.to_json()


@pytest.mark.parametrize(
    ("wish", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, True),
    ],
)
def test_who_wants_traces(wish: dict[str, str], is_wanted: bool) -> None:
    traces = traces_wanted(wish)
    assert (traces is not None) == is_wanted
    if traces is not None:
        traces.close()


def test_an_unknown_exporter_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="otlp, console or none"):
        traces_wanted({"OTEL_TRACES_EXPORTER": "zipkin"})


def test_a_server_without_the_package_starts_and_one_that_wants_traces_says_what_is_missing(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['opentelemetry.sdk'] = sys.modules['opentelemetry.exporter'] = None\n"
        "from serving.app import create_app; from serving.settings import Settings; from pathlib import Path\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(create_app(Settings(data=Path(sys.argv[1])))) as client:\n"
        "    print(client.get('/readyz').status_code, [m for m in sys.modules if m.startswith('opentelemetry.sdk.')])\n"
    )
    command = [sys.executable, "-c", without, str(tmp_path)]
    inside = {"cwd": Path(__file__).parents[2], "capture_output": True, "text": True}
    started = subprocess.run(command, env=environment(tmp_path), check=False, **inside)
    assert started.stdout == "200 []\n", started.stderr
    wanted = environment(tmp_path) | {"OTEL_TRACES_EXPORTER": "console"}
    refused = subprocess.run(command, env=wanted, check=False, **inside)
    assert "pip install '.[otel]'" in refused.stderr.splitlines()[-1]


def test_spans_reach_whatever_is_configured(tmp_path: Path) -> None:
    serve = (
        "import sys; from pathlib import Path\n"
        "from serving.app import create_app; from serving.settings import Settings\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(create_app(Settings(data=Path(sys.argv[1])))) as client:\n"
        "    client.get('/livez')\n"
    )
    wanted = environment(tmp_path) | {"OTEL_TRACES_EXPORTER": "console"}
    told = subprocess.run(
        [sys.executable, "-c", serve, str(tmp_path)],
        env=wanted,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    span = json.loads(told.stdout)
    assert (span["name"], span["resource"]["attributes"]["service.name"]) == ("GET /livez", "trailmate")


def test_the_framework_tells_nobody_anything_of_its_own(tmp_path: Path) -> None:
    watch = (
        "import sys; from pathlib import Path\n"
        "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter\n"
        "provider = TracerProvider(); provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))\n"
        "trace.set_tracer_provider(provider)\n"
        "from serving.app import create_app; from serving.settings import Settings\n"
        "from starlette.testclient import TestClient\n"
        "with TestClient(create_app(Settings(data=Path(sys.argv[1])))) as client:\n"
        "    client.get('/v1/learners/lena?x=lena')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", watch, str(tmp_path)],
        env=environment(tmp_path) | {"FASTAPI_OTEL_AUTO_CONFIGURE": "true"},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout == ""


def test_both_ways_to_a_recommendation_are_the_same_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(tmp_path, monkeypatch) as (client, kept):
        head = {"content-type": "application/json", "x-request-id": "mine"}
        # A body whose length is not told goes to the route itself.
        for content in (b'{"learner_id": "a"}', iter([b'{"learner_id": "a"}']), b"{}", iter([b"{}"])):
            client.post("/v1/recommendations", content=content, headers=head)
    found = [s for s in kept.get_finished_spans() if s.name.startswith("POST")]
    quick, route, refused, refused_there = [(s.name, dict(s.attributes or {})) for s in found]
    assert quick == route
    assert refused == refused_there
    assert [x[1]["http.response.status_code"] for x in (quick, refused)] == [200, 422]


def test_the_operators_guide_names_every_span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with traced(tmp_path, monkeypatch) as (client, kept):
        client.post("/v1/recommendations", json={"learner_id": LEARNER})
        client.get("/v1/rules")
    table = (Path(__file__).parents[2] / "docs" / "operator.md").read_text().partition("## Traces")[2]
    assert all(f"`{name}`" in table for name in ("POST /v1/recommendations", "decision", "store.PORT.WHAT"))
    forms = re.compile(r"(GET|POST) /v1/[\w/]+|decision|store\.[a-z]+\.[a-z_]+")
    assert [s.name for s in kept.get_finished_spans() if not forms.fullmatch(s.name)] == []
