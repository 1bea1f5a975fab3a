"""The README, carried out: its files, its commands in its order, its curl and its Python."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trailmate import Trailmate

HOUSE = Path(__file__).parents[2]
README = (HOUSE / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}[^\n]*\n(.*?)```", README, re.DOTALL)


def run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def walked(tmp_path):
    """The folder after everything up to the server, the key, and the running server's address."""
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TRAILMATE_PORT": "0"}
    environment.pop("TRAILMATE_DATA", None)
    for name, content in re.findall(r"```csv (\S+)\n(.*?)```", README, re.DOTALL):
        (tmp_path / name).write_text(content)
    around = next(block for block in blocks("sh") if "import tables" in block).strip().splitlines()
    *before, serve = around
    printed = [run(command, tmp_path, environment) for command in before]
    key = re.search(r"tm_\S+", printed[-1]).group()
    server = subprocess.Popen(
        [*serve.split(), "--json"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        url = json.loads(server.stdout.readline())["url"].rstrip("/")
        yield tmp_path, key, url, environment
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)
        server.stdout.close()


def test_from_an_own_csv_to_a_served_recommendation(walked):
    folder, key, url, environment = walked
    curl = next(block for block in blocks("sh") if "curl" in block).replace("http://127.0.0.1:8000", url)
    started = time.monotonic()
    answer = json.loads(run(curl, folder, {**environment, "KEY": key}))
    assert time.monotonic() - started < 30
    assert answer["mode"] == "personalised"
    # What lena did months ago may be due for a review: of two options one at most, for there is something new.
    new = {option["resource_id"] for option in answer["slate"]} & {"ratios-video", "ratios-project"}
    assert len(answer["slate"]) == 2
    assert new
    for option in answer["slate"]:
        assert sum(r["contribution"] for r in option["reasons"]) == pytest.approx(option["score"], abs=1e-6)

    python = next(block for block in blocks("python") if "Trailmate" in block).replace("http://127.0.0.1:8000", url)
    printed = run(f"python - <<'E'\nkey = {key!r}\n{python}\nE", folder, environment)
    assert len(printed.splitlines()) == 2
    assert printed.startswith("1 ")

    # The command offers only what is new, and reviews depend on the moment: the server is asked the same.
    with Trailmate(url, key=key) as school:
        asked = school.recommend("lena", k=2, again=False).slate
    command = "trailmate recommend bundle log --learners all --k 2 --objective learning --out all.csv --as-of "
    run(command + datetime.now(UTC).isoformat(timespec="seconds"), folder, environment)
    rows = [line.split(",") for line in (folder / "all.csv").read_text().splitlines()]
    of_lena = [(r[1], float(r[3])) for r in rows if r[0] == "lena"]
    assert [resource_id for resource_id, _ in of_lena] == [option.resource_id for option in asked]
    scores = [option.score for option in asked]
    assert [score for _, score in of_lena] == pytest.approx(scores, abs=1e-5)


def test_every_link_of_the_documents_leads_somewhere():
    pages = [HOUSE / "README.md", HOUSE / "ARCHITECTURE.md", HOUSE / "CONTRIBUTING.md", *(HOUSE / "docs").rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} → {link}"


def test_every_file_the_architecture_names_exists():
    text = (HOUSE / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:engine|training|serving|experiments|trailmate|tests)/[\w./]*)`", text)
    assert len(named) > 15
    assert [path for path in named if not (HOUSE / path).exists()] == []


def test_every_setting_of_training_is_documented_with_its_default():
    from dataclasses import asdict

    from training.relevance_models import ModelSettings

    page = (HOUSE / "docs" / "data-team.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    for name, default in asdict(ModelSettings()).items():
        values = default if isinstance(default, tuple) else (default,)
        assert rows[name].strip() == ", ".join(f"{v:g}" if v < 1e6 else str(v) for v in values), name


def test_every_make_target_the_documents_name_exists():
    targets = set(re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"make ([a-z]+)", (HOUSE / page).read_text())) <= targets


def test_every_command_has_an_example_in_its_help():
    import typer

    from trailmate.cli import app as front
    from trailmate.cli.commands import register

    app = typer.Typer()
    register(app)
    group = typer.main.get_command(app)
    waiting, found = [("trailmate", group)], 0
    while waiting:
        path, command = waiting.pop()
        if hasattr(command, "commands"):
            waiting += [(f"{path} {name}", sub) for name, sub in command.commands.items()]
        else:
            found += 1
            assert f"Example: {path}" in (command.help or ""), path
    assert found >= 10
    assert front.app
