"""The page on simulate, carried out: its world is a world, its result has the keys the command writes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.judging.setup import POLICIES
from trailmate.cli import main

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "simulate.md").read_text()
BIN = Path(sys.executable).parent


def block(kind):
    return re.search(rf"```{kind}[^\n]*\n(.*?)```", PAGE, re.DOTALL).group(1)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "coins.py").write_text(block("python coins.py"))
    return tmp_path


def test_the_page_runs_as_it_is_printed(folder):
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["bash", "-ec", block("sh")], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told, printed = json.loads((folder / "result.json").read_text()), json.loads(block("json"))
    assert set(told) == set(printed)
    for name in ("gain", "tertiles"):
        assert set(told[name]) == set(printed[name])
    assert set(told["learners"][0]) == set(printed["learners"][0])


@pytest.mark.parametrize("policy", ["trailmate", "oracle"])
def test_the_page_s_world_can_be_learned_in(folder, monkeypatch, capsys, policy):
    monkeypatch.syspath_prepend(str(folder))
    command = [
        "--world",
        "coins:world",
        "--policy",
        policy,
        "--learners",
        "5",
        "--train-learners",
        "30",
        "--steps",
        "5",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *command, "--out", str(folder / "result.json")])
    assert ended.value.code == 0, capsys.readouterr().err


def test_every_policy_is_told_of():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(POLICIES)
