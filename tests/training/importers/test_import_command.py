"""`trailmate import …` as people use it and misuse it."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trailmate.cli import main
from training.log import read_log

ROOT = Path(__file__).parents[3]
GOOD = "learner_id,resource_id,outcome\n5,r1,1\n6,r2,0.5\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["import", *arguments])
    return int(str(end.value.code))


def process(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from trailmate.cli import main; main()", "import", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, **more)


def test_the_report_in_json_and_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    Path("skills.jsonl").write_text('{"skill_id": "a", "prerequisites": ["a", "z"]}\n')
    Path("bad.csv").write_text(GOOD + "7,r1,9\n7,r1,1,x\n7,,1\n")
    assert run("tables", "--interactions", "bad.csv", "--skills", "skills.jsonl", "--into", "log", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("seconds") > 0
    assert said == {
        "batch": "000001-bad-csv", "source": "bad.csv", "into": "log", "read": 5, "added": 2, "duplicates": 0,
        "repaired": 0, "n_rejected": 3, "unknown_columns": [], "tables": {"skills": 1}, "cycles": [["a", "a"]],
        "dropped": [["a", "a"]], "dangling": [["z", "a"]],
        "rejected": {"outcome must lie in [0, 1]": 1, "resource_id is missing for kind attempted": 1,
                     "the row has 4 cells, the header 3": 1},
    }  # fmt: skip
    assert read_log(Path("log")).interactions().collect()["learner_id"].sort().to_list() == ["5", "6"]


def test_the_report_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    Path("skills.csv").write_text("skill_id,prerequisites,hue\na,b;z,1\nb,a,1\n")
    Path("bad.csv").write_text(GOOD + "7,r1,9\n")
    assert run("tables", "--interactions", "bad.csv", "--skills", "skills.csv", "--into", "log") == 0
    said = capsys.readouterr().out
    for words in (
        "2 of 3 interactions added to log",
        "batch: 000001-bad-csv",
        "rejected: 1, see log/rejected.parquet",
        "1 x outcome must lie in [0, 1]",
        "unknown columns ignored: 1 (skills.hue)",
        "cycle of prerequisites: a > b > a; dropped a > b",
        "unknown prerequisite: z of a",
    ):
        assert words in said


def test_strict_exits_with_one_where_a_row_was_rejected_and_keeps_the_good_ones() -> None:
    Path("bad.csv").write_text(GOOD + "7,r1,9\n")
    assert run("tables", "--interactions", "bad.csv", "--into", "log", "--strict") == 1
    assert len(read_log(Path("log")).interactions().collect()) == 2
    assert run("tables", "--interactions", "good.csv", "--into", "log", "--strict") == 0


def test_undo_takes_one_import_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tables", "--interactions", "good.csv", "--into", "log") == 0
    Path("more.csv").write_text("learner_id,resource_id\n9,r9\n")
    assert run("tables", "--interactions", "more.csv", "--into", "log") == 0
    assert run("tables", "--undo", "000002-more-csv", "--into", "log") == 0
    assert len(read_log(Path("log")).interactions().collect()) == 2
    assert run("oulad", "--undo", "000002-more-csv", "--into", "log") == 1
    assert "has no batch 000002-more-csv; it has 000001-good-csv" in capsys.readouterr().err
    assert run("tables", "--undo", "x", "--into", "nowhere") == 1
    assert not Path("nowhere").exists()


def spoiled(name: str) -> Path:
    file = Path(name)
    if name == "folder":
        file.mkdir()
    elif name == "cut.parquet":
        pl.DataFrame({"learner_id": [1], "resource_id": [2]}).write_parquet(file)
        file.write_bytes(file.read_bytes()[:-9])
    elif name == "types.parquet":
        pl.DataFrame({"learner_id": [1], "resource_id": [2], "at": [True]}).write_parquet(file)
    elif name == "picture.csv":
        file.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\xfe")
    elif name == "columns.csv":
        file.write_text("user,resource_id\n1,2\n")
    elif name == "empty.csv":
        file.touch()
    elif name == "header.csv":
        file.write_text("learner_id,resource_id\n")
    return file


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.csv", "does not exist; check the path"),
        ("empty.csv", "is empty; export it again"),
        ("header.csv", "holds no rows; export it again"),
        ("folder", "is a folder without Parquet files"),
        ("cut.parquet", "is cut off or no Parquet file"),
        ("types.parquet", "column at holds Boolean; it must hold a time"),
        ("picture.csv", "is not UTF-8 text"),
        ("columns.csv", "learner_id is missing (found: user, resource_id): rename the columns"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_the_log_alone(
    capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    spoiled(name)
    assert run("tables", "--interactions", name, "--into", "new") == 1
    assert run("tables", "--interactions", "good.csv", "--into", "old") == 0
    before = read_log(Path("old")).fingerprint()
    assert run("tables", "--interactions", name, "--into", "old") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all(words in line for line in said)
    assert not Path("new").exists()
    assert read_log(Path("old")).fingerprint() == before


@pytest.mark.parametrize("words", ["", "tables", "tables --into log", "oulad --into log", "tables --clicks x", "nope"])
def test_wrong_usage_exits_with_two(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words.split()) == 2
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["tables", "oulad", "ednet", "junyi", "lkt"])
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert f"Example: trailmate import {command}" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["import", "keys"])
def test_the_help_of_a_group_shows_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([group, "--help"])
    assert f"Example: trailmate {group} " in capsys.readouterr().out


def test_a_log_in_the_place_of_a_file_and_on_a_disk_that_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tables", "--interactions", "good.csv", "--into", "good.csv") == 1
    assert "is a file; name a folder for the log" in capsys.readouterr().err
    assert run("tables", "--interactions", "good.csv", "--into", "/sys/trailmate-log") == 1
    said = capsys.readouterr().err
    assert "/sys/trailmate-log" in said
    assert "check the path, its rights and the free space" in said


def test_a_full_disk_in_a_real_process_leaves_the_log_as_it_was() -> None:
    """A limit on the size of files stands in for the full disk: the write itself fails."""
    assert run("tables", "--interactions", "good.csv", "--into", "log") == 0
    rows = pl.DataFrame({"learner_id": pl.int_range(3000, eager=True), "resource_id": "r"})
    rows.write_parquet("more.parquet")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ended = process("tables", "--interactions", "more.parquet", "--into", "log", preexec_fn=limited)
    assert ended.returncode == 1
    assert "check the path, its rights and the free space" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(read_log(Path("log")).interactions().collect()) == 2
    assert not Path("log/.incoming").exists()


def test_an_import_in_a_real_process() -> None:
    ended = process("tables", "--interactions", "good.csv", "--into", "log", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["added"] == 2
