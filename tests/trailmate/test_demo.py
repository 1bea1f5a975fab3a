"""The demo: what it refuses at once, and, in the long runs, the whole circle twice."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from trailmate.demo import main

COMMAND = [sys.executable, "-m", "trailmate.demo"]


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "TRAILMATE_DATA": str(data), "TRAILMATE_DATABASE_URL": "sqlite+aiosqlite:////nowhere/x.db"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_taken_port_is_one_sentence_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAILMATE_DATA", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr()
    assert said.err == f"demo: port {port} is taken or not yours; choose another, as in `make demo PORT=8001`\n"
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_exit_code_2() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--port", "x"])


@pytest.mark.soak
def test_the_whole_circle_runs_twice_and_shows_a_reasoned_answer(tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        done = subprocess.run(
            [*COMMAND, "--port", str(port), "--once"],
            env=environment(tmp_path), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "(personalised, model " in done.stdout
        assert "to the learner: " in done.stdout
        assert "to the teacher: " in done.stdout
        assert re.search(rf"http://127.0.0.1:{port}/console/#key=tm_\S+&learner=learner-\d+", done.stdout)
        assert re.search(rf"http://127.0.0.1:{port}/console/teacher#key=tm_\S+&class=\S+", done.stdout)
        assert (tmp_path / "demo" / str(port) / "school.png").stat().st_size > 10_000
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop_and_leaves_nothing_running(tmp_path: Path, number: int) -> None:
    port = free_port()
    with subprocess.Popen(
        [*COMMAND, "--port", str(port)], env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        shown = list(itertools.takewhile(lambda line: line != "Serving until Ctrl-C.\n", demo.stdout))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/console/", timeout=5) as page:
            assert page.status == 200
        demo.send_signal(number)
        assert demo.stdout.read() == "Stopped.\n"
    assert demo.returncode == 0
    assert "Look around:\n" in shown
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
