"""`python -m experiments.simulation` makes a log that training reads."""

import json
import struct
from datetime import datetime
from pathlib import Path

import pytest

from experiments.simulation.__main__ import main
from experiments.simulation.picture import draw_school
from experiments.simulation.school import build_school
from training.log import read_log

NOW = "2026-11-23T10:00:00Z"


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--now", NOW, "--json"]) == 0
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def test_the_log_is_read_back_and_making_it_again_adds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--learners", "12", "--steps", "10", "--seed", "3", "--into", str(tmp_path / "log")]
    told = made(capsys, *arguments)
    log = read_log(tmp_path / "log")
    assert (told["rejected"], told["duplicates"]) == (0, 0)
    assert log.interactions().collect().height == told["added"]
    assert (len(log.resources()), len(log.skills()), len(log.learners())) == (186, 31, 12)
    again = made(capsys, *arguments)
    assert (again["added"], again["duplicates"]) == (0, told["added"])


def test_the_picture_is_a_png_of_some_size(tmp_path: Path) -> None:
    school = build_school(6, seed=0, now=datetime.fromisoformat(NOW))
    draw_school(school, n_steps=3, into=tmp_path / "school.png")
    content = (tmp_path / "school.png").read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG")
    assert width > height > 300


@pytest.mark.parametrize(
    "bad", [["--learners", "0"], ["--steps", "0"], ["--seed", "-1"], ["--into", "/dev/null/log"]], ids=str
)
def test_bad_input_is_one_sentence(bad: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--into", str(tmp_path / "log"), "--learners", "3", "--steps", "2", *bad]) == 1
    said = capsys.readouterr().err
    assert said.startswith("simulation: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "log" / "log.json").exists()


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--learners", "many"])
    assert "example:" not in capsys.readouterr().out
