"""The page on groups, carried out: its example runs, its report has these keys, its table has every verb."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.collaborators.spec import VERBS
from trailmate.cli import main

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "groups.md").read_text()
BIN = Path(sys.executable).parent
FILES = ("csv roster.csv", "yaml spec.yaml", "csv past_groups.csv")


def blocks(kind):
    return re.findall(rf"```{kind}[^\n]*\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        (tmp_path / name.split()[1]).write_text(blocks(name)[0])
    return tmp_path


def test_the_example_runs_as_it_is_printed(folder):
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["bash", "-ec", blocks("sh")[0]], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told, printed = json.loads((folder / "report.json").read_text()), json.loads(blocks("json")[0])
    assert set(told) == set(printed)
    assert set(told["rules"][2]) == set(printed["rules"][0])
    assert set(told["groups"][0]) == set(printed["groups"][0])
    for key in ("broken", "proved_best", "seed", "steps"):
        assert told[key] == printed[key]
    assert told["objective"] == pytest.approx(printed["objective"], abs=0.005)
    assert told["bound"] == pytest.approx(told["objective"])
    with (folder / "groups.csv").open() as file:
        groups = {row["learner_id"]: row["group"] for row in csv.DictReader(file)}
    assert len(groups) == 9
    assert groups["a05"] == groups["a09"] == "2"
    assert groups["a03"] == groups["a41"]
    assert groups["a17"] != groups["a22"]


def test_a_conflict_has_the_form_of_the_page(folder, capsys):
    spec = blocks("yaml spec.yaml")[0] + "  - {verb: keep_apart, learners: [a03, a41]}\n"
    (folder / "spec.yaml").write_text(spec)
    with pytest.raises(SystemExit) as ended:
        main(
            ["groups", str(folder / "roster.csv"), "--spec", str(folder / "spec.yaml"), "--out", str(folder / "g.csv")]
        )
    assert ended.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {"conflict": [1, 10]}
    assert told.keys() == json.loads(blocks("json")[1]).keys()


def test_every_verb_is_in_the_table():
    assert set(re.findall(r"^\| `(\w+):", PAGE, re.MULTILINE)) == set(VERBS)


def test_the_python_of_the_page_runs(capsys):
    exec(blocks("python")[0], {})
    assert capsys.readouterr().out == "[0 1 0 1] 0.0\n"
