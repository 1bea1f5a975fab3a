"""The doctor finds what is wrong, says what to do next, and shows no secret."""

import asyncio
import errno
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from serving.settings import read_settings
from serving.storage.database import connected
from serving.storage.migrating import migrate
from serving.storage.opening import open_store
from tests.served import key_for
from trailmate import surroundings
from trailmate.cli.doctor import settings_shown
from trailmate.surroundings import FAIL, OK, WARN

KEY = "tm_1f3a_secret_with_underlines"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("TRAILMATE_")}


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from trailmate.cli import main; main()", "doctor", *arguments]
    given = {**CLEAN, "TRAILMATE_PORT": "0", **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


async def _made(url: str) -> None:
    async with open_store(url):
        pass


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    url = f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"
    asyncio.run(_made(url))
    return url


@pytest.fixture
def page() -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/livez", "/health") else 404)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_healthy_place_is_well_and_secrets_stay_hidden(tmp_path: Path) -> None:
    uri = "http://anna:hunter2@127.0.0.1:9/?token=hunter3"
    done = doctor(tmp_path, "--json", TRAILMATE_KEY=KEY, TRAILMATE_URL=uri)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], done.stderr) == (0, True, "")
    assert {row["name"]: row["from"] for row in told["settings"]}["TRAILMATE_KEY"] == "environment"
    assert [c["name"] for c in told["checks"] if c["state"] == FAIL] == []
    assert {"python", "packages", "c compiler", "kernels", "data", "database", "bundle", "port", "mlflow", "key"} == {
        check["name"] for check in told["checks"]
    }
    assert all(check["next_step"] for check in told["checks"] if check["state"] != OK)
    for secret in ("secret", "underlines", "anna", "hunter2", "hunter3"):
        assert secret not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_what_is_broken_fails_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = doctor(tmp_path, TRAILMATE_DATA="file", TRAILMATE_BUNDLE="nowhere", TRAILMATE_BUNDEL="slip")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    lines = done.stdout.splitlines()
    for start in ("✗ fail  data", "✗ fail  bundle", "! warn  settings     TRAILMATE_BUNDEL"):
        found = [i for i, line in enumerate(lines) if line.startswith(start)]
        assert len(found) == 1, done.stdout
        assert "→" in lines[found[0] + 1]


