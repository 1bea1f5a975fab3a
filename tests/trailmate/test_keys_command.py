"""Keys on the command line: made, told apart by when they were made, revoked."""

import re
import subprocess
from pathlib import Path

from tests.served import COMMAND, environment


def keys(data: Path, *arguments: str) -> str:
    command = [*COMMAND, "keys", *arguments]
    return subprocess.run(command, env=environment(data), capture_output=True, text=True, check=True).stdout


def test_a_list_says_when_each_key_was_made_and_when_it_was_revoked(tmp_path: Path) -> None:
    made = keys(tmp_path, "create", "--scopes", "events")
    key_id = made.split("_")[1]
    day = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{key_id}  made {day}  events  valid\n", keys(tmp_path, "list"))
    keys(tmp_path, "revoke", key_id)
    assert re.fullmatch(rf"{key_id}  made {day}  events  revoked {day}\n", keys(tmp_path, "list"))
