"""What a running Trailmate needs around it, looked at one by one."""

import asyncio
import errno
import importlib.metadata
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from engine.domain.errors import TrailmateError

if TYPE_CHECKING:
    from serving.settings import Settings

OK, WARN, FAIL = "ok", "warn", "fail"
PYTHON_FROM = (3, 11)
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000
_ASK_WITHIN_S = 3.0
_SQLITE = "sqlite+aiosqlite:///"
_SQLITE_MAGIC = b"SQLite format 3\x00"
_NEWER = "start the Trailmate that wrote it, or name another store in TRAILMATE_DATABASE_URL"
# In the header of an SQLite file: the version needed to write it, 2 for a write-ahead log.
_WRITE_VERSION_AT, _WRITE_AHEAD = 18, 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `state` is ok, warn or fail; `next_step` stands where it is not ok."""

    name: str
    state: str
    text: str
    next_step: str | None = None


def findings(settings: "Settings", environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything around, in the order in which a service needs it."""
    yield python_version()
    yield from packages(CONSTRAINTS)
    yield c_compiler(environment)
    yield kernels()
    yield data_folder(settings.data)
    yield database(settings.store_url)
    yield from redis(settings.redis_url)
    yield bundle(settings.bundle)
    yield from promoted(settings.data)
    yield port(settings.host, settings.port)
    yield mlflow(environment.get("TRAILMATE_MLFLOW_URI", ""), settings.data)
    # Where TRAILMATE_URL names a server, the key is for that one.
    yield key(environment.get("TRAILMATE_KEY", ""), "" if environment.get("TRAILMATE_URL") else settings.store_url)


def python_version() -> Finding:
    """Whether this Python is recent enough."""
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON_FROM:
        return Finding("python", OK, text)
    return Finding(
        "python", FAIL, text, f"install Python {'.'.join(map(str, PYTHON_FROM))} or newer, then `make setup`"
    )


def packages(constraints: Path) -> Iterator[Finding]:
    """Whether what Trailmate needs is installed, in the versions it was tested with."""
    installed = {_plain(d.name): d.version for d in importlib.metadata.distributions()}
    absent = {name: extra for name, extra in _needed() if name not in installed}
    serving = sorted(name for name, extra in absent.items() if not extra)
    training = sorted(name for name, extra in absent.items() if extra)
    if serving:
        yield Finding("packages", FAIL, f"missing: {', '.join(serving)}", "run `make setup`")
    if training:
        yield Finding("packages", WARN, f"cannot train, missing: {', '.join(training)}", "run `make setup`")
    other = [f"{n} {installed[n]} instead of {v}" for n, v in _pinned(constraints) if installed.get(n, v) != v]
    if other:
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        yield Finding("packages", WARN, f"not the tested versions: {shown}", "run `make clean setup`")
    if not (absent or other):
        yield Finding("packages", OK, f"{len(installed)} installed, all as tested")


def c_compiler(environment: Mapping[str, str]) -> Finding:
    """Whether something can build the packages that come as source."""
    for name in (environment.get("CC", ""), "cc", "gcc", "clang"):
        if name and (found := shutil.which(name.split()[0])):
            return Finding("c compiler", OK, found)
    return Finding("c compiler", WARN, "none found", "install one (`apt-get install gcc`) before the next `make setup`")


def kernels() -> Finding:
    """Whether the part of the engine that keeps learner states was compiled for this very source."""
    from engine.learner.kernels import library

    if library() is not None:
        return Finding("kernels", OK, "compiled")
    slower = "not compiled: learner states are kept by slower Python"
    return Finding("kernels", WARN, slower, "install a C compiler and reinstall: `make clean setup`")


def data_folder(data: Path) -> Finding:
    """Whether the data folder, or the folder it will be made in, can be written and has room."""
    place = next(p for p in (data.absolute(), *data.absolute().parents) if p.exists())
    if not place.is_dir():
        return Finding("data", FAIL, f"{place} is a file", "name a folder in TRAILMATE_DATA")
    if refusal := _refusal(place):
        return Finding("data", FAIL, refusal, "change its rights or name another in TRAILMATE_DATA")
    free = shutil.disk_usage(place).free
    text = f"{data.absolute()}, {free / 1e9:.1f} GB free" + ("" if data.exists() else ", made at first use")
    if free >= _LITTLE_SPACE:
        return Finding("data", OK, text)
    return Finding(
        "data", WARN if free >= _NO_SPACE else FAIL, text, "make room, or name another disk in TRAILMATE_DATA"
    )


