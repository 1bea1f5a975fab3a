"""What the operator's page says to do when a key is lost, carried out beside a running server."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.served import served

HOUSE = Path(__file__).parents[2]
PAGE = (HOUSE / "docs" / "operator.md").read_text()
FIGURES = (HOUSE / "docs" / "figures.md").read_text()


def test_a_lost_key_is_replaced_without_a_pause_and_opens_nothing_afterwards(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh rotate\n(.*?)```", PAGE, re.DOTALL)
    listing, making, revoking = block.strip().splitlines()
    environment = os.environ | {
        "TRAILMATE_DATA": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(HOUSE),
    }

    def told(command: str) -> dict[str, object]:
        done = subprocess.run(
            ["bash", "-ec", f"{command} --json"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    old = str(told(making)["key"])
    with served(tmp_path) as server, server.client(old) as lost:
        assert lost.post("/v1/recommendations", json={"learner_id": "a"}).status_code == 200
        ids = [key["key_id"] for key in told(listing)["keys"]]  # type: ignore[attr-defined]
        assert ids == [old.split("_")[1]]
        environment["OLD_KEY_ID"] = ids[0]
        with server.client(str(told(making)["key"])) as new:
            for app in (lost, new):
                assert app.post("/v1/recommendations", json={"learner_id": "a"}).status_code == 200
            told(revoking)
            until = time.monotonic() + 1
            while lost.post("/v1/recommendations", json={"learner_id": "a"}).status_code == 200:
                assert time.monotonic() < until
                time.sleep(0.05)
            assert lost.post("/v1/recommendations", json={"learner_id": "a"}).status_code == 401
            assert new.post("/v1/recommendations", json={"learner_id": "a"}).status_code == 200


@pytest.mark.parametrize(
    "figure", ["5,297", "3,503", "217", "264", "1.14", "4.15", "721,399 events", "181 MB", "24.3 kB", "170, 259, 292"]
)
def test_sizing_says_what_was_measured(figure: str) -> None:
    sizing = PAGE.partition("## How much it takes")[2].partition("\n## ")[0]
    assert figure in FIGURES
    assert figure.lower() in sizing.lower()


def test_every_file_it_names_in_deploy_is_there() -> None:
    named = set(re.findall(r"`(deploy/[\w/.-]+)`", PAGE))
    assert len(named) >= 4
    assert [name for name in named if not (HOUSE / name).exists()] == []
