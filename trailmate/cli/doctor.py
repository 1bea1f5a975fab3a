"""`trailmate doctor`: every setting, and whether everything around is well."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.settings import Settings
    from trailmate.surroundings import Finding

_PREFIX = "TRAILMATE_"
# Read by the client, by training and by the tests, not by the service.
_OTHERS = ("KEY", "URL", "MLFLOW_URI", "TEST_DATABASE_URL", "TEST_REDIS_URL")
_LATER = ("SECRET_KEY",)
_MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print every setting and check what is around: exit code 1 where something must be mended first.

    Example: trailmate doctor --json
    """
    from engine.domain.errors import BadInput
    from serving.settings import read_settings
    from trailmate.cli.progress import progress_bar, say
    from trailmate.surroundings import FAIL, Finding, findings

    shown: list[dict[str, str]] = []
    found: list[Finding] = []
    try:
        settings = read_settings()
    except BadInput as problem:
        found = [Finding("settings", FAIL, str(problem), "mend it and run `trailmate doctor` again")]
    else:
        shown = settings_shown(settings, os.environ)
        found = list(_unknown(os.environ, type(settings).model_fields))
        with progress_bar() as report:
            for finding in findings(settings, os.environ):
                report(finding.name, min(len(found) / 11, 1.0))
                found.append(finding)
    well = all(finding.state != FAIL for finding in found)
    told = {"ok": well, "settings": shown, "checks": [asdict(finding) for finding in found]}
    say(told, as_json=as_json, text=_in_words(shown, found))
    if not well:
        raise typer.Exit(1)


def settings_shown(settings: Settings, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Every setting with its value, secrets masked, and where it comes from."""
    from trailmate.surroundings import masked_key, masked_uri

    rows = [
        _row(name, masked_uri(value) if "://" in value else value, environment, name in settings.model_fields_set)
        for name in type(settings).model_fields
        for value in (str(getattr(settings, name) or ""),)
    ]
    rows += [_row("mlflow_uri", masked_uri(environment.get("TRAILMATE_MLFLOW_URI", "")), environment, False)]
    rows += [_row("url", masked_uri(environment.get("TRAILMATE_URL", "")), environment, False)]
    rows += [_row("key", masked_key(environment.get("TRAILMATE_KEY", "")), environment, False)]
    return rows


def _row(name: str, value: str, environment: Mapping[str, str], from_file: bool) -> dict[str, str]:
    variable = _PREFIX + name.upper()
    given = bool(environment.get(variable))
    origin = "environment" if given else ".env" if from_file else "default"
    unset = not given and name in ("mlflow_uri", "url", "key")
    return {"name": variable, "value": "" if unset else value, "from": origin}


def _unknown(environment: Mapping[str, str], known: Iterable[str]) -> Iterable[Finding]:
    """A variable that looks like ours and is none: most often a slip of the finger."""
    from trailmate.surroundings import WARN, Finding

    names = {_PREFIX + name for name in (*(k.upper() for k in known), *_OTHERS, *_LATER)}
    for variable in sorted(environment):
        if variable.startswith(_PREFIX) and variable not in names:
            yield Finding("settings", WARN, f"{variable} is no setting", "check its spelling; it changes nothing")


def _in_words(settings: Iterable[Mapping[str, Any]], found: Iterable[Finding]) -> str:
    rows = list(settings)
    width = max((len(row["name"]) for row in rows), default=0)
    lines = [f"{row['name']:<{width}} {row['value'] or '-'}  ({row['from']})" for row in rows]
    lines.append("")
    for finding in found:
        lines.append(f"{_MARKS[finding.state]} {finding.state:<5} {finding.name:<12} {finding.text}")
        lines += [f"{'':21}→ {finding.next_step}"] if finding.next_step else []
    return "\n".join(lines).strip("\n")
