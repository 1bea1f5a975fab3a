"""A worker ends with its parent, after its last answers, and what ended one before its time is told."""

import os
import signal
import socket
from pathlib import Path

from tests.served import served
from tests.stories.test_counting_together import until, workers_of


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_workers_whose_parent_is_killed_end_and_leave_the_port_to_the_next_server(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        children = workers_of(server)
        port = int(server.url.rpartition(":")[2])
        server.process.kill()
        until(lambda: all(gone(pid) for pid in children))
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
        with served(tmp_path, "--workers", "2", port=str(port)) as next_one, next_one.client() as client:
            assert client.get("/readyz").status_code == 200


def test_the_log_says_what_ended_a_worker(tmp_path: Path) -> None:
    with served(tmp_path, "--workers", "2") as server:
        [first, _] = workers_of(server)
        os.kill(first, signal.SIGBUS)
        until(lambda: f'"worker ended","pid":{first},"by":"SIGBUS"' in server.log_file.read_text())
