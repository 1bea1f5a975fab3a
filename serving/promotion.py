"""Which bundle is to be served: a small file in the data folder that every worker follows.

    DATA/promoted.json    the bundle that was promoted, those before it, and what was refused

A promotion stands as long as servers are started with the bundle it took the place of: who starts them with another
one means that other one.
"""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.domain.errors import BadInput, Unavailable

_KEPT = 10


class Place(msgspec.Struct, frozen=True):
    """A bundle by its folder and version; `path` None is what the server was started with."""

    path: str | None
    version: str


class Refusal(msgspec.Struct, frozen=True):
    """A bundle that was not served, or not for long, and why."""

    version: str
    reason: str
    at: datetime


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be served in place of the bundle of version `over`; `before`: what was served before, latest last."""

    current: Place
    over: str | None
    before: tuple[Place, ...] = ()
    refused: Refusal | None = None

    def stands(self, base: str) -> bool:
        """Whether it holds for a server that was started with the bundle of this version."""
        return self.over is None or self.over == base

    def is_back_from(self, then: "Promotion | None") -> bool:
        """Whether it serves again what was served before `then`."""
        if then is None or not then.before:
            return False
        return (self.current, self.before) == (then.before[-1], then.before[:-1])


_read = msgspec.json.Decoder(Promotion).decode


def promoted_in(data: Path) -> Promotion | None:
    """What was promoted; None where nothing was. Raises BadInput where the file cannot be read."""
    try:
        return _read(_file(data).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        raise BadInput(f"{_file(data)} cannot be read: promote a bundle again, or delete the file") from None


def stamp_of(data: Path) -> tuple[int, int] | None:
    """What changes with each promotion; None where nothing was promoted."""
    try:
        told = _file(data).stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns


def promote(data: Path, place: Place, *, over: str | None, serving: str) -> Promotion:
    """Have this bundle served from now on; `serving` is the version that is served until then."""
    now = promoted_in(data)
    before: tuple[Place, ...] = ()
    if now is not None and now.current.version != place.version:
        before = (*now.before, now.current)[-_KEPT:]
    elif now is not None:
        before = now.before
    else:
        before = (Place(None, serving),)
    return _written(data, Promotion(current=place, over=over, before=before))


def roll_back(data: Path, refused: Refusal | None = None) -> Promotion:
    """Have the bundle before served again; raises BadInput where there is none."""
    now = promoted_in(data)
    if now is None or not now.before:
        raise BadInput("no bundle was promoted before this one; promote the one you want with `trailmate promote`")
    back = Promotion(current=now.before[-1], over=now.over, before=now.before[:-1], refused=refused)
    return _written(data, back)


def refuse(data: Path, version: str, reason: str, *, expected: Place) -> Promotion | None:
    """Take a bundle back that turned out bad; nothing is done where another one was promoted meanwhile."""
    now = promoted_in(data)
    if now is None or now.current != expected or not now.before:
        return None
    return roll_back(data, Refusal(version, reason, datetime.now(UTC)))


def _written(data: Path, promotion: Promotion) -> Promotion:
    place = _file(data)
    part = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        data.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as out:
            out.write(msgspec.json.encode(promotion))
            out.flush()
            os.fsync(out.fileno())
        part.replace(place)
    except OSError as problem:
        with suppress(OSError):
            part.unlink()
        raise Unavailable(
            f"{place} cannot be written ({problem.strerror}); mend the rights of TRAILMATE_DATA"
        ) from None
    return promotion


def _file(data: Path) -> Path:
    return data / "promoted.json"
