"""The example in docs/log.md is what really happens."""

import json
import re
from pathlib import Path

import pytest

from trailmate.cli import main
from training.log import interactions_schema, read_log

PAGE = Path(__file__).parents[3] / "docs" / "log.md"


def test_the_example_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, csv, report, row = re.findall(r"```(?:json)?\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text(csv)
    with pytest.raises(SystemExit):
        main(["import", "tables", "--interactions", "events.csv", "--into", "log", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said | {"seconds": 0} == json.loads(report) | {"seconds": 0}
    first = read_log(Path("log")).interactions().sort("at").collect().head(1)
    told = json.loads(row)
    at = first["at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").item()
    assert first.row(0, named=True) | {"at": at} == told
    assert list(told) == interactions_schema.names()
