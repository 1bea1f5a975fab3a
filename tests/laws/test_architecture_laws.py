"""The laws of the house hold, and each of them would notice a violation."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
PACKAGES = ("trailmate", "engine", "training", "serving", "experiments")
CONTRACTS = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# For each law one file that breaks it, and no other law.
VIOLATIONS = {
    "house": ("serving/looks_across.py", "import training.metrics"),
    "engine-rooms": ("engine/domain/looks_up.py", "import engine.recommender"),
    "engine-pure": ("engine/ranking/reads_tables.py", "import polars"),
    "serving-light": ("serving/is_heavy.py", "import matplotlib"),
    "training-offline": ("training/goes_out.py", "import fastapi"),
    "door-lightfm": ("training/second_door_to_lightfm.py", "import lightfm"),
    "door-implicit": ("training/second_door_to_implicit.py", "import implicit"),
    "door-mlflow": ("training/second_door_to_mlflow.py", "import mlflow"),
    "door-database": ("serving/second_door_to_sql.py", "import sqlalchemy"),
}


def lint(house: Path) -> str:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    environment = {"PYTHONPATH": str(house), "PATH": "/usr/bin:/bin", "COLUMNS": "400"}
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, timeout=100).stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house")
    (folder / "pyproject.toml").write_text((HOUSE / "pyproject.toml").read_text())
    for package in PACKAGES:
        for file in (HOUSE / package).rglob("*.py"):
            target = folder / file.relative_to(HOUSE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.read_text())
    return folder


def test_every_law_holds():
    said = lint(HOUSE)
    assert [c["name"] for c in CONTRACTS if f"{c['name']} KEPT" not in said] == []


def test_every_law_notices_its_violation(copy):
    assert {c["id"] for c in CONTRACTS} == set(VIOLATIONS)
    for path, code in VIOLATIONS.values():
        (copy / path).write_text(code + "\n")
    said = lint(copy)
    for path, _ in VIOLATIONS.values():
        (copy / path).unlink()
    assert [c["name"] for c in CONTRACTS if f"{c['name']} BROKEN" not in said] == []


def test_a_room_nobody_planned_is_noticed(copy):
    room = copy / "engine" / "attic.py"
    room.write_text('"""A new room."""\n')
    said = lint(copy)
    room.unlink()
    assert "engine.attic" in said


def test_no_file_is_longer_than_its_ceiling():
    """Four hundred lines: what grows past them is two things."""
    long = {
        str(file.relative_to(HOUSE)): n
        for package in PACKAGES
        for file in (HOUSE / package).rglob("*.py")
        if (n := len(file.read_text().splitlines())) > 400
    }
    assert not long
