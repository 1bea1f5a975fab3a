"""A real server in its own process, on a free port of the loopback, and keys for it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from serving.auth import new_key
from serving.storage.opening import open_store

COMMAND = [sys.executable, "-c", "from trailmate.cli import main; main()"]


def environment(data: Path) -> dict[str, str]:
    """What a command sees: this data folder, and nothing of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAILMATE_")}
    return kept | {"TRAILMATE_DATA": str(data)}


def key_for(data: Path, *scopes: str, tenant: str = "school", url: str = "") -> str:
    """A key in the store under this data folder, or in the one at this address."""

    async def add() -> str:
        key, text = new_key(tenant, scopes, now=datetime.now(UTC))
        async with open_store(url or f"sqlite+aiosqlite:///{data / 'store.db'}") as store:
            await store.keys.add(key)
        return text

    return asyncio.run(add())


@dataclass(frozen=True)
class Served:
    data: Path
    process: subprocess.Popen[bytes]
    url: str
    log_file: Path

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20)


@contextmanager
def served(
    data: Path,
    *options: str,
    limit: Callable[[], None] | None = None,
    around: Mapping[str, str] | None = None,
    **settings: str,
) -> Iterator[Served]:
    """`trailmate serve` on this data folder; it is ended by its own process id.

    `settings` are its TRAILMATE_ variables, `around` others; `limit` runs in it before anything else.
    """
    data.mkdir(exist_ok=True)
    log_file = data / "server.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(data)
            | dict(around or {})
            | {f"TRAILMATE_{name.upper()}": value for name, value in settings.items()},
            preexec_fn=limit,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, log_file.read_text()
        yield Served(data, process, json.loads(line)["url"], log_file)
    finally:
        process.terminate()
        process.communicate(timeout=20)