def database(url: str) -> Finding:
    """Whether the store opens, is of this version and survives a power cut."""
    if not url.startswith(_SQLITE):
        return _postgres(url)
    path = Path(url.removeprefix(_SQLITE))
    try:
        if not path.exists():
            return Finding("database", OK, f"{path}, made at first use")
        with path.open("rb") as file:
            header = file.read(_WRITE_VERSION_AT + 1)
        if not header.startswith(_SQLITE_MAGIC):
            return Finding("database", FAIL, f"{path} is no SQLite file", "move it away or set TRAILMATE_DATABASE_URL")
        if header[_WRITE_VERSION_AT] != _WRITE_AHEAD:
            return Finding("database", WARN, f"{path} has no write-ahead log", "`trailmate serve` will turn it on")
        found, wanted, known = asyncio.run(_revisions(url))
    except TrailmateError as problem:
        return Finding("database", FAIL, *_halves(problem))
    except OSError as problem:
        return Finding("database", FAIL, f"{path}: {problem.strerror}", "give this account the right to read and write")
    if not known:
        return Finding("database", FAIL, f"{path} has version {found}, not {wanted}", _NEWER)
    if found not in (None, wanted):
        return Finding("database", WARN, f"{path} has version {found}, not {wanted}", "`trailmate serve` changes it")
    return Finding("database", OK, f"{path} opens, with a write-ahead log")


def _postgres(url: str) -> Finding:
    shown = masked_uri(url)
    try:
        found, wanted, known = asyncio.run(_revisions(url))
    except TrailmateError as problem:
        return Finding("database", FAIL, f"{shown}: {_halves(problem)[0]}", _halves(problem)[1])
    if not known:
        return Finding("database", FAIL, f"{shown} has version {found}, not {wanted}", _NEWER)
    if found is None:
        return Finding("database", OK, f"{shown} answers and is empty, its tables are made at first use")
    if found != wanted:
        return Finding("database", FAIL, f"{shown} has version {found}, not {wanted}", "run `trailmate migrate`")
    return Finding("database", OK, f"{shown} answers, at revision {found}")


def redis(url: str) -> Iterator[Finding]:
    """Whether the shared copies of learners have a place; without one, answers are the same and come more slowly."""
    if not url:
        return
    from serving.storage.looking import redis_at

    shown = masked_uri(url)
    try:
        name, is_recent, when_full = asyncio.run(redis_at(url))
    except OSError as problem:
        yield Finding("redis", WARN, f"{shown} does not answer ({problem})", "start it, or mend TRAILMATE_REDIS_URL")
        return
    if not is_recent:
        yield Finding("redis", WARN, f"{shown} is {name}", "use Redis 7.2, Valkey 8 or newer: older ones are not tried")
    elif when_full == "noeviction":
        next_step = "set maxmemory and maxmemory-policy allkeys-lru, so that new copies push out old ones"
        yield Finding("redis", WARN, f"{shown} is {name} and takes nothing when it is full", next_step)
    else:
        yield Finding("redis", OK, f"{shown} is {name}")


def bundle(path: Path | None) -> Finding:
    """Whether the bundle can be read and every file has the hash that its manifest tells."""
    from engine.bundle import read_bundle

    if path is None:
        next_step = "train one with `trailmate train LOG --out BUNDLE` and name it in TRAILMATE_BUNDLE"
        return Finding("bundle", WARN, "none is set, answers will be labelled fallback", next_step)
    try:
        read = read_bundle(path)
    except TrailmateError as problem:
        return Finding("bundle", FAIL, *_halves(problem))
    except OSError as problem:
        return Finding("bundle", FAIL, f"{path}: {problem.strerror}", "give this account the right to read it")
    return Finding("bundle", OK, f"{path}, version {read.version}, {len(read.manifest['files'])} files as trained")


def promoted(data: Path) -> Iterator[Finding]:
    """What is served in place of the bundle that is set, and what was refused; nothing where nothing was promoted."""
    from serving.presence import present_in
    from serving.promotion import promoted_in

    try:
        promotion = promoted_in(data)
    except TrailmateError as problem:
        yield Finding("promotion", FAIL, *_halves(problem))
        return
    if promotion is None:
        return
    if promotion.refused is not None:
        text = f"{promotion.refused.version} was taken back: {promotion.refused.reason}"
        yield Finding("promotion", WARN, text, "train it again, or promote another one with `trailmate promote`")
    versions = sorted({about.version for about in present_in(data)})
    if versions and versions != [promotion.current.version]:
        text = f"{promotion.current.version} is promoted, and {', '.join(versions)} served"
        yield Finding(
            "promotion", WARN, text, "the servers were started with another bundle since, or are changing now"
        )
    elif promotion.refused is None:
        yield Finding("promotion", OK, f"{promotion.current.version} is promoted")


