"""`trailmate audit` names what was tampered with, and its head shows that nothing was cut off."""

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from tests.served import COMMAND, environment


def trailmate(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=environment(data), capture_output=True, text=True, check=False)


def told(data: Path, *arguments: str) -> Any:
    return json.loads(trailmate(data, *arguments, "--json").stdout)


def test_a_chain_is_verified_and_a_kept_head_shows_what_is_missing(tmp_path: Path) -> None:
    assert trailmate(tmp_path, "audit", "verify").stdout.startswith("nothing has been audited")
    made = told(tmp_path, "keys", "create", "--tenant", "school", "--scopes", "read")
    trailmate(tmp_path, "keys", "create", "--tenant", "other", "--scopes", "read")
    trailmate(tmp_path, "keys", "revoke", made["key_id"], "--tenant", "school")
    head = trailmate(tmp_path, "audit", "head", "--tenant", "school").stdout.strip()
    whole = trailmate(tmp_path, "audit", "verify")
    assert (whole.returncode, f"school: ok, 2 entries, head {head}" in whole.stdout) == (0, True)
    assert told(tmp_path, "audit", "verify", "--tenant", "other")["tenants"]["other"]["entries"] == 1
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TRIGGER audit_no_delete")
        connection.execute("DELETE FROM audit WHERE tenant = 'school' AND seq = 2")
    connection.close()
    assert trailmate(tmp_path, "audit", "verify").returncode == 0
    cut = trailmate(tmp_path, "audit", "verify", "--tenant", "school", "--head", head.upper())
    assert (cut.returncode, "broken at entry 2" in cut.stdout, "cut off" in cut.stdout) == (1, True, True)
    unnamed = trailmate(tmp_path, "audit", "verify", "--head", head)
    assert (unnamed.returncode, "--tenant" in unnamed.stderr) == (2, True)
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET actor = 'x' WHERE tenant = 'school' AND seq = 1")
    connection.close()
    broken = told(tmp_path, "audit", "verify")
    assert (broken["ok"], broken["tenants"]["school"]["broken"]["seq"]) == (False, 1)
    assert broken["tenants"]["other"]["broken"] is None