def test_a_setting_of_the_wrong_form_is_a_finding(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", TRAILMATE_PORT="eighty")
    told = json.loads(done.stdout)
    assert (done.returncode, told["checks"][0]["name"], told["checks"][0]["state"]) == (1, "settings", FAIL)
    assert "TRAILMATE_PORT" in told["checks"][0]["text"]


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TRAILMATE_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("TRAILMATE_PORT=8123\n")
    settings = read_settings()
    shown = {row["name"]: row for row in settings_shown(settings, {})}
    assert {f"TRAILMATE_{name.upper()}" for name in type(settings).model_fields} <= set(shown)
    assert (shown["TRAILMATE_PORT"]["value"], shown["TRAILMATE_PORT"]["from"]) == ("8123", ".env")
    assert shown["TRAILMATE_HOST"]["from"] == "default"


def test_a_store_in_use_is_well_and_a_stranger_in_its_place_is_not(store_url: str, tmp_path: Path) -> None:
    assert surroundings.database(store_url).state == OK
    (tmp_path / "store.db").write_bytes(b"not a database at all")
    assert surroundings.database(store_url).state == FAIL


def test_a_store_without_a_write_ahead_log_is_told(tmp_path: Path) -> None:
    path = tmp_path / "plain.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert surroundings.database(f"sqlite+aiosqlite:///{path}").state == WARN


def test_a_store_of_another_version_is_told(store_url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '999'")
    connection.close()
    finding = surroundings.database(store_url)
    assert (finding.state, "999" in finding.text) == (FAIL, True)


def test_a_taken_port_fails_unless_a_service_answers_there(page: int) -> None:
    assert surroundings.port("127.0.0.1", page).state == WARN
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        taken = surroundings.port("127.0.0.1", held.getsockname()[1])
    assert (taken.state, bool(taken.next_step)) == (FAIL, True)
    assert surroundings.port("127.0.0.1", 0).state == OK


def test_mlflow_is_asked_where_it_can_be(page: int, tmp_path: Path) -> None:
    assert surroundings.mlflow("", tmp_path).state == OK
    assert surroundings.mlflow(f"http://127.0.0.1:{page}", tmp_path).state == OK
    assert surroundings.mlflow(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).state == OK
    assert surroundings.mlflow(f"sqlite:///{tmp_path}/absent/mlflow.db", tmp_path).state == FAIL
    assert surroundings.mlflow("databricks", tmp_path).state == WARN
    away = surroundings.mlflow("http://anna:hunter2@127.0.0.1:1", tmp_path)
    assert (away.state, "hunter2" in away.text) == (FAIL, False)


def test_packages_are_held_against_the_tested_versions(tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("Numpy==0.0.1  # old\nnot_installed==1.0\n")
    found = list(surroundings.packages(constraints))
    assert [(f.name, f.state) for f in found] == [("packages", WARN)]
    assert "numpy" in found[0].text
    assert "not" not in found[0].text.removeprefix("not the tested versions")


def test_a_folder_that_cannot_be_written_is_not_called_full() -> None:
    """Root may write nearly anywhere, but not there, and no disk of these has room."""
    for place in ("/proc/trailmate", "/sys/trailmate"):
        finding = surroundings.data_folder(Path(place))
        assert (finding.state, "not writable" in finding.text, "room" in (finding.next_step or "")) == (
            FAIL,
            True,
            False,
        )


def test_a_disk_without_room_is_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    finding = surroundings.data_folder(tmp_path)
    assert (finding.state, "make room" in (finding.next_step or "")) == (FAIL, True)


def test_kernels_that_nobody_compiled_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.learner.kernels.library", lambda: None)
    missing = surroundings.kernels()
    assert (missing.state, "slower" in missing.text, "compiler" in (missing.next_step or "")) == (WARN, True, True)
    monkeypatch.setattr("engine.learner.kernels.library", lambda: object())
    assert surroundings.kernels().state == OK


def test_no_compiler_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings.c_compiler({}).state == WARN
    assert surroundings.c_compiler({"CC": f"{sys.executable} -x"}).state == OK


@pytest.mark.parametrize(
    ("key", "shown"), [(KEY, "tm_1f3a_…"), ("hunter2", "…"), ("my_own_secret", "…"), ("tm_only", "…"), ("", "…")]
)
def test_of_a_key_only_the_id_is_shown(key: str, shown: str) -> None:
    assert surroundings.masked_key(key) == shown


def test_a_missing_key_says_how_to_make_one() -> None:
    missing = surroundings.key("")
    assert (missing.state, "trailmate keys create" in (missing.next_step or "")) == (WARN, True)


def test_a_key_that_opens_nothing_in_this_store_is_told(store_url: str, tmp_path: Path) -> None:
    good = key_for(tmp_path, "events")
    assert surroundings.key(good, store_url).state == OK
    for wrong in (KEY, good[:-1] + ("A" if good[-1] != "A" else "B"), "hunter2"):
        found = surroundings.key(wrong, store_url)
        assert (found.state, "opens nothing here" in found.text) == (WARN, True)
        assert wrong not in str(found)
    # Where another server is asked, or no store answers, nobody here can say.
    assert surroundings.key(KEY).state == OK
    assert surroundings.key(KEY, "postgresql+asyncpg://anna:hunter2@127.0.0.1:9/x").state == OK


def test_a_database_that_is_not_there_and_a_redis_that_wants_a_password_are_said_in_words(
    postgres_url: str, valkey: str
) -> None:
    address = urlsplit(postgres_url)
    found = surroundings.database(address._replace(path="/not_there").geturl())
    assert (found.state, "createdb" in found.text) == (FAIL, True)
    [found] = surroundings.redis(valkey.replace("redis://", "redis://:hunter2@"))
    assert (found.state, "password" in found.text, "hunter2" in str(found)) == (WARN, True, False)


def test_postgres_and_redis_are_looked_at_and_their_passwords_are_not_shown(
    postgres_url: str, valkey: str, tmp_path: Path
) -> None:
    found = surroundings.database(postgres_url)
    assert (found.state, "empty" in found.text) == (OK, True)
    asyncio.run(_made(postgres_url))
    assert "revision" in surroundings.database(postgres_url).text
    asyncio.run(_older(postgres_url))
    found = surroundings.database(postgres_url)
    assert (found.state, found.next_step) == (FAIL, "run `trailmate migrate`")
    found = surroundings.database("postgresql+asyncpg://anna:hunter2@127.0.0.1:9/x")
    assert (found.state, "hunter2" in str(found)) == (FAIL, False)
    [found] = surroundings.redis(valkey)
    assert (found.state, "Valkey" in found.text) == (WARN, True)
    [found] = surroundings.redis("redis://:hunter2@127.0.0.1:9/0")
    assert (found.state, "hunter2" in str(found)) == (WARN, False)
    assert list(surroundings.redis("")) == []


async def _older(url: str) -> None:
    async with connected(url) as database:
        await migrate(database, None, down=True)