def port(host: str, number: int) -> Finding:
    """Whether the port is free, or this service already answers there."""
    where = f"{host}:{number}"
    try:
        family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((host, number), family=family).close()
    except OSError as problem:
        if _answers(f"http://{where}/livez"):
            return Finding("port", WARN, f"{where} is taken by a running service", "stop it before starting another")
        reason = (problem.strerror or str(problem)).partition(" (")[0].lower()
        return Finding("port", FAIL, f"{where}: {reason}", "stop what listens there, or set TRAILMATE_PORT or _HOST")
    return Finding("port", OK, f"{where} is free")


def mlflow(uri: str, data: Path) -> Finding:
    """Whether training runs can be tracked where they should be; a password in the address is not shown."""
    if not uri:
        return Finding("mlflow", OK, f"sqlite:///{data.absolute() / 'mlflow.db'}, the default")
    address = urlsplit(uri)
    shown = masked_uri(uri)
    if address.scheme in ("http", "https"):
        if _answers(f"{uri.rstrip('/')}/health"):
            return Finding("mlflow", OK, f"{shown} answers")
        return Finding("mlflow", FAIL, f"{shown} does not answer", "start it, or mend TRAILMATE_MLFLOW_URI")
    if address.scheme == "sqlite":
        folder = Path(uri.removeprefix("sqlite:///")).absolute().parent
        if folder.is_dir() and os.access(folder, os.W_OK):
            return Finding("mlflow", OK, shown)
        return Finding("mlflow", FAIL, f"{folder} cannot be written", "make that folder, or mend TRAILMATE_MLFLOW_URI")
    return Finding("mlflow", WARN, f"{shown} cannot be looked at from here", "check that a training run can reach it")


def key(given: str, store_url: str = "") -> Finding:
    """Whether the Python client would find a key, which opens the store at this address; only its id is shown."""
    if not given:
        next_step = "apps need one: `trailmate keys create`; the client reads TRAILMATE_KEY"
        return Finding("key", WARN, "TRAILMATE_KEY is not set", next_step)
    shown = f"TRAILMATE_KEY is {masked_key(given)}"
    if store_url and not _opens(store_url, given):
        return Finding("key", WARN, f"{shown}, which opens nothing here", "make another with `trailmate keys create`")
    return Finding("key", OK, shown)


def masked_key(given: str) -> str:
    """What may be shown of a key, tm_ID_SECRET: its id, and of anything else nothing."""
    kind, _, rest = given.partition("_")
    key_id, found, _ = rest.partition("_")
    return f"tm_{key_id}_…" if kind == "tm" and found else "…"


def masked_uri(uri: str) -> str:
    """The address without what may be secret in it: account, password and query."""
    try:
        address = urlsplit(uri)
    except ValueError:
        return "…"
    host = address.netloc.rpartition("@")[2]
    hidden = "…@" if "@" in address.netloc else ""
    return f"{address.scheme}://{hidden}{host}{address.path}" + ("?…" if address.query else "")


def _refusal(place: Path) -> str | None:
    """Why nothing can be written to a folder, found out by writing; a full disk is no refusal."""
    try:
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        return None if full else f"{place} is not writable: {problem.strerror}"


async def _revisions(url: str) -> tuple[str | None, str, bool]:
    from serving.storage.looking import revision_at

    return await revision_at(url)


def _opens(url: str, given: str) -> bool:
    """Whether the key opens the store; a store that cannot be asked is another finding."""
    from serving.storage.looking import opens

    path = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and not path.exists():
        return False
    try:
        return asyncio.run(opens(url, given))
    except (TrailmateError, OSError):
        return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=_ASK_WITHIN_S).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _halves(problem: TrailmateError) -> tuple[str, str]:
    """What is wrong and what to do next, which our errors say in this order."""
    text = str(problem)
    for mark in ("; ", ": "):
        wrong, found, next_step = text.rpartition(mark)
        if found:
            return wrong, next_step
    return text, "mend that and run `trailmate doctor` again"


def _needed() -> Iterator[tuple[str, bool]]:
    """What Trailmate's own metadata asks for: (name, only for training)."""
    for requirement in importlib.metadata.requires("trailmate") or []:
        name, _, marker = requirement.partition(";")
        extra = "extra ==" in marker
        if not extra or "training" in marker:
            yield _plain(re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0]), extra


def _pinned(constraints: Path) -> Iterator[tuple[str, str]]:
    """(name, version) of each tested package; nothing where Trailmate was installed without its sources."""
    if constraints.exists():
        for line in constraints.read_text().splitlines():
            name, found, version = line.partition("#")[0].strip().partition("==")
            if found:
                yield _plain(name), version


def _plain(name: str) -> str:
    """The name of a package as every tool compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
