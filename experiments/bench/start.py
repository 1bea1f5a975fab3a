"""From the command to the first answer, beside a FastAPI hello, and the memory of one and of several processes."""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments.bench.decision import trained_on
from experiments.bench.http import N_LEARNERS, asked_by, filled
from experiments.bench.http_load import load

SIZE, PAIRS, WORKERS = 10_000, 5, (1, 2, 4)
# What an answer needs of libraries, and nothing of ours.
_IMPORTS = "fastapi, uvicorn, uvloop, httptools, numpy, msgspec, sqlalchemy.ext.asyncio, aiosqlite, typer"
_IMPORTS_ONLY = f"import {_IMPORTS}, prometheus_client, sys; print(1, flush=True); sys.stdin.read()"
_HELLO = """
import socket, sys
import uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def hello():
    return {"hello": "school"}
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.run(app, fd=listener.fileno(), log_config=None)
"""


def start(work: Path) -> str:
    """First answers in turns with a hello's, medians of pairs; then memory after some answers each."""
    place = work / str(SIZE)
    trained_on(place, SIZE)
    key = filled(place)
    asked = [asked_by(i, "uptake", SIZE, key) for i in range(N_LEARNERS)]
    ours, hellos = [], []
    for _ in range(PAIRS):
        hellos.append(_first_answer([sys.executable, "-c", _HELLO], lambda line: int(line), [_GET]))
        ours.append(_first_answer(_command(place, 1), _port_of, asked))
    ratio = statistics.median(a / b for a, b in zip(ours, hellos, strict=True))
    arrays = sum(p.stat().st_size for p in (place / "bundle" / "arrays").iterdir()) / 1e6
    with _started([sys.executable, "-c", _IMPORTS_ONLY]) as (process, _line):
        imports = _proportional_mb(process.pid)
    memory = [_memory(place, n, asked) for n in WORKERS]
    told = ", ".join(f"{n}: {mb:.0f}" for n, mb in zip(WORKERS, memory, strict=True))
    more = (memory[-1] - memory[0]) / (WORKERS[-1] - WORKERS[0])
    return (
        "| to the first recommendation, s | hello, s | ratio | arrays, MB | imports alone, MB | MB by workers "
        "| each more |\n|--:|--:|--:|--:|--:|--|--:|\n"
        f"| {statistics.median(ours):.2f} | {statistics.median(hellos):.2f} | {ratio:.2f} | {arrays:.1f} "
        f"| {imports:.0f} | {told} | {more:.0f} |"
    )


_GET = b"GET / HTTP/1.1\r\nHost: school\r\n\r\n"


def _command(place: Path, workers: int) -> list[str]:
    serve = [sys.executable, "-m", "trailmate.cli", "serve", "--port", "0", "--json", "--workers", str(workers)]
    return [*serve, "--bundle", str(place / "bundle")]


def _port_of(line: bytes) -> int:
    return int(json.loads(line)["url"].rpartition(":")[2])


def _first_answer(command: Sequence[str], port_of: Callable[[bytes], int], asked: Sequence[bytes]) -> float:
    """Seconds from the command to the first answer of status 200."""
    began = time.perf_counter()
    with _started(command, _data_of(command)) as (_process, line):
        port = port_of(line)
        while True:
            if _answers(port, asked[0]):
                return time.perf_counter() - began
            time.sleep(0.002)


def _answers(port: int, request: bytes) -> bool:
    head, _, body = request.partition(b"\r\n\r\n")
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    asking = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body or None, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asking, timeout=60) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except OSError:
        return False


def _memory(place: Path, workers: int, asked: Sequence[bytes]) -> float:
    """Megabytes of the server and its workers, shared pages shared out, after some answers each."""
    command = _command(place, workers)
    with _started(command, _data_of(command)) as (process, line):
        load(_port_of(line), asked, seconds=2.0 * workers)
        return sum(_proportional_mb(pid) for pid in [process.pid, *_children(process.pid)])


def _children(pid: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _proportional_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def _data_of(command: Sequence[str]) -> dict[str, str]:
    return {"TRAILMATE_DATA": str(Path(command[-1]).parent / "data")} if "--bundle" in command else {}


@contextmanager
def _started(
    command: Sequence[str], given: dict[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", bytes]]:
    """The process, and the line it says when it listens."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(given or {})},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.terminate()
        process.wait(20)
