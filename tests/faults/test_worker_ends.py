"""A worker ends with its parent, after its last answers, and what ended one before its time is told."""

import os
import signal
import socket
import subprocess
import sys
import time
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


HANGING = """
import socket, sys, time
from trailmate.cli import workers
workers._HUNG_S, workers._LOOK_S = 1.5, 0.2
def serve(ready, beat):
    ready()
    while True:
        beat()
        time.sleep(0.1)
workers.Workers(2, serve, socket.socket()).run(lambda: print("ready", flush=True))
"""


def test_a_worker_that_hangs_is_killed_and_begun_again_and_nobody_else_is(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as parent:
        try:
            assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
            hangs, lives = children_of(parent.pid)
            # Frozen together, as a machine that sleeps: nobody hangs.
            for pid in (parent.pid, hangs, lives):
                os.kill(pid, signal.SIGSTOP)
            time.sleep(2)
            for pid in (parent.pid, hangs, lives):
                os.kill(pid, signal.SIGCONT)
            time.sleep(1)
            assert children_of(parent.pid) == [hangs, lives]
            os.kill(hangs, signal.SIGSTOP)
            until(lambda: len(children_of(parent.pid)) == 2 and hangs not in children_of(parent.pid))
            assert lives in children_of(parent.pid)
            log_text = (tmp_path / "log").read_text()
            assert f'"worker hangs","pid":{hangs}' in log_text and f'"pid":{hangs},"by":"SIGKILL"' in log_text
        finally:
            parent.terminate()
            assert parent.wait(20) is not None


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
