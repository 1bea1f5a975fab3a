"""What lies in `deploy/` can be read by those it is for, and speaks of settings, doors and metrics that exist."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from serving.app import create_app
from serving.metrics import Metrics
from serving.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
SETTINGS = {f"TRAILMATE_{name.upper()}" for name in Settings.model_fields}
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "ARG", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK"}


def loaded(path: Path) -> dict[str, Any]:
    (document,) = list(yaml.safe_load_all(path.read_text()))
    assert isinstance(document, dict)
    return document


def instructions() -> list[tuple[str, str]]:
    """(word, rest) of each instruction, continued lines in one."""
    text = "\n".join(line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_the_image_is_built_of_what_is_there_and_runs_as_nobody_special() -> None:
    found = instructions()
    assert {word for word, _ in found} == INSTRUCTIONS | {"ENTRYPOINT", "CMD"}
    assert [rest for word, rest in found if word == "FROM"] == [
        "python:3.11-slim-bookworm AS build",
        "python:3.11-slim-bookworm",
    ]
    assert next(rest for word, rest in reversed(found) if word == "USER") == "10001"
    for word, rest in found:
        if word in ("ENTRYPOINT", "CMD"):
            assert all(isinstance(part, str) for part in json.loads(rest))
        if word in ("RUN",):
            assert shlex.split(rest)
    variables = {part.partition("=")[0] for word, rest in found if word == "ENV" for part in shlex.split(rest)}
    assert {name for name in variables if name.startswith("TRAILMATE_")} <= SETTINGS


def test_the_image_takes_in_every_package_and_nothing_that_was_made_here() -> None:
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)
    project = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"packages = \[(.*?)\]\n\n\[tool.hatch.build.targets.wheel.hooks", project)
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) <= copied


def test_compose_has_what_it_names() -> None:
    compose = loaded(DEPLOY / "compose.yaml")
    services = compose["services"]
    assert services.keys() == {"trailmate", "migrate", "database", "copies"}
    for service in services.values():
        assert service["image"]
        for name in service.get("depends_on", {}):
            assert name in services
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("$") or source in compose["volumes"]
    assert set(services["trailmate"]["environment"]) <= SETTINGS
    assert services["trailmate"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert (DEPLOY / services["trailmate"]["build"]["context"] / services["trailmate"]["build"]["dockerfile"]).exists()
    url = services["trailmate"]["environment"]["TRAILMATE_DATABASE_URL"]
    assert "@database/trailmate" in url
    # No password stands in the file, and none is a default.
    assert re.search(r"trailmate:\$\{POSTGRES_PASSWORD:\?", url)
    assert services["trailmate"]["ports"] == ["127.0.0.1:8000:8000"]


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_a_manifest_has_the_fields_that_its_kind_needs(path: Path) -> None:
    manifest = loaded(path)
    needed = {
        "Kustomization": ("kustomize.config.k8s.io/v1beta1", ()),
        "Deployment": ("apps/v1", ("selector", "template")),
        "Service": ("v1", ("selector", "ports")),
        "PodDisruptionBudget": ("policy/v1", ("selector", "maxUnavailable")),
        "HorizontalPodAutoscaler": ("autoscaling/v2", ("scaleTargetRef", "maxReplicas", "metrics")),
        "Job": ("batch/v1", ("template",)),
    }
    version, fields = needed[manifest["kind"]]
    assert manifest["apiVersion"] == version
    if fields:
        assert re.fullmatch(r"[a-z0-9-]{1,63}", manifest["metadata"]["name"])
        assert set(fields) <= manifest["spec"].keys()


def pods() -> dict[str, dict[str, Any]]:
    found = {path.stem: loaded(path) for path in KUBERNETES}
    return {name: m["spec"]["template"]["spec"] for name, m in found.items() if "template" in m.get("spec", {})}


@pytest.mark.parametrize("name", ["deployment", "migration"])
def test_a_pod_may_do_little_and_takes_its_secrets_from_a_secret(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} == container["resources"].keys()
    assert {variable["name"] for variable in container["env"]} <= SETTINGS
    for variable in container["env"]:
        if variable["name"].endswith("_URL"):
            assert variable["valueFrom"]["secretKeyRef"]["name"] == "trailmate"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_probes_ask_doors_that_exist_and_the_parts_find_each_other() -> None:
    deployment = loaded(DEPLOY / "kubernetes" / "deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    doors = create_app(Settings()).openapi()["paths"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in doors and asked["port"] == port["name"]
    # A pod whose database is away still answers: taking all pods away at once would be worse.
    assert container["readinessProbe"]["httpGet"]["path"] == "/livez"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    service, budget = (loaded(DEPLOY / "kubernetes" / f"{name}.yaml")["spec"] for name in ("service", "disruption"))
    assert deployment["spec"]["selector"]["matchLabels"] == labels == service["selector"]
    assert budget["selector"]["matchLabels"] == labels
    assert service["ports"][0]["targetPort"] == port["name"]
    scaled = loaded(DEPLOY / "kubernetes" / "scaling.yaml")["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    more = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    assert (scaled["maxReplicas"] + more) * 16 < 97
    kept = loaded(DEPLOY / "kubernetes" / "kustomization.yaml")["resources"]
    assert {*kept, "kustomization.yaml", "migration.yaml"} == {path.name for path in KUBERNETES}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_puts_the_manifests_together() -> None:
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
    built = subprocess.run(command, capture_output=True, text=True, check=True)
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all(built.stdout)]
    assert sorted(kinds) == ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Service"]
    assert "image: registry.example.org/trailmate:0.1.0" in built.stdout


def known_series() -> dict[str, set[str]]:
    """The labels of each series that `/metrics` can tell."""
    registry = CollectorRegistry()
    made = Metrics(registry)
    series: dict[str, set[str]] = {}
    for metric in (getattr(made, name) for name in Metrics.__dataclass_fields__):
        if not isinstance(metric, MetricWrapperBase):
            continue
        labels = set(metric._labelnames)
        ends = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[metric._type]
        series |= {metric._name + end: labels | ({"le"} if end == "_bucket" else set()) for end in ends}
    return series


def require_known(expression: str) -> set[str]:
    """The metrics an expression names; every one exists, and has the labels it is asked for."""
    series, scraped = known_series(), {"job", "instance"}
    named = set(re.findall(r"trailmate_\w+", expression))
    assert named and named <= series.keys(), expression
    labels = set().union(*(series[name] for name in named)) | scraped
    chosen = {label for group in re.findall(r"\{(.*?)\}", expression) for label in re.findall(r"(\w+)\s*=", group)}
    grouped = {word.strip() for group in re.findall(r"by \((.*?)\)", expression) for word in group.split(",")}
    assert chosen | grouped <= labels, expression
    assert expression.count("(") == expression.count(")")
    return named


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    board = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text())
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= board.keys()
    ids, places, shown = set(), set(), set()
    for panel in board["panels"]:
        assert panel["type"] == "timeseries" and panel["title"] and panel["targets"]
        ids.add(panel["id"])
        places.add((panel["gridPos"]["x"], panel["gridPos"]["y"]))
        for target in panel["targets"]:
            shown |= require_known(target["expr"])
    assert len(ids) == len(places) == len(board["panels"])
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} == {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in known_series()
    }


def test_alerts_ask_for_what_there_is() -> None:
    (group,) = loaded(DEPLOY / "monitoring" / "alerts.yaml")["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) >= 8
    for rule in group["rules"]:
        require_known(rule["expr"])
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])
